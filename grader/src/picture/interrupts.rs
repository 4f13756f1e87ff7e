//! Which interrupts were due when, when they were taken, and what kept them.
//!
//! The accesses to each vCPU's APIC are in the records, and an APIC is a pure
//! value. So it is played here a second time, beside the version that had it: when
//! its timer was due, and what it still held in service, is then known exactly.

use super::spans::{Machine, Moment};
use super::trace::{Interrupt, Source, Span, Trace};
use common::devices::apic::register;
use common::devices::{Apic, Ipi};
use common::trace::{Device, Event, VcpuName};
use common::{Exit, SystemInstruction, Time, Trap, bus};
use std::collections::BTreeMap;

/// An interrupt, and what is known of why it came when it did.
pub(super) struct Found {
    pub(super) interrupt: Interrupt,
    /// The guest had interrupts closed.
    closed: Option<Closed>,
    /// Another one was in service, since this time.
    busy: Option<(u8, u64)>,
    /// When its vCPU came onto a physical CPU, if it had none.
    came: Option<u64>,
    /// Its vCPU had no physical CPU when it became due.
    off: bool,
}

/// Since when interrupts are closed, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Closed {
    since: Option<u64>,
    by: String,
}

/// A vCPU, as far as its interrupts go.
struct Target {
    apic: Apic,
    closed: Option<Closed>,
    /// Since when each vector is in service.
    service: BTreeMap<u8, u64>,
    runs: bool,
    /// Those that are due and not taken, by their index.
    open: Vec<usize>,
}

impl Target {
    fn new(vcpu: u8, is_alone: bool) -> Target {
        let by = String::from("as they are at its start");
        let since = Some(0);
        Target {
            apic: Apic::new(vcpu),
            closed: Some(Closed { since, by }),
            service: BTreeMap::new(),
            runs: is_alone,
            open: Vec::new(),
        }
    }
}

/// All interrupts, in the order in which they became due.
pub(super) fn find(machine: &Machine<'_>) -> Vec<Found> {
    let turns = machine.moments.first().map(|first| first.event);
    let mut replay = Replay {
        machine,
        is_alone: !matches!(turns, Some(Event::Runs(_) | Event::Idle)),
        targets: BTreeMap::new(),
        running: BTreeMap::new(),
        found: Vec::new(),
    };
    for moment in &machine.moments {
        replay.moment(moment);
    }
    let mut found = replay.found;
    found.sort_by_key(|found| found.interrupt.due);
    found
}

struct Replay<'a> {
    machine: &'a Machine<'a>,
    /// There is one vCPU, which always has the physical CPU.
    is_alone: bool,
    targets: BTreeMap<VcpuName, Target>,
    running: BTreeMap<usize, VcpuName>,
    found: Vec<Found>,
}

