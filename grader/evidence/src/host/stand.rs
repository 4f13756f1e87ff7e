//! The stand that a version with many VMs is run on.

use super::drive::{Driven, Hypervisor, control};
use super::eye::Eye;
use super::frame::{End, Frame, Outcome};
use super::report::Reporter;
use super::scenario::{Order, Policy, Scenario, VmSetup};
use super::watch::{Console, Watch};
use super::writer::Writer;
use crate::engine::{Begun, EngineCpu, HostCpu, Prepare};
use crate::panics::report_panics;
use crate::session::Session;
use crate::{Engine, confine, limits};
use common::devices::Apic;
use common::drive::{self, Stepper};
use common::trace::VcpuName;
use common::{Boot, Bus, Cpu, Image, Kick, Memory, PAGE_SIZE, Pcpu, Size, Time};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// A host with its VMs, on the engine whose physical CPUs are `C`, ready to be run
/// once by a version.
pub struct Host<C: EngineCpu> {
    scenario: Arc<Scenario>,
    images: Arc<Vec<Image>>,
    memories: Vec<Memory>,
    watch: Arc<Watch>,
    pcpus: Vec<Pcpu<C>>,
    vms: Vec<VmParts<C>>,
    session: Option<Session>,
}

/// What a version makes a VM of.
pub struct VmParts<C: EngineCpu> {
    /// Its vCPUs, from number 0.
    pub vcpus: Vec<VcpuParts<C>>,
    /// Its devices.
    pub bus: Bus,
    /// How much it counts beside the others.
    pub weight: u32,
    /// The physical CPU on which it is placed at first, if the scenario says so.
    pub home: Option<usize>,
    /// On which physical CPUs it may run, one bit each, if not on all.
    pub affinity: Option<u64>,
}

/// What a version makes a vCPU of.
pub struct VcpuParts<C: EngineCpu> {
    /// The eye that has to look at it.
    pub eye: Eye,
    /// Its interrupt controller.
    pub apic: Apic,
    /// What the engine has for it: the context in which it begins, or all of it.
    pub start: C::Start,
}

/// What a thread of the host may take: its stack and the allocator's arena.
const THREAD: u64 = 80 << 20;

/// Runs a version in the scenario that the command line names, once for each of
/// its seeds, and reports to the file that it names second: `run-v5 SCENARIO
/// EVIDENCE`. Or once for somebody who looks at the run, and listens at a socket:
/// `run-v5 session SCENARIO SOCKET`.
///
/// `interp` and `kvm` make the version's scheduler for VMs on that engine and
/// give it to [`Host::step`] or [`Host::drive`].
pub fn main(
    prepare: Prepare,
    interp: impl Fn(Host<Box<dyn Cpu>>),
    kvm: impl Fn(Host<HostCpu>),
) -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [scenario, evidence] => report(prepare, &interp, &kvm, scenario, evidence),
        [word, scenario, socket] if word.as_os_str() == "session" => {
            look(prepare, &interp, scenario, socket)
        }
        _ => Err("usage: SCENARIO EVIDENCE (`cargo lab run` calls this for you)".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// It is the same for all versions, so it is compiled here, and not with each of
/// their runners.
fn report(
    prepare: Prepare,
    interp: &dyn Fn(Host<Box<dyn Cpu>>),
    kvm: &dyn Fn(Host<HostCpu>),
    scenario: &Path,
    evidence: &Path,
) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    let writer = Writer::create(evidence, &scenario)?;
    let guests: u64 = scenario.vms.iter().map(|vm| vm.memory).sum();
    limits::set(guests + scenario.pcpus as u64 * THREAD, scenario.patience)?;
    confine::within_folder_of(evidence)?;
    let images = begin(&scenario, &writer)?;
    for later in 0..scenario.seeds.max(1) {
        let order = scenario.order.later(later);
        let scenario = Arc::new(Scenario {
            order,
            ..scenario.clone()
        });
        writer.run(order.seed().unwrap_or(0));
        let ran = catch_unwind(AssertUnwindSafe(|| match scenario.engine {
            Engine::Interp => Host::new(&scenario, &images, &writer, prepare, None).map(interp),
            Engine::Kvm => Host::new(&scenario, &images, &writer, prepare, None).map(kvm),
        }));
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                writer.put(Frame::Refused(error.to_string()));
                return Err(error);
            }
            Err(_) => return Ok(()), // the panic is on record
        }
    }
    Ok(())
}

