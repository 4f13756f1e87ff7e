//! v7-E2: interrupts from one vCPU to another.

use super::{right_runs, vm};
use crate::checks::{Bench, Problem};
use crate::host_order::HostOrder;
use evidence::host::{Deed, Order};

/// Seeds in each sweep.
const SEEDS: u64 = 12;
/// The same of a guest that takes its time.
const FEW: u64 = 3;

/// Two VMs of a guest on so many physical CPUs.
fn two_of(bench: &Bench<'_>, guest: &str, pcpus: usize) -> HostOrder {
    let vms = [vm(guest, bench.seed), vm(guest, bench.seed + 1)];
    HostOrder::new(vms).pcpus(pcpus)
}

/// Runs them on one physical CPU, on several, and in the worst of orders.
fn in_every_order(bench: &Bench<'_>, guest: &str, seeds: u64) -> Result<(), Problem> {
    let seed = bench.seed;
    right_runs(bench, two_of(bench, guest, 1).order(Order::Fair(seed)))?;
    for (pcpus, order) in [
        (2, Order::Fair(seed)),
        (3, Order::Fair(seed)),
        (2, Order::Adversarial(seed)),
        (4, Order::Adversarial(seed)),
    ] {
        let order = two_of(bench, guest, pcpus).order(order);
        right_runs(bench, order.seeds(seeds))?;
    }
    Ok(())
}

pub(super) fn no_wake_is_lost(bench: &Bench<'_>) -> Result<(), Problem> {
    in_every_order(bench, "ping-pong", SEEDS)?;
    right_runs(bench, standing_still(bench))?;
    Ok(())
}

/// Whatever comes for a vCPU while its VM is paused is there when it goes on.
fn standing_still(bench: &Bench<'_>) -> HostOrder {
    let order = two_of(bench, "ping-pong", 2).order(Order::Fair(bench.seed));
    (1..5).fold(order.seeds(SEEDS), |order, time| {
        let order = order.at(5_000 * time, Deed::Pause(0));
        order.at(5_000 * time + 2_000, Deed::Resume(0))
    })
}

pub(super) fn interrupts_reach_their_targets(bench: &Bench<'_>) -> Result<(), Problem> {
    in_every_order(bench, "broadcast", SEEDS)
}

pub(super) fn closed_means_held(bench: &Bench<'_>) -> Result<(), Problem> {
    in_every_order(bench, "busy-target", FEW)
}
