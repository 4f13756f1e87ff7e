//! What the stand knows of the VMs by itself while they run.

use super::frame::{Frame, Lost, Violation};
use super::scenario::{Deed, Order, Scenario};
use super::writer::{CONSOLE_BOUND, Writer, is_noise};
use crate::clock::Clock;
use crate::{Engine, GivenUp};
use common::sync::Mutex;
use common::trace::{Event, Record, Sink, VcpuName};
use common::{Context, Ending, Image, Memory, Size, Time};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many of a VM's last records are kept.
const LAST: usize = 32;

/// The variable in which a guest says which of its vCPUs holds its lock: a number
/// of 32 bits, and another one than any vCPU's if nobody does.
pub const LOCK_OWNER: &str = "lock_owner";

/// So many violations are reported of each vCPU: the first says most.
const VIOLATIONS: u32 = 4;

/// What is known of all VMs, by the stand, its eyes and the recorders' sinks.
pub(crate) struct Watch {
    pub(crate) writer: Writer,
    pub(crate) vms: Vec<VmWatch>,
    /// Which VM ran last on each physical CPU.
    ran: Vec<AtomicU32>,
    /// Looks whether the turns of each physical CPU get anywhere.
    turns: Vec<Mutex<Clock>>,
    /// One thread does everything, so that at each moment it is known who may
    /// run.
    pub(crate) strict: bool,
    /// The registers are where they can be seen.
    pub(crate) sees_registers: bool,
    /// Somebody has been lost, by the version's own books.
    lost: AtomicBool,
    /// Consoles are kept until the end.
    holds_consoles: bool,
}

/// What is known of one VM.
pub(crate) struct VmWatch {
    pub(crate) books: Mutex<Books>,
    pub(crate) last: Mutex<VecDeque<Record>>,
    pub(crate) vcpus: Vec<Mutex<Seen>>,
    /// Where the guest says who holds its lock, if it does.
    lock: Option<(Memory, u64)>,
}

/// The stand's own books about a VM.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) phase: Phase,
    /// The vCPU that brought it to its end.
    pub(crate) last_vcpu: u8,
    /// The version has said how it ended.
    pub(crate) ending: Option<Ending>,
    /// Why the engine could not go on with it.
    pub(crate) failure: Option<String>,
    /// How things stood with it has been reported.
    pub(crate) reported: bool,
    /// How many bytes it has printed.
    printed: usize,
    /// What it has printed, if that is kept.
    console: Vec<u8>,
}

/// Whether a VM may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Created,
    Started,
    Paused,
    Ended,
}

/// What was seen of a vCPU when it last came back.
pub(crate) struct Seen {
    /// What was on the physical CPU.
    pub(crate) context: Context,
    pub(crate) left: Time,
    /// For how many ticks it has run.
    pub(crate) ran: u64,
    /// How many of its instructions were carried out in software.
    pub(crate) emulated: u64,
    violations: u32,
}

impl Watch {
    /// A watch over VMs whose vCPUs begin with these contexts.
    pub(crate) fn new(
        writer: Writer,
        vms: impl IntoIterator<Item = Vec<Context>>,
        scenario: &Scenario,
    ) -> Watch {
        let pcpus = 0..scenario.pcpus;
        Watch {
            writer,
            vms: vms.into_iter().map(VmWatch::new).collect(),
            ran: pcpus.clone().map(|_| AtomicU32::new(u32::MAX)).collect(),
            turns: pcpus.map(|_| Mutex::new(Clock::new(Time::NEVER))).collect(),
            strict: scenario.order != Order::Threads,
            sees_registers: scenario.engine == Engine::Interp,
            lost: AtomicBool::new(false),
            holds_consoles: scenario.seeds > 1,
        }
    }

    /// The same, and it looks at the guests' locks.
    pub(crate) fn with_locks(mut self, images: &[Image], memories: &[Memory]) -> Watch {
        for ((vm, image), memory) in self.vms.iter_mut().zip(images).zip(memories) {
            let address = image.symbols.address_of(LOCK_OWNER);
            vm.lock = address.map(|address| (memory.clone(), address));
        }
        self
    }

    /// What a vCPU left behind on the physical CPU when it was there last, or what
    /// it begins with.
    pub(crate) fn left_behind_by(&self, name: VcpuName) -> Option<Context> {
        let vm = self.vms.get(name.vm as usize)?;
        let seen = vm.vcpus.get(usize::from(name.vcpu))?.lock();
        Some(seen.context.clone())
    }

    /// The VM that ran last on a physical CPU.
    pub(crate) fn last_on(&self, pcpu: usize) -> Option<u32> {
        let vm = self.ran[pcpu].load(Ordering::Relaxed);
        (vm != u32::MAX).then_some(vm)
    }

    /// A VM runs on a physical CPU.
    pub(crate) fn runs_on(&self, pcpu: usize, vm: u32) {
        self.ran[pcpu].store(vm, Ordering::Relaxed);
    }