impl Replay<'_> {
    fn target(&mut self, name: VcpuName) -> &mut Target {
        let target = self.targets.entry(name);
        target.or_insert_with(|| Target::new(name.vcpu, self.is_alone))
    }

    fn moment(&mut self, moment: &Moment) {
        let &Moment { time, pcpu, .. } = moment;
        if let Event::Runs(_) | Event::Idle = moment.event
            && let Some(left) = self.running.remove(&pcpu)
        {
            self.target(left).runs = false;
        }
        let Some(name) = moment.vcpu else { return };
        self.timer(name, time);
        match moment.event {
            Event::Runs(_) => self.arrives(name, time, pcpu),
            Event::Inject(vector) => self.injected(name, vector, time, pcpu),
            Event::Exit(Exit::WindowOpen) => self.opens(name),
            Event::Trap { trap, .. } => self.trap(name, trap, moment),
            Event::Device(access) if access.device == Device::Apic && access.write => {
                let offset = access.address.wrapping_sub(bus::APIC) as u16;
                let target = self.target(name);
                let sent = target.apic.write(Time(time), offset, access.value as u32);
                if offset == register::EOI {
                    target.service.pop_last();
                }
                if let Some(ipi) = sent {
                    self.send(name, ipi, time, pcpu);
                }
            }
            _ => {}
        }
    }

    /// Lets the timer of a vCPU run up to `time`.
    fn timer(&mut self, name: VcpuName, time: u64) {
        let apic = &mut self.target(name).apic;
        let due = apic.deadline();
        if due > Time(time) {
            return;
        }
        let vector = apic.read(due, register::TIMER) as u8;
        // A periodic timer that nobody looked at may have ended many periods.
        let next = apic.deadline();
        let later = match next <= Time(time) {
            true => 1 + (time - next.0) / next.since(due).max(1),
            false => 0,
        };
        let open = self.target(name).open.clone();
        let waiting = open.into_iter().find(|index| {
            let one = &self.found[*index].interrupt;
            one.vector == vector && one.source == Source::Timer
        });
        match waiting {
            Some(index) => self.found[index].interrupt.merged += 1 + later,
            None => self.add(name, vector, Source::Timer, due.0, later),
        }
        self.target(name).apic.advance(Time(time));
    }

    /// An interrupt is due.
    fn add(&mut self, name: VcpuName, vector: u8, source: Source, due: u64, merged: u64) {
        let index = self.found.len();
        let target = self.target(name);
        let in_service = target.service.last_key_value();
        let busy = in_service.map(|(vector, since)| (*vector, *since));
        let found = Found {
            interrupt: Interrupt {
                vm: name.vm,
                vcpu: name.vcpu,
                vector,
                source,
                due,
                delivered: None,
                pcpu: None,
                merged,
                words: String::new(),
            },
            closed: target.closed.clone().filter(|_| target.runs),
            busy: busy.filter(|_| target.apic.pending() != Some(vector)),
            came: None,
            off: !target.runs,
        };
        target.open.push(index);
        self.found.push(found);
    }

    /// A vCPU comes onto a physical CPU.
    fn arrives(&mut self, name: VcpuName, time: u64, pcpu: usize) {
        self.running.insert(pcpu, name);
        let target = self.target(name);
        target.runs = true;
        let (open, closed) = (target.open.clone(), target.closed.clone());
        for index in open {
            let found = &mut self.found[index];
            if found.off && found.came.is_none() {
                (found.came, found.closed) = (Some(time), closed.clone());
            }
        }
    }

    /// The guest takes an interrupt, and everything that its one bit stood for.
    fn injected(&mut self, name: VcpuName, vector: u8, time: u64, pcpu: usize) {
        let target = self.target(name);
        if target.apic.pending() == Some(vector) {
            target.apic.acknowledge();
            target.service.insert(vector, time);
        }
        let (since, by) = (Some(time), format!("by the handler of vector {vector}"));
        target.closed = Some(Closed { since, by });
        let open = std::mem::take(&mut target.open);
        let found = &mut self.found;
        let (taken, open): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|index| found[*index].interrupt.vector == vector);
        for index in taken {
            let interrupt = &mut found[index].interrupt;
            (interrupt.delivered, interrupt.pcpu) = (Some(time), Some(pcpu));
        }
        self.target(name).open = open;
    }

    /// The guest takes interrupts now, and nobody saw since when it did not.
    fn opens(&mut self, name: VcpuName) {
        let target = self.target(name);
        target.closed = None;
        for index in target.open.clone() {
            let (since, by) = (None, String::new());
            let closed = &mut self.found[index].closed;
            closed.get_or_insert(Closed { since, by });
        }
    }

    /// What a trap does to the interrupt flag, where that is known.
    fn trap(&mut self, name: VcpuName, trap: Trap, moment: &Moment) {
        use SystemInstruction as I;
        let by = match trap {
            Trap::Fault(fault) => format!("by the handler of {fault}"),
            Trap::System { instruction, .. } => match instruction {
                I::Cli => String::from("by cli"),
                I::Syscall => String::from("by a system call"),
                I::Sti | I::Iret { .. } | I::Sysret { .. } => {
                    self.target(name).closed = None;
                    return;
                }
                _ => return,
            },
            _ => return,
        };
        let symbols = &self.machine.vms[name.vm as usize].image.symbols;
        let by = format!("{by} at {}", symbols.place(moment.rip));
        let since = Some(moment.time);
        let closed = &mut self.target(name).closed;
        closed.get_or_insert(Closed { since, by });
    }

    /// An interrupt goes from one vCPU to others.
    fn send(&mut self, sender: VcpuName, ipi: Ipi, time: u64, pcpu: usize) {
        for vcpu in 0..self.machine.vms[sender.vm as usize].vcpus {
            let name = VcpuName { vcpu, ..sender };
            if ipi.reaches(sender.vcpu, vcpu) {
                self.target(name).apic.request(ipi.vector);
                let source = Source::Vcpu {
                    vcpu: sender.vcpu,
                    pcpu,
                };
                self.add(name, ipi.vector, source, time, 0);
            }
        }
    }
}

