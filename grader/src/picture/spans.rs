//! What each vCPU did when: where it ran, and what it did in between.

use super::interrupts::Found;
use super::trace::{Hold, Span, State};
use common::trace::{Event, VcpuName};
use common::{Exit, Image};
use std::collections::BTreeMap;

/// The machine that the records come from.
pub(super) struct Machine<'a> {
    /// What happened, in the order in which it was recorded.
    pub(super) moments: Vec<Moment>,
    /// The VMs.
    pub(super) vms: Vec<Life<'a>>,
    /// When all was over.
    pub(super) until: u64,
    /// Whether anybody knows where a guest was.
    pub(super) has_places: bool,
}

/// A record, with the vCPU that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) time: u64,
    pub(super) pcpu: usize,
    pub(super) rip: u64,
    /// Nobody, if the physical CPU is idle.
    pub(super) vcpu: Option<VcpuName>,
    pub(super) event: Event,
}

/// One VM from without.
pub(super) struct Life<'a> {
    pub(super) image: &'a Image,
    pub(super) vcpus: u8,
    /// When it was started, if it was.
    pub(super) start: Option<u64>,
    /// When it ended, if it did.
    pub(super) end: Option<u64>,
    /// From when to when its owner had it stand still.
    pub(super) pauses: Vec<(u64, u64)>,
    /// When its vCPUs came back with its lock.
    pub(super) holds: Vec<(u8, u64)>,
}

/// The way of one vCPU through the records.
#[derive(Default)]
struct Way {
    /// Where it ran, and whether it was asleep when it left.
    stays: Vec<(Span, bool)>,
    /// It runs: where, and from when.
    runs: Option<(usize, u64)>,
    /// Its last exit: when, which, and where the guest was.
    last: Option<(u64, Exit, u64)>,
    /// It has executed `hlt`, and nothing has happened to it since.
    asleep: bool,
}

/// The spans of all vCPUs.
pub(super) fn spans(machine: &Machine<'_>, interrupts: &[Found]) -> Vec<Span> {
    let mut ways = walk(machine);
    let mut spans = Vec::new();
    for (vm, life) in (0..).zip(&machine.vms) {
        for vcpu in 0..life.vcpus {
            let name = VcpuName { vm, vcpu };
            let wakes: Vec<_> = interrupts
                .iter()
                .map(|found| &found.interrupt)
                .filter(|one| (one.vm, one.vcpu) == (vm, vcpu))
                .map(|one| one.due)
                .collect();
            let way = ways.remove(&name).unwrap_or_default();
            spans.extend(with_gaps(name, way.stays, life, machine.until, &wakes));
        }
    }
    spans
}

/// Where each vCPU ran.
fn walk(machine: &Machine<'_>) -> BTreeMap<VcpuName, Way> {
    // A version with one VM says by nothing else that nobody runs.
    let has_turns = machine.has_turns();
    let loops: Vec<_> = machine
        .vms
        .iter()
        .map(|vm| WaitLoops::of(vm.image))
        .collect();
    let mut ways: BTreeMap<VcpuName, Way> = BTreeMap::new();
    let mut running: BTreeMap<usize, VcpuName> = BTreeMap::new();
    let leave = |ways: &mut BTreeMap<VcpuName, Way>, name: VcpuName, time| {
        let way = ways.entry(name).or_default();
        way.leave(name, time, machine, &loops[name.vm as usize]);
    };
    for moment in &machine.moments {
        let &Moment { time, pcpu, .. } = moment;
        if running.get(&pcpu).copied() != moment.vcpu
            && let Some(name) = running.remove(&pcpu)
        {
            leave(&mut ways, name, time);
        }
        let Some(name) = moment.vcpu else { continue };
        let way = ways.entry(name).or_default();
        if running.insert(pcpu, name).is_none() {
            way.runs = Some((pcpu, moment.begins()));
        }
        match moment.event {
            Event::Runs(_) | Event::Idle => {}
            Event::Exit(exit) => {
                way.asleep = exit == Exit::Halted;
                way.last = Some((time, exit, moment.rip));
                if way.asleep && !has_turns {
                    leave(&mut ways, name, time);
                    running.remove(&pcpu);
                }
            }
            _ => way.asleep = false,
        }
    }
    for (_, name) in running {
        leave(&mut ways, name, machine.until);
    }
    ways
}

impl Machine<'_> {
    /// Whether it is recorded who runs.
    fn has_turns(&self) -> bool {
        let mut moments = self.moments.iter();
        moments.any(|moment| matches!(moment.event, Event::Runs(_)))
    }
}

impl Moment {
    /// When what ends here began.
    fn begins(&self) -> u64 {
        match self.event {
            Event::Trap { retired, .. } => self.time.saturating_sub(retired + 1),
            _ => self.time,
        }
    }
}

