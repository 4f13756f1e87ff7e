//! v6-E2 and v6-E4: who is moved, and who is not.

use super::{expect_sound, fair, hog, vm};
use crate::checks::{Bench, HostRun, Problem, Stay};
use crate::host_order::{HostOrder, VmOrder};
use evidence::host::Order;
use std::collections::BTreeSet;

/// Time enough to spread any of these sets: each physical CPU looks at the others
/// every eight slices.
const SPREAD: u64 = 400_000;

/// The end of time.
const LIMIT: u64 = 900_000;

fn run(bench: &Bench<'_>, vms: &[VmOrder], pcpus: usize, order: Order) -> Result<HostRun, Problem> {
    let order = HostOrder::new(vms.iter().cloned())
        .pcpus(pcpus)
        .order(order)
        .limit(LIMIT);
    let run = bench.run_host(order)?;
    expect_sound(&run)?;
    Ok(run)
}

pub(super) fn balanced_is_left_alone(bench: &Bench<'_>) -> Result<(), Problem> {
    let sets = [
        vec![hog(100, 0), hog(100, 0), hog(100, 1), hog(100, 1)],
        vec![hog(300, 0), hog(100, 1), hog(100, 1), hog(100, 1)],
        // Not equal, and no move makes it more so.
        vec![hog(100, 0), hog(100, 0), hog(100, 1)],
    ];
    for set in &sets {
        for order in fair(bench.seed) {
            expect_no_moves(&run(bench, set, 2, order)?, 0)?;
        }
    }
    sleepers_stay(bench)
}

/// Each has a physical CPU for itself, and wakes where it fell asleep.
fn sleepers_stay(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let set = [
        vm("sleeper", seed).home(0).guest_tick(50_000),
        vm("sleeper", seed + 1).home(1).guest_tick(70_000),
    ];
    for order in fair(seed) {
        let run = run(bench, &set, 2, order)?;
        let moved = run.vms().find_map(|vm| run.migrations(vm).first().copied());
        if let Some(moved) = moved {
            return Err(woke_elsewhere(&run, moved));
        }
    }
    Ok(())
}

fn woke_elsewhere(run: &HostRun, moved: Stay) -> Problem {
    let failure = run.failure(
        format!(
            "{} wakes on pcpu {}, where it fell asleep: nobody else is there",
            moved.vcpu,
            1 - moved.pcpu
        ),
        format!("at {} it woke on pcpu {}", moved.from, moved.pcpu),
        None,
        Some(moved.at),
    );
    failure
        .thought(
            "what it used last may still be in the caches of one physical CPU. Is that one asked \
             before the others whether it is free?",
        )
        .by("v6-E2")
        .into()
}

pub(super) fn all_on_one_spread_and_stay(bench: &Bench<'_>) -> Result<(), Problem> {
    for order in fair(bench.seed) {
        let run = run(bench, &vec![hog(100, 0); 8], 4, order)?;
        for pcpu in 0..4 {
            expect_on(&run, pcpu, 2)?;
        }
        expect_no_moves(&run, SPREAD)?;
    }
    Ok(())
}

pub(super) fn work_is_balanced(bench: &Bench<'_>) -> Result<(), Problem> {
    let set = [hog(300, 0), hog(100, 0), hog(100, 0), hog(100, 0)];
    for order in fair(bench.seed) {
        let run = run(bench, &set, 2, order)?;
        let heavy = late_stays(&run).find(|stay| stay.vcpu.vm == 0);
        let Some(heavy) = heavy else {
            let expected = "the VM of weight 300 runs";
            return Err(run.failure(expected, "it does not", None, None).into());
        };
        expect_on(&run, heavy.pcpu, 1)?;
        expect_on(&run, 1 - heavy.pcpu, 3)?;
    }
    Ok(())
}

/// The stays that end when all should have spread.
fn late_stays(run: &HostRun) -> impl Iterator<Item = Stay> {
    run.stays()
        .into_iter()
        .filter(|stay| stay.to.0 > SPREAD && stay.to > stay.from)
}

/// Passes if so many VMs use a physical CPU when all should have spread.
fn expect_on(run: &HostRun, pcpu: usize, wanted: usize) -> Result<(), Problem> {
    let late: BTreeSet<u32> = late_stays(run)
        .filter(|stay| stay.pcpu == pcpu)
        .map(|stay| stay.vcpu.vm)
        .collect();
    if late.len() == wanted {
        return Ok(());
    }
    let weights = || run.order.vms.iter().map(|vm| vm.setup.weight);
    let load = weights().sum::<u32>() / run.order.scenario.pcpus as u32;
    let seen: u32 = late
        .iter()
        .map(|vm| run.order.vms[*vm as usize].setup.weight)
        .sum();
    let failure = run.failure(
        format!("from {SPREAD} on pcpu {pcpu} has VMs of weight {load} together"),
        format!("vms {late:?} ran there, of weight {seen} together"),
        None,
        None,
    );
    Err(failure
        .thought(
            "what is the load of a physical CPU: how many wait there, or how much they count? And \
             when is the one moved that makes two loads more equal?",
        )
        .into())
}

/// Passes if nobody moves after `from`.
fn expect_no_moves(run: &HostRun, from: u64) -> Result<(), Problem> {
    let moves = run.vms().flat_map(|vm| run.migrations(vm));
    let mut moves: Vec<Stay> = moves.filter(|stay| stay.from.0 >= from).collect();
    moves.sort_by_key(|stay| stay.from);
    let Some(first) = moves.first() else {
        return Ok(());
    };
    let failure = run.failure(
        format!("nobody moves from {from} on: the loads cannot become more equal"),
        format!(
            "at {} {} moved to pcpu {}; {} moves in all",
            first.from,
            first.vcpu,
            first.pcpu,
            moves.len()
        ),
        None,
        Some(first.at),
    );
    Err(failure
        .thought(
            "what are the two loads before this move, and what are they after it? A move costs the \
             VM its warm caches: what did it bring?",
        )
        .by("v6-E4")
        .into())
}