impl Found {
    /// The interrupt, with how it went in words.
    pub(super) fn told(self, trace: &Trace, lanes: &[Vec<&Span>]) -> Interrupt {
        let mut words = self.how_it_went();
        let reasons = match self.interrupt.late() {
            Some(0 | 1) => Vec::new(),
            _ => self.reasons(trace, lanes),
        };
        if !reasons.is_empty() {
            words += ": ";
            words += &reasons.join("; ");
        }
        match self.interrupt.merged {
            0 => {}
            1 => words += ". Its timer came round once more meanwhile, which is one bit",
            more => {
                words += &format!(". Its timer came round {more} times more meanwhile: one bit")
            }
        }
        Interrupt {
            words,
            ..self.interrupt
        }
    }

    fn how_it_went(&self) -> String {
        let Interrupt {
            vector,
            source,
            due,
            delivered,
            ..
        } = self.interrupt;
        let due = Time(due);
        let mut words = match source {
            Source::Timer => format!("tick {vector} due at {due}"),
            Source::Vcpu { vcpu, .. } => format!("IPI {vector} from vcpu {vcpu} sent at {due}"),
        };
        words += &match (delivered, self.interrupt.late()) {
            (None, _) | (_, None) => String::from(", never delivered"),
            (Some(_), Some(0 | 1)) => String::from(", delivered at once"),
            (Some(time), Some(late)) => {
                format!(", delivered at {}, {} later", Time(time), Time(late))
            }
        };
        words
    }

    fn reasons(&self, trace: &Trace, lanes: &[Vec<&Span>]) -> Vec<String> {
        let mut reasons = Vec::new();
        let due = self.interrupt.due;
        if self.off {
            let others = lanes.iter().enumerate().filter_map(|(pcpu, lane)| {
                let next = lane.partition_point(|span| span.from <= due);
                let span = lane[..next].last().filter(|span| due < span.to)?;
                let name = trace.vcpu_name(span.vm, span.vcpu);
                Some((name, pcpu))
            });
            let others: Vec<_> = others.collect();
            let until = match self.came {
                Some(came) => format!("it had no pcpu until {}", Time(came)),
                None => String::from("it had no pcpu any more"),
            };
            reasons.push(match who_ran(&others) {
                Some(others) => format!("{until}, while {others}"),
                None => until,
            });
        }
        if self.came.is_some() && self.came == self.interrupt.delivered {
            return reasons;
        }
        match (&self.closed, self.busy) {
            (Some(Closed { since: None, .. }), _) => {
                reasons.push(String::from("interrupts were closed until then"));
            }
            (Some(Closed { since, by }), _) => {
                let since = Time(since.unwrap_or_default());
                reasons.push(format!("interrupts were closed from {since} on {by}"));
            }
            (None, Some((vector, since))) => reasons.push(format!(
                "vector {vector} was in service from {} on, without EOI",
                Time(since)
            )),
            (None, None) => {}
        }
        reasons
    }
}

/// Who ran where, as a clause; `None` if nobody did.
fn who_ran(running: &[(String, usize)]) -> Option<String> {
    let ((name, pcpu), others) = running.split_first()?;
    let mut words = format!("{name} ran on pcpu {pcpu}");
    for (name, pcpu) in others {
        words += &format!(" and {name} on pcpu {pcpu}");
    }
    Some(words)
}

#[cfg(test)]
mod tests;
