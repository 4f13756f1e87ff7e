//! How often what happened, and where the time went.

use super::spans::{Machine, Moment};
use super::trace::{Count, Span, Split, State};
use common::Trap;
use common::trace::Event;
use evidence::{Engine, trap_kind};

/// Counts by their names, the most frequent first, then by name.
pub(super) fn sorted(names: impl Iterator<Item = String>) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|count| count.name == name) {
            Some(known) => known.count += 1,
            None => counts.push(Count { name, count: 1 }),
        }
    }
    counts.sort_by(|one, other| {
        let frequent = other.count.cmp(&one.count);
        frequent.then_with(|| one.name.cmp(&other.name))
    });
    counts
}

fn of_vm(moments: &[Moment], vm: u32) -> impl Iterator<Item = &Moment> {
    let own = move |moment: &&Moment| moment.vcpu.is_some_and(|name| name.vm == vm);
    moments.iter().filter(own)
}

/// The exits of a VM.
pub(super) fn exits(machine: &Machine<'_>, vm: u32) -> Vec<Count> {
    sorted(
        of_vm(&machine.moments, vm).filter_map(|moment| match moment.event {
            Event::Exit(exit) => Some(exit.kind().to_string()),
            _ => None,
        }),
    )
}

/// The traps of a VM.
pub(super) fn traps(machine: &Machine<'_>, vm: u32) -> Vec<Count> {
    sorted(
        of_vm(&machine.moments, vm).filter_map(|moment| match moment.event {
            Event::Trap { trap, .. } if !is_end_of_entry(trap) => Some(trap_kind(trap)),
            _ => None,
        }),
    )
}

/// Whether a trap only ends an entry: it is the stepper's or the timer's affair.
pub(super) fn is_end_of_entry(trap: Trap) -> bool {
    matches!(trap, Trap::Budget | Trap::Kicked)
}

/// Where the time of a VM's vCPUs went.
pub(super) fn split(machine: &Machine<'_>, spans: &[Span], vm: u32, engine: Engine) -> Split {
    let time_in = |state| {
        let spans = spans.iter();
        let spans = spans.filter(|span| span.vm == vm && span.state == state);
        spans.map(|span| span.to - span.from).sum::<u64>()
    };
    let running = time_in(State::Running);
    // On hardware nobody sees the VMM's part of it.
    let vmm = match engine {
        Engine::Interp => of_vm(&machine.moments, vm).map(ticks_of_the_vmm).sum(),
        Engine::Kvm => 0,
    };
    Split {
        guest: running.saturating_sub(vmm),
        vmm,
        waiting: time_in(State::Waiting),
        halted: time_in(State::Halted),
        paused: time_in(State::Paused),
    }
}

/// A trap costs one tick more than its instructions (see `Pcpu::enter`).
fn ticks_of_the_vmm(moment: &Moment) -> u64 {
    match moment.event {
        Event::Trap {
            trap: Trap::Budget,
            retired: 1..,
        } => 0,
        Event::Trap { .. } => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_comes_first_and_equals_are_sorted_by_name() {
        let names = ["mmio", "halted", "deadline", "mmio", "halted"];
        let counts = sorted(names.into_iter().map(String::from));
        let shown: Vec<_> = counts
            .iter()
            .map(|one| (one.name.as_str(), one.count))
            .collect();
        assert_eq!(shown, [("halted", 2), ("mmio", 2), ("deadline", 1)]);
    }
}
