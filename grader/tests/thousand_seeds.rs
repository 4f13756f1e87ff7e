//! A thousand orders of the versions with several physical CPUs: in each of them
//! every VM does what its model says, and no invariant breaks.
//!
//! Half of the orders are fair, half are as bad as the seed can make them.

mod support;

use evidence::host::{Order, Outcome};
use lab::checks::HostRun;
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use support::{stage, workspace};

/// Seeds of each kind of order for each set of VMs.
const SEEDS: u64 = 250;
/// Seconds of the host's CPU for one such sweep, which takes a few.
const PATIENCE: u64 = 300;

fn hold(version: &'static str, pcpus: usize, guests: &[&str]) {
    let runner = match compile(stage(version), &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    };
    for order in [Order::Fair(1), Order::Adversarial(1)] {
        let vms = guests.iter().zip(1..).map(|(guest, seed)| {
            let guest = Guest::find(guest, stage(version)).expect("a guest");
            VmOrder::new(guest, seed)
        });
        let sweep = HostOrder::new(vms)
            .pcpus(pcpus)
            .order(order)
            .seeds(SEEDS)
            .patience(PATIENCE);
        let observation = observe_host(&runner, sweep, |_| {}).expect("runs");
        let runs = HostRun::all(version, observation);
        assert_eq!(runs.len() as u64, SEEDS);
        for run in runs {
            run.expect_no_violations()
                .and_then(|()| run.expect_models())
                .unwrap_or_else(|problem| panic!("{}: {problem:?}", run.command()));
            let over = run.evidence().end.as_ref().and_then(|end| end.outcome);
            assert_eq!(over, Some(Outcome::Done), "{}", run.command());
        }
    }
}

#[test]
fn version_6_holds_its_invariants() {
    hold("v6", 2, &["talker", "patterns", "talker"]);
    hold("v6", 3, &["talker", "talker", "keeper", "user"]);
}

#[test]
fn version_7_holds_its_invariants() {
    hold("v7", 2, &["ping-pong", "broadcast"]);
    hold("v7", 3, &["busy-target", "stopper"]);
}
