//! v6-E6: what an owner asks while a VM may run elsewhere.

use super::{SLICE, expect_sound, hog, vm};
use crate::checks::{Bench, HostRun, Problem};
use crate::fate::Fate;
use crate::host_order::HostOrder;
use common::Ending;
use evidence::host::{Deed, Order};

/// How late a wish may be granted.
const GRACE: u64 = SLICE / 2;

/// How far the clock of one physical CPU may be behind the one by which a command
/// is carried out.
const SKEW: u64 = 1_000;

/// The times of the commands move by this from run to run, so that they find
/// each VM in every state.
const STEP: u64 = 1_300;

pub(super) fn owners_reach_running_vms(bench: &Bench<'_>) -> Result<(), Problem> {
    for number in 0..6 {
        let later = |time: u64| time + number * STEP;
        let vms = [
            hog(100, 0),
            hog(100, 0),
            hog(100, 1),
            vm("patterns", bench.seed).home(1),
            vm("talker", bench.seed).home(0),
        ];
        let order = HostOrder::new(vms)
            .pcpus(2)
            .order(Order::Fair(bench.seed + number))
            .at(later(50_000), Deed::Pause(0))
            .at(later(60_500), Deed::Pause(3))
            .at(later(71_000), Deed::Pause(4))
            .at(later(90_000), Deed::ShutDown(1))
            .at(later(200_000), Deed::Resume(0))
            .at(later(210_000), Deed::Resume(3))
            .at(later(220_000), Deed::Resume(4))
            .at(later(300_000), Deed::ShutDown(2))
            // It may still be running: the stronger wish must win.
            .at(later(300_000), Deed::Pause(2))
            .limit(1_500_000);
        let run = bench.run_host(order)?;
        expect_sound(&run)?;
        for vm in [1, 2] {
            run.expect_ending(vm, Ending::Stopped)?;
        }
        run.expect_models()?;
        for (vm, from, to) in [
            (0, 50_000, 200_000),
            (3, 60_500, 210_000),
            (4, 71_000, 220_000),
        ] {
            expect_paused(&run, vm, later(from) + GRACE, later(to) - SKEW)?;
        }
    }
    one_that_never_comes_back(bench)
}

/// Passes if a VM is on no physical CPU in that time, and is on one later.
fn expect_paused(run: &HostRun, vm: u32, from: u64, to: u64) -> Result<(), Problem> {
    let stays: Vec<_> = run
        .stays()
        .into_iter()
        .filter(|stay| stay.vcpu.vm == vm)
        .collect();
    let there = stays
        .iter()
        .find(|stay| stay.from.0 < to && stay.to.0 > from);
    let failure = match (there, stays.last()) {
        (Some(there), _) => run.failure(
            format!("vm {vm} is on no pcpu from {from} to {to}, since it is paused"),
            format!(
                "it was on pcpu {} from {} to {}",
                there.pcpu, there.from, there.to
            ),
            None,
            Some(there.at),
        ),
        (None, Some(last)) if last.from.0 >= to => return Ok(()),
        (None, _) => run.failure(
            format!("vm {vm} runs again after {to}, when it is resumed"),
            "it did not run any more",
            Some(vm),
            None,
        ),
    };
    Err(failure
        .thought("who may take a VM off its physical CPU, and what tells that one to look?")
        .into())
}

/// Its slice never ends, and each physical CPU has a thread of its own: only a
/// kick brings it back.
fn one_that_never_comes_back(bench: &Bench<'_>) -> Result<(), Problem> {
    for wish in [Deed::Pause(0), Deed::ShutDown(0)] {
        let order = HostOrder::new([hog(100, 1).affinity(0b10)])
            .pcpus(2)
            .order(Order::Threads)
            .slice(1 << 40)
            .limit(1 << 40)
            // By a clock of the host, in nanoseconds, while it already runs.
            .at(20_000_000, wish)
            .at(40_000_000, Deed::ShutDown(0));
        let run = bench.run_host(order)?;
        if run.fate == Some(Fate::Hung) {
            let failure = run.failure(
                "a VM that runs on pcpu 1 for ever leaves it when pcpu 0 is asked for that",
                "it ran on, and nobody stopped it",
                None,
                None,
            );
            return Err(failure
                .thought(
                    "a wish is only a note. What makes a physical CPU that is busy with its guest \
                     look at the note?",
                )
                .into());
        }
        run.expect_no_violations()?;
        run.expect_ending(0, Ending::Stopped)?;
    }
    Ok(())
}