/// What is there before a run: the guests.
fn begin(scenario: &Scenario, writer: &Writer) -> Result<Arc<Vec<Image>>, Box<dyn Error>> {
    let panics = writer.clone();
    report_panics(move |panic| panics.put(Frame::Panic(panic)));
    let image = |vm: &VmSetup| -> Result<Image, Box<dyn Error>> {
        Ok(Image::parse(&std::fs::read(&vm.image)?)?)
    };
    let images: Result<Vec<_>, _> = scenario.vms.iter().map(image).collect();
    Ok(Arc::new(images?))
}

/// Runs it for somebody who looks on, for as long as they do: neither confined
/// nor in a hurry. Comes back only if the run cannot begin.
fn look(
    prepare: Prepare,
    interp: &dyn Fn(Host<Box<dyn Cpu>>),
    scenario: &Path,
    socket: &Path,
) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    if scenario.engine != Engine::Interp {
        return Err("only the software cpu can be looked at between two instructions".into());
    }
    if scenario.order == Order::Threads {
        return Err("with threads of the host no run is like another: there is no way back".into());
    }
    limits::set_memory(scenario.vms.iter().map(|vm| vm.memory).sum())?;
    let session = Session::begin(socket)?;
    let writer = Writer::to(&session);
    let images = begin(&scenario, &writer)?;
    let scenario = Arc::new(scenario);
    // A panic is on record.
    catch_unwind(AssertUnwindSafe(|| {
        Host::new(&scenario, &images, &writer, prepare, Some(&session)).map(interp)
    }))
    .unwrap_or(Ok(()))?;
    session.over(Time::ZERO, None)
}

impl<C: EngineCpu> Host<C> {
    pub(crate) fn new(
        scenario: &Arc<Scenario>,
        images: &Arc<Vec<Image>>,
        writer: &Writer,
        prepare: Prepare,
        session: Option<&Session>,
    ) -> Result<Host<C>, Box<dyn Error>> {
        let machines = scenario.vms.iter().zip(&**images);
        let machines = machines.map(|(setup, image)| machine::<C>(setup, image, prepare));
        let machines: Result<Vec<_>, _> = machines.collect();
        let (memories, vcpus): (Vec<_>, Vec<_>) = machines?.into_iter().unzip();
        let (contexts, starts): (Vec<_>, Vec<_>) = vcpus
            .into_iter()
            .map(|vcpus| {
                let apart = |one: Begun<_>| (one.context, one.start);
                vcpus.into_iter().map(apart).unzip::<_, _, Vec<_>, Vec<_>>()
            })
            .unzip();
        let watch = Watch::new(writer.clone(), contexts, scenario);
        let watch = Arc::new(watch.with_locks(images, &memories));
        if let Some(session) = session {
            let watch = Arc::clone(&watch);
            session.knows(move |name| watch.left_behind_by(name));
        }
        let vms = scenario.vms.iter().zip(starts).zip(0..);
        Ok(Host {
            scenario: Arc::clone(scenario),
            images: Arc::clone(images),
            memories,
            pcpus: pcpus(scenario, &watch, session)?,
            vms: vms
                .map(|((setup, starts), vm)| parts(setup, starts, vm, &watch))
                .collect(),
            watch,
            session: session.cloned(),
        })
    }

    /// Who looks at the run, if somebody does.
    pub fn session(&self) -> Option<Session> {
        self.session.clone()
    }

    /// How long a turn is, in ticks.
    pub fn slice(&self) -> u64 {
        self.scenario.slice
    }

    /// What is done about spinning vCPUs.
    pub fn policy(&self) -> Policy {
        self.scenario.policy
    }

    /// The kicks of the physical CPUs, by their numbers.
    pub fn kicks(&self) -> Vec<Kick> {
        self.pcpus.iter().map(|pcpu| pcpu.kick.clone()).collect()
    }

    /// Runs a version that belongs to one thread.
    ///
    /// # Panics
    /// If the scenario asks for threads.
    pub fn step<H: Hypervisor<Cpu = C>>(self, hypervisor: H) {
        let order = match self.scenario.order {
            Order::Fair(seed) => drive::Order::Fair(seed),
            Order::Adversarial(seed) => drive::Order::Adversarial(seed),
            Order::Threads => panic!("this version has one thread"),
        };
        self.run(hypervisor, |driven, pcpus, limit, control| {
            Stepper::new(order).run(driven, pcpus, limit, control)
        });
    }