impl Way {
    /// It runs no longer.
    fn leave(&mut self, name: VcpuName, time: u64, machine: &Machine<'_>, loops: &WaitLoops) {
        let Some((pcpu, from)) = self.runs.take() else {
            return;
        };
        let last = self.last.filter(|(at, ..)| *at >= from);
        let symbols = &machine.vms[name.vm as usize].image.symbols;
        let place = |rip: u64| machine.has_places.then(|| symbols.place(rip).to_string());
        let span = Span {
            vm: name.vm,
            vcpu: name.vcpu,
            state: State::Running,
            from,
            to: time.max(from),
            pcpu: Some(pcpu),
            exit: last.map(|(_, exit, _)| exit.kind().to_string()),
            place: last.and_then(|(.., rip)| place(rip)),
            spins: last.is_some_and(|(_, exit, rip)| {
                let in_a_loop = machine.has_places && loops.have(rip);
                exit == Exit::SpinLoop || exit == Exit::Deadline && in_a_loop
            }),
        };
        self.stays.push((span, self.asleep));
    }
}

/// Where a guest waits for somebody: by its own convention in loops with `pause`.
struct WaitLoops(Vec<u64>);

impl WaitLoops {
    const PAUSE: [u8; 2] = [0xf3, 0x90];
    /// The loops are this short, in bytes to each side of the `pause`.
    const NEAR: u64 = 16;

    fn of(image: &Image) -> WaitLoops {
        let found = image.contents().flat_map(|(start, bytes)| {
            let pairs = bytes.windows(2).zip(start..);
            pairs.filter(|(pair, _)| **pair == WaitLoops::PAUSE)
        });
        WaitLoops(found.map(|(_, address)| address).collect())
    }

    fn have(&self, rip: u64) -> bool {
        let next = self.0.partition_point(|pause| *pause < rip);
        let near = self.0[next.saturating_sub(1)..].iter().take(2);
        near.copied()
            .any(|pause| pause.abs_diff(rip) <= WaitLoops::NEAR)
    }
}

/// The stays of a vCPU, and what it did between them. `wakes` are the times at
/// which an interrupt for it was due.
fn with_gaps(
    name: VcpuName,
    stays: Vec<(Span, bool)>,
    life: &Life<'_>,
    until: u64,
    wakes: &[u64],
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut gone = life.start;
    let mut asleep = false;
    for (stay, falls_asleep) in stays {
        if let Some(from) = gone {
            gap(&mut spans, name, (from, stay.from), asleep, life, wakes);
        }
        gone = Some(gone.unwrap_or(0).max(stay.to));
        asleep = falls_asleep;
        if stay.to > stay.from {
            spans.push(stay);
        }
    }
    if let Some(from) = gone {
        let end = life.end.unwrap_or(until);
        gap(&mut spans, name, (from, end), asleep, life, wakes);
    }
    spans
}

/// What a vCPU did while it did not run.
fn gap(
    spans: &mut Vec<Span>,
    name: VcpuName,
    (from, to): (u64, u64),
    asleep: bool,
    life: &Life<'_>,
    wakes: &[u64],
) {
    let mut add = |state, from, to| {
        if from < to {
            spans.push(Span {
                vm: name.vm,
                vcpu: name.vcpu,
                state,
                from,
                to,
                pcpu: None,
                exit: None,
                place: None,
                spins: false,
            });
        }
    };
    // Who sleeps when it is paused sleeps on; the two are not told apart.
    let woken = match asleep {
        false => from,
        true => {
            let next = wakes.partition_point(|due| *due < from);
            wakes.get(next).copied().unwrap_or(to).min(to)
        }
    };
    add(State::Halted, from, woken);
    let mut at = woken;
    for &(begin, end) in &life.pauses {
        let (begin, end) = (begin.max(at), end.min(to));
        if begin < end {
            add(State::Waiting, at, begin);
            add(State::Paused, begin, end);
            at = end;
        }
    }
    add(State::Waiting, at, to);
}

/// When a vCPU had the lock of its guest and no physical CPU. Nobody else can give
/// it back, so what was so when it left is so until it comes again.
pub(super) fn holds(machine: &Machine<'_>, spans: &[Span]) -> Vec<Hold> {
    let mut holds = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if span.state != State::Running {
            continue;
        }
        let life = &machine.vms[span.vm as usize];
        let left_with_it = life.holds.binary_search(&(span.vcpu, span.to)).is_ok();
        let mut later = spans[index + 1..].iter();
        let again = later.find(|next| {
            let is_same = (next.vm, next.vcpu) == (span.vm, span.vcpu);
            !is_same || next.state == State::Running
        });
        let again = again.filter(|next| (next.vm, next.vcpu) == (span.vm, span.vcpu));
        let to = again.map_or(life.end.unwrap_or(machine.until), |next| next.from);
        if left_with_it && to > span.to {
            holds.push(Hold {
                vm: span.vm,
                vcpu: span.vcpu,
                from: span.to,
                to,
            });
        }
    }
    holds.sort_by_key(|hold| (hold.from, hold.vm, hold.vcpu));
    holds
}

#[cfg(test)]
mod tests;
