//! The reference: full marks, the same verdict every time, and its snapshots.

mod support;

use common::trace::{Event, Text};
use lab::checks::Course;
use lab::compile::{Compiled, compile};
use lab::fate::Fate;
use lab::grade::Grading;
use lab::observation::{Observation, Order, observe};
use lab::snapshot;
use std::path::PathBuf;
use std::thread;
use support::{v1, workspace};

fn runner() -> PathBuf {
    match compile(v1(), &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

fn run(guest: &str, arrange: impl FnOnce(Order) -> Order) -> Observation {
    let guest = guests::v1::guest(guest).expect("a guest");
    let order = arrange(Order::new(guest.build(1).elf()));
    observe(&runner(), &order, |_| {}).expect("a run")
}

/// Compares with a snapshot, or writes it (`INSTA_UPDATE=always`).
fn keep(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots/v1",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_reference_gets_every_point() {
    let verdict = Grading::of(vec![v1()])
        .run(&workspace(), |_| {})
        .expect("a verdict");
    assert_eq!(verdict.stages[0].points, 100, "{}", verdict.json());
    assert_eq!(verdict.exit_code(), 0);
    let course = Course::of(v1()).expect("checks");
    assert_eq!(verdict.stages[0].checks.len(), course.checks.len());
}

/// `HEPTAVISOR_REPEATS=50` asks for more.
#[test]
fn the_verdict_is_the_same_to_the_byte_under_any_load() {
    let asked = std::env::var("HEPTAVISOR_REPEATS").ok();
    let repeats = asked.and_then(|number| number.parse().ok()).unwrap_or(4);
    let grade = || {
        let grading = Grading {
            seed: 7,
            ..Grading::of(vec![v1()])
        };
        grading.run(&workspace(), |_| {}).expect("a verdict").json()
    };
    let first = grade();
    thread::scope(|scope| {
        // All at once: each is the others' load.
        let others: Vec<_> = (0..repeats).map(|_| scope.spawn(grade)).collect();
        for other in others {
            assert_eq!(other.join().expect("a grading"), first);
        }
    });
}

#[test]
fn guests_that_end_by_themselves_print_what_is_kept() {
    for guest in ["compute", "keeper", "ports", "string-ports"] {
        let run = run(guest, |order| order);
        let console = String::from_utf8(run.evidence.console.clone()).expect("text");
        keep(&format!("console-{guest}"), &console);
        let kept = snapshot::read(&workspace(), "v1", &format!("console-{guest}"));
        let kept = kept.expect("a snapshot");
        assert_eq!(
            kept, run.evidence.console,
            "the grader reads {guest} as it was written"
        );
    }
}

#[test]
fn the_trace_of_a_small_guest_is_kept() {
    for guest in ["halt", "undefined"] {
        let run = run(guest, |order| order.tick(100));
        let symbols = &run.image.symbols;
        keep(
            &format!("trace-{guest}"),
            &Text::new(symbols).all(&run.evidence.records),
        );
    }
}

/// Of the big ones what is the same for every right solution: traps other than
/// the timer's, and what the devices saw.
#[test]
fn the_traps_and_devices_of_the_workload_are_kept() {
    let run = run("compute", |order| order);
    let told = run
        .evidence
        .records
        .iter()
        .filter(|record| match record.event {
            Event::Trap { trap, .. } => trap != common::Trap::Budget,
            Event::Device(_) | Event::Inject(_) => true,
            _ => false,
        });
    keep("trace-compute", &Text::new(&run.image.symbols).all(told));
}

#[test]
fn the_exits_of_the_reference_are_kept() {
    let mut table = String::new();
    for guest in guests::v1::guests() {
        let run = run(guest.name, |order| order.limit(2_000_000));
        let end = run.evidence.end.as_ref().expect("an end");
        let exits: Vec<_> = end
            .exits
            .iter()
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect();
        let fate = Fate::of(&run);
        table += &format!("{:14} {}\n{:14} {fate}\n", guest.name, exits.join(", "), "");
    }
    keep("exits", &table);
}