    /// The version is about to be asked. A VM that is started may run, on another
    /// thread, before the version comes back.
    pub(crate) fn asks(&self, deed: Deed) {
        if let Deed::Start(vm) = deed {
            let phase = &mut self.vms[vm as usize].books.lock().phase;
            if *phase == Phase::Created {
                *phase = Phase::Started;
            }
        }
    }

    /// The version has done what was asked.
    pub(crate) fn done(&self, deed: Deed) {
        let phase = match deed {
            Deed::Start(_) => return, // since it was asked
            Deed::Resume(_) => Phase::Started,
            Deed::Pause(_) => Phase::Paused,
            Deed::ShutDown(_) | Deed::Destroy(_) => Phase::Ended,
            Deed::Unplug(_) | Deed::Plug(_) => return,
        };
        if let Some(vm) = deed.vm() {
            self.vms[vm as usize].books.lock().phase = phase;
        }
    }

    /// Reports a violation, unless there were many.
    pub(crate) fn violation(&self, seen: &mut Seen, violation: Violation) {
        seen.violations += 1;
        if seen.violations <= VIOLATIONS {
            self.writer.put(Frame::Violation(violation));
        }
    }

    /// Whether it has been reported that somebody is lost.
    pub(crate) fn has_lost_somebody(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Reports that somebody is lost.
    pub(crate) fn loses_somebody(&self, lost: Lost) {
        self.lost.store(true, Ordering::Relaxed);
        self.writer.put(Frame::Lost(lost));
    }

    /// What takes the events of one physical CPU: reports them, keeps the last
    /// of each VM, and stops a version that gets nowhere.
    pub(crate) fn sink(self: Arc<Watch>, limit: Time) -> Sink {
        let mut clock = Clock::new(limit);
        let mut running = None;
        // Where who has just come is: the recorder only hears of it at the entry.
        let mut rip = None;
        Box::new(move |record| {
            let mut record = *record;
            match record.event {
                Event::Runs(name) => {
                    running = Some(name.vm as usize);
                    rip = Some(self.rip_of(name));
                }
                Event::Idle => (running, rip) = (None, None),
                Event::Enter { .. } | Event::Trap { .. } => rip = None,
                _ => {}
            }
            record.rip = rip.unwrap_or(record.rip);
            if !is_noise(record.event) {
                if let Some(vm) = running {
                    self.vms[vm].remember(&record);
                }
                self.writer.record(&record);
            }
            self.go_on(clock.look_at(&record));
        })
    }

    fn rip_of(&self, name: VcpuName) -> u64 {
        let vcpus = &self.vms[name.vm as usize].vcpus;
        vcpus[usize::from(name.vcpu)].lock().context.rip
    }

    /// How many instructions of all VMs were carried out in software.
    pub(crate) fn emulated(&self) -> u64 {
        let vcpus = self.vms.iter().flat_map(|vm| &vm.vcpus);
        vcpus.map(|seen| seen.lock().emulated).sum()
    }

    /// A turn on a physical CPU was over at `now`.
    pub(crate) fn turn(&self, pcpu: usize, now: Time) {
        let looked = self.turns[pcpu].lock().look(now);
        self.go_on(looked);
    }

    /// Stops a version that gets nowhere.
    fn go_on(&self, gets_nowhere: Option<GivenUp>) {
        if let Some(why) = gets_nowhere {
            self.writer.put(Frame::GivenUp(why));
            resume_unwind(Box::new("given up")); // to the stand
        }
    }

    /// Reports what a VM has printed and was kept until now.
    pub(crate) fn release_console(&self, vm: u32) {
        let console = std::mem::take(&mut self.vms[vm as usize].books.lock().console);
        self.writer.console(vm, &console);
    }
}

impl VmWatch {
    fn new(contexts: Vec<Context>) -> VmWatch {
        let seen = |context| {
            Mutex::new(Seen {
                context,
                left: Time::ZERO,
                ran: 0,
                emulated: 0,
                violations: 0,
            })
        };
        VmWatch {
            books: Mutex::default(),
            last: Mutex::new(VecDeque::with_capacity(LAST)),
            vcpus: contexts.into_iter().map(seen).collect(),
            lock: None,
        }
    }

    /// Whether the guest says that this vCPU of it holds its lock.
    pub(crate) fn holds_lock(&self, vcpu: u8) -> bool {
        let owner = self.lock.as_ref();
        let owner = owner.and_then(|(memory, address)| memory.load(*address, Size::Dword));
        owner == Some(vcpu.into())
    }

    fn remember(&self, record: &Record) {
        let mut last = self.last.lock();
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(*record);
    }
}

/// The console of one VM.
pub(crate) struct Console {
    pub(crate) watch: Arc<Watch>,
    pub(crate) vm: u32,
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut books = self.watch.vms[self.vm as usize].books.lock();
        let shown = &bytes[..bytes.len().min(CONSOLE_BOUND - books.printed)];
        books.printed += shown.len();
        match self.watch.holds_consoles {
            true => books.console.extend(shown),
            false => self.watch.writer.console(self.vm, shown),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
