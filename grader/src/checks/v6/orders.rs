//! All of it together, in many orders of the physical CPUs.

use super::{expect_sound, vm};
use crate::checks::{Bench, Problem};
use crate::host_order::HostOrder;
use evidence::host::{Deed, Order};

/// How many seeds each kind of order is tried with.
const SEEDS: u64 = 10;

/// How often threads are let loose.
const ROUNDS: u64 = 4;

/// Seconds for all seeds together.
const PATIENCE: u64 = 40;

/// VMs of every kind, that all end soon.
fn mixed(seed: u64) -> HostOrder {
    let vms = [
        vm("talker", seed).home(0).guest_tick(5_000),
        vm("talker", seed + 1).home(0).guest_tick(3_000),
        vm("patterns", seed).home(0),
        vm("patterns", seed + 1).home(1).weight(300),
        vm("sleeper", seed).guest_tick(30_000),
        vm("patterns", seed + 2).home(0).affinity(0b011),
    ];
    HostOrder::new(vms).pcpus(3)
}

pub(super) fn nobody_is_lost(bench: &Bench<'_>) -> Result<(), Problem> {
    for first in [Order::Fair(bench.seed), Order::Adversarial(bench.seed)] {
        let order = mixed(bench.seed)
            .order(first)
            .seeds(SEEDS)
            .patience(PATIENCE)
            .at(20_000, Deed::Unplug(1))
            .at(30_000, Deed::Pause(3))
            .at(55_000, Deed::Pause(0))
            .at(70_000, Deed::Plug(1))
            .at(80_000, Deed::Unplug(0))
            .at(90_000, Deed::Resume(3))
            .at(110_000, Deed::Resume(0))
            .at(120_000, Deed::Plug(0))
            .at(130_000, Deed::ShutDown(5));
        for run in bench.sweep(order)? {
            expect_sound(&run)?;
            run.expect_models()?;
        }
    }
    Ok(())
}

/// A sleeper whose tick comes while a hog has its physical CPU, and the other one
/// has been asleep for long: threads alone meet that only now and then. Where a
/// physical CPU idles, a tick is a nanosecond of the host.
fn wakes_beside_a_hog(seed: u64) -> HostOrder {
    const NAP: u32 = 21_000_000;
    let hogs = [20_000_000, 41_000_000, 62_000_000];
    let hogs = hogs.map(|start| vm("hog", seed).home(0).start(start));
    let sleeper = vm("sleeper", seed).home(0).guest_tick(NAP);
    HostOrder::new([sleeper].into_iter().chain(hogs)).pcpus(2)
}

pub(super) fn threads_change_nothing(bench: &Bench<'_>) -> Result<(), Problem> {
    let rounds = (0..ROUNDS).map(|round| {
        let order = mixed(bench.seed + round);
        order.pcpus(2 + round as usize % 3)
    });
    for order in [wakes_beside_a_hog(bench.seed)].into_iter().chain(rounds) {
        let order = order.order(Order::Threads).limit(u64::MAX);
        let run = bench.run_host(order)?;
        run.expect_no_violations()?;
        run.expect_models()?;
    }
    Ok(())
}
