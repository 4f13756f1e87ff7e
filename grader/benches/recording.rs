//! What does it cost to record everything?
//!
//! ```text
//! cargo bench -p lab --bench recording
//! cargo bench -p lab --bench recording -- 31      so many samples
//! ```
//!
//! Workloads of the versions run on `interp` twice, one run right after the other:
//! with every record kept for the evidence, as `cargo lab trace` does it, and with
//! every record only counted. What is kept is written down when the guests are done,
//! which is no part of it.
//! The runners are those of `cargo lab`, in the profile in which students use them,
//! and the time is that which the runner itself takes for its guests; the parent
//! reads beside it. The median of the ratios is quoted.
//!
//! The column *between* says after how many ticks on average there is a record: what
//! the ring and the histogram cost, which nobody can switch off, depends on it (see
//! `cargo bench -p common --bench recorder`).

use evidence::Measured;
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use lab::observation::observe;
use lab::stages::Stage;
use lab::workspace::Workspace;
use std::path::Path;

/// Each workload: the version, and its guests.
const WORKLOADS: [(&str, &[&str]); 6] = [
    ("v1", &["compute"]),
    ("v2", &["ticks"]),
    ("v3", &["user"]),
    ("v4", &["preempt"]),
    ("v5", &["talker", "talker", "hog"]),
    ("v7", &["contended", "hog", "hog"]),
];

/// So often unless the command line says otherwise; `cargo test` does it once.
const SAMPLES: usize = 15;
/// The most that recording may cost.
const BOUND: f64 = 2.0;

/// What one run took, and how much there was to record.
struct Sample {
    seconds: f64,
    records: u64,
    ticks: u64,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let number = arguments.iter().find_map(|argument| argument.parse().ok());
    let samples = number.unwrap_or(if is_bench { SAMPLES } else { 1 });
    let grader = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = Workspace::at(grader.parent().expect("a workspace"));
    println!("recording everything (median of {samples})");
    println!(
        "{:8}{:24}{:>9}{:>9}{:>7}",
        "", "guests", "records", "between", "ratio"
    );
    let mut highest = 0.0_f64;
    for (version, guests) in WORKLOADS {
        let stage = Stage::find(version, &workspace).expect("a version");
        let Ok(Compiled::Runner(runner)) = compile(stage, &workspace) else {
            println!("{version:8}does not build");
            continue;
        };
        let mut ratios = Vec::new();
        let mut last = None;
        for _ in 0..samples {
            let all = run(stage, &runner, guests, u64::MAX);
            let none = run(stage, &runner, guests, 0);
            ratios.push(all.seconds / none.seconds);
            last = Some(all);
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let Sample { records, ticks, .. } = last.expect("one sample at least");
        let between = ticks / records.max(1);
        println!(
            "{version:8}{:24}{records:>9}{between:>9}{ratio:>7.2}",
            guests.join(", ")
        );
        highest = highest.max(ratio);
    }
    let verdict = if highest <= BOUND { "within" } else { "beyond" };
    println!("the highest is {highest:.2}: {verdict} the bound of {BOUND}");
}

fn run(stage: &'static Stage, runner: &Path, guests: &[&str], records: u64) -> Sample {
    let guest = |name: &str| Guest::find(name, stage).expect("a guest");
    if !stage.has_many_vms() {
        let mut order = guest(guests[0]).order(1);
        (order.scenario.records, order.scenario.measure) = (records, true);
        order.scenario.hold = true;
        let run = observe(runner, &order, |_| {}).expect("a run");
        let end = run.evidence.end.expect("an end");
        return sample(end.measured, end.records, end.now.0);
    }
    let vms = guests.iter().map(|name| VmOrder::new(guest(name), 1));
    let mut order = HostOrder::new(vms).pcpus(if stage.name == "v5" { 1 } else { 2 });
    (order.scenario.records, order.scenario.measure) = (records, true);
    order.scenario.hold = true;
    let mut run = observe_host(runner, order, |_| {}).expect("a run");
    let end = run.evidence.runs.remove(0).end.expect("an end");
    let ticks = end.clocks.iter().map(|clock| clock.0).sum();
    sample(end.measured, end.records, ticks)
}

fn sample(measured: Option<Measured>, records: u64, ticks: u64) -> Sample {
    Sample {
        seconds: measured.expect("it was asked for").took.as_secs_f64(),
        records,
        ticks,
    }
}
