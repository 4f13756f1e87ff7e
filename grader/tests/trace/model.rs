//! What a trace says of a run, held against what else is known of it.

use super::support::{stage, workspace};
use super::{Saved, V2, V7};
use evidence::host::Deed;
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use lab::picture::{Kind, Source, Span, State, Trace, of_host};

/// A run of version 5 or later.
fn observed(version: &str, order: HostOrder) -> (lab::host_order::HostObservation, Trace) {
    let stage = stage(version);
    let Ok(Compiled::Runner(runner)) = compile(stage, &workspace()) else {
        panic!("{version} does not build");
    };
    let run = observe_host(&runner, order, |_| {}).expect("a run");
    let trace = of_host(&run, version);
    (run, trace)
}

fn vm(name: &str, seed: u64) -> VmOrder {
    VmOrder::new(Guest::find(name, stage("v7")).expect("a guest"), seed)
}

#[test]
fn the_time_of_each_vm_is_what_its_account_says() {
    let order = HostOrder::new([vm("talker", 1), vm("patterns", 2), vm("hog-for-ever", 3)])
        .at(100_000, Deed::Pause(2))
        .at(200_000, Deed::Resume(2))
        .limit(900_000);
    let (run, trace) = observed("v5", order);
    for (number, vm) in (0..).zip(&trace.vms) {
        let end = &run.evidence.runs[0].vms[&number];
        let account = end.claim.as_ref().expect("a claim").account;
        let split = vm.split;
        assert_eq!(split.guest + split.vmm, account.run, "vm {number} ran");
        assert_eq!(split.halted, account.halted, "vm {number} halted");
        assert_eq!(split.waiting, account.waiting, "vm {number} waited");
        assert_eq!(split.paused, account.paused, "vm {number} paused");
    }
}

#[test]
fn behind_the_last_record_nothing_is_claimed() {
    let mut order = HostOrder::new([vm("talker", 1), vm("hog", 2)]);
    let (_, whole) = observed("v5", order.clone());
    order.scenario.records = 500;
    let (run, trace) = observed("v5", order);
    let last = run.evidence.runs[0].records.iter().map(|one| one.time.0);
    assert!(trace.missing > 0 && trace.until < whole.until);
    assert_eq!(Some(trace.until), last.max());
    assert!(trace.spans.iter().all(|span| span.to <= trace.until));
    let busy = trace.vms.iter().map(|vm| vm.split.guest + vm.split.vmm);
    assert!(busy.sum::<u64>() <= trace.until * trace.pcpus as u64);
}

#[test]
fn nobody_runs_in_two_places_and_no_lane_has_two() {
    let trace = Saved::of(&V7).trace();
    let apart = |spans: Vec<&Span>| spans.windows(2).all(|two| two[0].to <= two[1].from);
    for pcpu in 0..trace.pcpus {
        assert!(apart(trace.lane(pcpu)), "pcpu {pcpu}");
    }
    for (vm, vcpu) in trace.vcpus() {
        assert!(apart(trace.spans_of(vm, vcpu).collect()), "vm {vm} {vcpu}");
    }
}

#[test]
fn a_late_tick_is_explained_by_what_the_guest_did() {
    let trace = Saved::of(&V2).trace();
    let closed = "interrupts were closed from ";
    let late: Vec<_> = trace
        .interrupts
        .iter()
        .filter(|one| one.words.contains(closed) && one.words.contains("cli"))
        .collect();
    assert!(!late.is_empty());
    for one in late {
        let delivered = one.delivered.expect("it came");
        let (_, words) = one.words.split_once(closed).expect("a time");
        let digits = words.split(' ').next().expect("a time").replace(',', "");
        let since: u64 = digits.parse().expect("a time");
        let traps = |name: &str, from, to| {
            let events = trace.events.iter();
            let events = events.filter(|event| event.kind == Kind::Trap && event.name == name);
            events
                .filter(|event| from <= event.time && event.time < to)
                .count()
        };
        assert!(since <= one.due && one.due < delivered, "{}", one.words);
        assert_eq!(traps("cli", since, since + 1), 1, "{}", one.words);
        // The last one opens, and the instruction behind it is in its shadow.
        assert_eq!(traps("sti", since, delivered), 1, "{}", one.words);
    }
}

#[test]
fn every_injection_ends_an_interrupt_that_was_due() {
    let trace = Saved::of(&V2).trace();
    let injected = trace.events.iter().filter(|one| one.kind == Kind::Inject);
    for event in injected {
        let mut due = trace.interrupts.iter();
        let found = due.find(|one| one.delivered == Some(event.time) && one.due <= event.time);
        assert!(found.is_some(), "{event:?}");
    }
}

#[test]
fn one_lock_has_one_holder_and_who_waits_for_it_spins() {
    let trace = Saved::of(&V7).trace();
    assert!(trace.holds.len() > 10, "{}", trace.holds.len());
    for two in trace.holds.windows(2) {
        assert!(two[0].to <= two[1].from, "{two:?}");
    }
    // Whoever has a whole turn within the hold, and wants the lock, spins at its end.
    let within = |span: &Span| {
        let mut holds = trace.holds.iter();
        span.vm == 0 && holds.any(|hold| hold.from <= span.from && span.to <= hold.to)
    };
    let turns: Vec<_> = trace
        .spans
        .iter()
        .filter(|span| span.state == State::Running && within(span))
        .collect();
    let spinning = turns.iter().filter(|span| span.spins).count();
    assert!(
        spinning * 10 > turns.len() * 9,
        "{spinning} of {}",
        turns.len()
    );
}

#[test]
fn an_ipi_goes_from_its_sender_to_its_target() {
    let trace = Saved::of(&["trace", "v7", "--vm", "ping-pong"]).trace();
    let ipis: Vec<_> = trace
        .interrupts
        .iter()
        .filter(|one| matches!(one.source, Source::Vcpu { .. }))
        .collect();
    assert!(ipis.len() > 10, "{}", ipis.len());
    for one in ipis {
        let Source::Vcpu { vcpu: sender, pcpu } = one.source else {
            continue;
        };
        assert_ne!(sender, one.vcpu, "{one:?}");
        assert!(one.delivered.is_some(), "{one:?}");
        let sends = trace.events.iter().any(|event| {
            (event.time, event.pcpu, event.vcpu) == (one.due, pcpu, sender)
                && event.text.starts_with("apic command <-")
        });
        assert!(sends, "{one:?}");
    }
}
