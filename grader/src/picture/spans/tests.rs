//! Tests of what each vCPU did when.

use super::*;
use crate::picture::interrupts;
use crate::picture::testing::{image, machine, moment};
use State::{Halted, Paused, Running, Waiting};

fn runs(vcpu: u8) -> Event {
    Event::Runs(VcpuName { vm: 0, vcpu })
}

/// vCPU 0 runs until 50, leaves like this, and comes again at 130; meanwhile
/// vCPU 1 runs.
fn turns(exit: Exit) -> Vec<Moment> {
    vec![
        moment(0, 0, 0, runs(0)),
        moment(50, 0, 0, Event::Exit(exit)),
        moment(50, 0, 1, runs(1)),
        moment(130, 0, 1, Event::Exit(Exit::Deadline)),
        moment(130, 0, 0, runs(0)),
    ]
}

/// What vCPU 0 did, given when an interrupt for it was due.
fn of_first(machine: &Machine<'_>, due: Option<u64>) -> Vec<(State, u64, u64)> {
    let name = VcpuName { vm: 0, vcpu: 0 };
    let stays = walk(machine).remove(&name).unwrap_or_default().stays;
    let wakes: Vec<_> = due.into_iter().collect();
    let spans = with_gaps(name, stays, &machine.vms[0], machine.until, &wakes);
    let shown = spans.iter().map(|span| (span.state, span.from, span.to));
    shown.collect()
}

#[test]
fn who_halts_sleeps_until_its_interrupt_is_due_and_then_waits() {
    let image = image();
    let machine = machine(&image, turns(Exit::Halted), 200);
    let expected = [
        (Running, 0, 50),
        (Halted, 50, 100),
        (Waiting, 100, 130),
        (Running, 130, 200),
    ];
    assert_eq!(of_first(&machine, Some(100)), expected);
    let expected = [(Running, 0, 50), (Halted, 50, 130), (Running, 130, 200)];
    assert_eq!(of_first(&machine, None), expected);
}

#[test]
fn who_has_used_up_its_turn_waits_and_a_pause_is_not_waiting() {
    let image = image();
    let mut machine = machine(&image, turns(Exit::Deadline), 200);
    machine.vms[0].pauses = vec![(60, 110)];
    let expected = [
        (Running, 0, 50),
        (Waiting, 50, 60),
        (Paused, 60, 110),
        (Waiting, 110, 130),
        (Running, 130, 200),
    ];
    assert_eq!(of_first(&machine, None), expected);
}

#[test]
fn a_version_with_one_vm_has_nobody_on_its_cpu_while_the_guest_is_halted() {
    let image = image();
    let moments = vec![
        moment(0, 0, 0, Event::Enter { budget: 50 }),
        moment(50, 0, 0, Event::Exit(Exit::Halted)),
        moment(90, 0, 0, Event::Inject(32)),
    ];
    let machine = machine(&image, moments, 100);
    let expected = [(Running, 0, 50), (Halted, 50, 90), (Running, 90, 100)];
    assert_eq!(of_first(&machine, Some(90)), expected);
}

#[test]
fn a_lock_is_held_until_its_holder_runs_again() {
    let image = image();
    let mut machine = machine(&image, turns(Exit::Deadline), 200);
    machine.vms[0].holds = vec![(0, 50), (1, 70)];
    let spans = spans(&machine, &interrupts::find(&machine));
    let holds = holds(&machine, &spans);
    let shown: Vec<_> = holds
        .iter()
        .map(|hold| (hold.vcpu, hold.from, hold.to))
        .collect();
    assert_eq!(
        shown,
        [(0, 50, 130)],
        "vCPU 1 had it at 70, in the middle of its turn"
    );
}
