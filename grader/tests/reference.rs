//! The reference: full marks, and its snapshots.

mod support;

use common::Trap;
use common::trace::{Device, Event, Record, Text};
use lab::checks::Course;
use lab::cli::EngineName;
use lab::compile::{Compiled, compile};
use lab::fate::Fate;
use lab::grade::{Grading, SEED};
use lab::guest::Guest;
use lab::observation::{Observation, Order, observe};
use lab::snapshot;
use lab::stages::Stage;
use lab::verdict::StageVerdict;
use std::path::PathBuf;
use support::{graded, kvm_can_run, stage, tell, workspace};

fn runner(stage: &Stage) -> PathBuf {
    match compile(stage, &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

fn run(stage: &Stage, guest: &str, arrange: impl FnOnce(Order) -> Order) -> Observation {
    let guest = Guest::find(guest, stage).expect("a guest");
    let order = arrange(guest.order(1));
    observe(&runner(stage), &order, |_| {}).expect("a run")
}

/// Compares with a snapshot, or writes it (`INSTA_UPDATE=always`).
fn keep(stage: &Stage, name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => format!("../snapshots/{}", stage.name),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_reference_gets_every_point_on_every_engine_that_works_here() {
    for stage in graded() {
        let verdict = full_marks(stage, EngineName::Interp, SEED);
        let course = Course::of(stage).expect("checks");
        assert_eq!((verdict.points, verdict.skipped), (100, 0));
        assert_eq!(verdict.checks.len(), course.checks.len());
        if kvm_can_run(stage) {
            let verdict = full_marks(stage, EngineName::Kvm, SEED);
            assert_eq!(verdict.of + verdict.skipped, 100);
        } else {
            tell(&format!("{} on kvm: cannot run here", stage.name));
        }
    }
}

/// Seeds that no check was written with; `seeds` has more.
#[test]
fn the_reference_gets_every_point_with_the_first_and_the_last_seed() {
    for stage in graded() {
        for seed in [0, u64::MAX] {
            full_marks(stage, EngineName::Interp, seed);
        }
    }
}

/// The verdict on the reference, which has lost no point.
fn full_marks(stage: &'static Stage, engine: EngineName, seed: u64) -> StageVerdict {
    let grading = Grading {
        engine,
        seed,
        ..Grading::of(vec![stage])
    };
    let mut verdict = grading.run(&workspace(), |_| {}).expect("a verdict");
    assert_eq!(verdict.exit_code(), 0, "{}", verdict.json());
    let verdict = verdict.stages.remove(0);
    let StageVerdict {
        points,
        of,
        skipped,
        ..
    } = verdict;
    let (name, engine) = (stage.name, engine.name());
    tell(&format!(
        "{name} on {engine}, seed {seed}: {points} of {of} points, {skipped} skipped"
    ));
    assert_eq!(points, of);
    verdict
}

/// For each version the guests whose console is kept: those that print and end.
const CONSOLES: [(&str, &[&str]); 4] = [
    ("v1", &["compute", "keeper", "ports", "string-ports"]),
    (
        "v2",
        &["ticks", "masked", "exceptions", "no-gate", "idle", "storm"],
    ),
    ("v3", &["user", "segments", "intruder"]),
    ("v4", &["cooperate", "preempt", "sleepers", "fork-bomb"]),
];

#[test]
fn guests_that_end_by_themselves_print_what_is_kept() {
    for (stage, guest) in of_each(&CONSOLES) {
        let run = run(stage, guest, |order| order);
        let console = String::from_utf8(run.evidence.console.clone()).expect("text");
        keep(stage, &format!("console-{guest}"), &console);
        let kept = snapshot::read(&workspace(), stage.name, &format!("console-{guest}"));
        let kept = kept.expect("a snapshot");
        assert_eq!(
            kept, run.evidence.console,
            "the grader reads {guest} as it was written"
        );
    }
}

/// The guests whose whole trace is short enough to be read.
const TRACES: [(&str, &[&str]); 3] = [
    ("v1", &["halt", "undefined"]),
    ("v2", &["double-fault", "no-gate-at-all", "broken-stack"]),
    ("v3", &["broken-tss-missing"]),
];

#[test]
fn the_trace_of_a_small_guest_is_kept() {
    for (stage, guest) in of_each(&TRACES) {
        let run = run(stage, guest, |order| order.tick(100));
        let symbols = &run.image.symbols;
        keep(
            stage,
            &format!("trace-{guest}"),
            &Text::new(symbols).all(&run.evidence.records),
        );
    }
}

/// Of the big ones what is the same for every right solution: traps other than
/// the timer's, injections, and what the devices saw but for the console.
const WORKLOADS: [(&str, &[&str]); 4] = [
    ("v1", &["compute"]),
    ("v2", &["idle", "ticks"]),
    ("v3", &["user"]),
    ("v4", &["sleepers"]),
];

#[test]
fn the_traps_and_devices_of_the_workload_are_kept() {
    /// Enough to see each thing once, and few enough to read.
    const LINES: usize = 265;
    /// Short, so that ticks come soon.
    const TICK: u32 = 509;
    for (stage, guest) in of_each(&WORKLOADS) {
        let run = run(stage, guest, |order| order.guest_tick(TICK));
        let told = run
            .evidence
            .records
            .iter()
            .filter(|record| is_told(stage, record));
        let told = told.take(LINES);
        keep(
            stage,
            &format!("trace-{guest}"),
            &Text::new(&run.image.symbols).all(told),
        );
    }
}

fn is_told(stage: &Stage, record: &Record) -> bool {
    use common::SystemInstruction::{In, Out};
    let console = |instruction| matches!(instruction, In { .. } | Out { .. });
    match record.event {
        Event::Trap {
            trap: Trap::Budget, ..
        } => false,
        Event::Trap {
            trap: Trap::System { instruction, .. },
            ..
        } => stage.name == "v1" || !console(instruction),
        Event::Device(access) => stage.name == "v1" || access.device != Device::Serial,
        Event::Trap { .. } | Event::Inject(_) => true,
        Event::Enter { .. } | Event::Exit(_) | Event::Runs(_) | Event::Idle => false,
    }
}

/// Version 1 has guests that never end by themselves.
fn limit(stage: &Stage) -> u64 {
    match stage.name {
        "v1" => 2_000_000,
        _ => 20_000_000,
    }
}

/// From version 5 on what is kept is of sets of VMs: see `show_pieces`.
#[test]
fn the_exits_of_the_reference_are_kept() {
    let single = graded().into_iter().filter(|stage| !stage.has_many_vms());
    for stage in single {
        let mut table = String::new();
        for guest in Guest::made_for(stage) {
            let name = guest.name();
            let run = run(stage, name, |order| order.limit(limit(stage)));
            let end = run.evidence.end.as_ref().expect("an end");
            let exits: Vec<_> = end
                .exits
                .iter()
                .map(|(kind, n)| format!("{n} {kind}"))
                .collect();
            let fate = Fate::of(&run);
            table += &format!("{name:14} {}\n{:14} {fate}\n", exits.join(", "), "");
        }
        keep(stage, "exits", &table);
    }
}

/// Each guest of a list, with its version.
fn of_each(
    lists: &'static [(&str, &[&str])],
) -> impl Iterator<Item = (&'static Stage, &'static str)> {
    lists
        .iter()
        .flat_map(|(name, guests)| guests.iter().map(|guest| (stage(name), *guest)))
}