    /// Runs a version that threads can share, in whichever way the scenario
    /// asks.
    pub fn drive<H: Hypervisor<Cpu = C> + Copy + Send + Sync>(self, hypervisor: H) {
        match self.scenario.order {
            Order::Threads => self.run(hypervisor, |driven, pcpus, limit, control| {
                drive::threads(*driven, pcpus, limit, control)
            }),
            _ => self.step(hypervisor),
        }
    }

    /// Creates the VMs, has them driven, and reports.
    fn run<H: Hypervisor<Cpu = C>>(
        self,
        hypervisor: H,
        driver: impl for<'a> FnOnce(
            &mut Driven<'a, H>,
            &mut [Pcpu<C>],
            Time,
            &mut drive::Control<'_, Driven<'a, H>>,
        ) -> drive::Outcome,
    ) {
        let Host {
            scenario,
            images,
            memories,
            watch,
            mut pcpus,
            vms,
            session,
        } = self;
        let reporter = Reporter {
            images: &images,
            memories: &memories,
            watch: &watch,
        };
        let watch = &*watch;
        let mut driven = Driven { hypervisor, watch };
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            vms.into_iter().for_each(|vm| driven.hypervisor.create(vm));
            let mut control = control(scenario.plan(), &reporter);
            driver(&mut driven, &mut pcpus, scenario.limit, &mut control)
        }));
        let took = begin.elapsed();
        let clocks: Vec<_> = pcpus.iter().map(|pcpu| pcpu.now).collect();
        let now = clocks.iter().copied().max().unwrap_or(Time::ZERO);
        for vm in 0..memories.len() as u32 {
            let claim = catch_unwind(AssertUnwindSafe(|| driven.hypervisor.claim(vm, now)));
            reporter.report(reporter.look(vm, now, claim.ok().flatten()));
        }
        watch.writer.put(Frame::End(End {
            outcome: outcome.ok().map(Outcome::from),
            clocks,
            records: watch.writer.seen(),
            measured: watch.writer.measured(took, watch.emulated()),
        }));
        if let Some(session) = session {
            session.over(now, None);
        }
    }
}

/// One VM's memory with its guest, and its vCPUs.
type Made<S> = (Memory, Vec<Begun<S>>);

fn machine<C: EngineCpu>(
    setup: &VmSetup,
    image: &Image,
    prepare: Prepare,
) -> Result<Made<C::Start>, Box<dyn Error>> {
    let memory = Memory::new(setup.memory)?;
    image.load(&memory)?;
    let tick_length = image.symbols.address_of("tick_length");
    if let (Some(address), Some(ticks)) = (tick_length, setup.guest_tick) {
        memory.store(address, Size::Dword, ticks.into());
    }
    let boot = Boot::prepare(&memory, image.entry)?;
    let boots = (0..setup.vcpus).map(|vcpu| boot.for_vcpu(vcpu.into()));
    let boots: Result<Vec<_>, _> = boots.collect();
    let vcpus = C::begin(&memory, &boots?, prepare)?;
    Ok((memory, vcpus))
}

fn parts<C: EngineCpu>(
    setup: &VmSetup,
    starts: Vec<C::Start>,
    vm: u32,
    watch: &Arc<Watch>,
) -> VmParts<C> {
    let vcpu = |(start, vcpu)| VcpuParts {
        eye: Eye::new(VcpuName { vm, vcpu }, Arc::clone(watch)),
        apic: Apic::new(vcpu),
        start,
    };
    let watch = Arc::clone(watch);
    VmParts {
        vcpus: starts.into_iter().zip(0..).map(vcpu).collect(),
        bus: Bus::new(Box::new(Console { watch, vm })),
        weight: setup.weight,
        home: setup.home,
        affinity: setup.affinity,
    }
}

/// The physical CPUs, which see nobody's memory.
fn pcpus<C: EngineCpu>(
    scenario: &Scenario,
    watch: &Arc<Watch>,
    session: Option<&Session>,
) -> Result<Vec<Pcpu<C>>, Box<dyn Error>> {
    let pcpu = |id| -> Result<Pcpu<C>, Box<dyn Error>> {
        let garbage = scenario.garbage.wrapping_add(id as u64);
        let mut pcpu = C::pcpu(id, Memory::new(PAGE_SIZE)?, garbage);
        let mut sink = Arc::clone(watch).sink(scenario.limit);
        if let Some(session) = session.cloned() {
            pcpu.inspect(session.inspector());
            sink = Box::new(move |record| {
                session.hears(record);
                sink(record);
            });
        }
        pcpu.recorder.record_all(sink);
        Ok(pcpu)
    };
    (0..scenario.pcpus).map(pcpu).collect()
}
