//! v7-E3: how a VM ends that has many vCPUs.

use super::{right_runs, vm};
use crate::checks::{Bench, Problem};
use crate::host_order::HostOrder;
use common::Ending;
use evidence::host::{Deed, Order};
use guests::catalogue;

/// Seeds in each sweep.
const SEEDS: u64 = 8;

/// Runs `guest` beside another VM, made from several seeds.
fn in_every_order(bench: &Bench<'_>, guest: &str) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 4 {
        for (pcpus, order, seeds) in [
            (1, Order::Fair(seed), 1),
            (2, Order::Fair(seed), SEEDS),
            (4, Order::Adversarial(seed), SEEDS),
        ] {
            right_runs(
                bench,
                beside_talker(guest, seed, pcpus).order(order).seeds(seeds),
            )?;
        }
    }
    Ok(())
}

fn beside_talker(guest: &str, seed: u64, pcpus: usize) -> HostOrder {
    HostOrder::new([vm(guest, seed), vm("talker", seed)]).pcpus(pcpus)
}

pub(super) fn one_ends_all(bench: &Bench<'_>) -> Result<(), Problem> {
    in_every_order(bench, "stopper")?;
    in_every_order(bench, "dying")?;
    the_first_ending_counts(bench)?;
    owner_ends_all(bench)
}

/// The owner wants it off when it is off already, and another VM still runs: it
/// keeps its exit code.
fn the_first_ending_counts(bench: &Bench<'_>) -> Result<(), Problem> {
    const LONG_AFTER: u64 = 400_000;
    let vms = ["stopper", "hog"].map(|name| vm(name, bench.seed));
    let order = HostOrder::new(vms).pcpus(2).order(Order::Fair(bench.seed));
    for run in right_runs(bench, order.at(LONG_AFTER, Deed::ShutDown(0)))? {
        if let Some(catalogue::Ending::Exit(code)) = run.expected(0).map(|model| model.ending) {
            run.expect_ending(0, Ending::Exited(code))?;
        }
    }
    Ok(())
}

/// The owner wants it off while it runs.
fn owner_ends_all(bench: &Bench<'_>) -> Result<(), Problem> {
    const MEANWHILE: u64 = 60_000;
    let order = beside_talker("together", bench.seed, 2).order(Order::Fair(bench.seed));
    let order = order.at(MEANWHILE, Deed::ShutDown(0)).seeds(SEEDS);
    for run in right_runs(bench, order)? {
        run.expect_ending(0, Ending::Stopped)?;
    }
    Ok(())
}

pub(super) fn the_last_one_ends_it(bench: &Bench<'_>) -> Result<(), Problem> {
    in_every_order(bench, "last-one-out")?;
    in_every_order(bench, "all-asleep")
}
