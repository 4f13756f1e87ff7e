//! v7-E4 and v7-E5: vCPUs that wait for one that does not run.

use super::{right_runs, vm};
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::host_order::HostOrder;
use crate::text;
use common::trace::{Event, VcpuName};
use common::{Exit, Time};
use evidence::host::{Order, Policy};
use std::collections::BTreeMap;

/// Seeds that a guest is made from.
const SEEDS: u64 = 3;
/// The same of one that takes its time.
const FEW: u64 = 1;
/// Seeds for the order of two physical CPUs, with each of those.
const ORDERS: u64 = 2;

/// Of the waiting that there is without spin exits, so many percent at most are
/// left with them; for the lock that is first come, first served. (Right
/// solutions leave 6 to 15.)
const TICKET: u64 = 40;
/// The same for the lock of whoever is fastest. (38 to 76, as a spinner may well
/// ask for the wrong sibling.)
const FASTEST: u64 = 90;
/// The same if the guest says for whom it waits. (20 to 56.)
const NAMED: u64 = 70;

pub(super) fn spinning_gives_way(bench: &Bench<'_>) -> Result<(), Problem> {
    waits_less(bench, "contended-ticket", Policy::SpinExits, FEW, TICKET)?;
    waits_less(bench, "contended", Policy::SpinExits, SEEDS, FASTEST)
}

pub(super) fn the_guest_says_for_whom(bench: &Bench<'_>) -> Result<(), Problem> {
    waits_less(bench, "contended-yield", Policy::YieldPort, SEEDS, NAMED)
}

/// Passes if `policy` leaves at most so many percent of the waiting for the lock
/// of `guest` that there is without it: on one physical CPU and on two, with
/// several seeds, all else equal.
fn waits_less(
    bench: &Bench<'_>,
    guest: &str,
    policy: Policy,
    seeds: u64,
    percent: u64,
) -> Result<(), Problem> {
    // With one physical CPU the order is always the same.
    for (pcpus, orders) in [(1, 1), (2, ORDERS)] {
        let runs = |policy| {
            let order = |seed| behind_a_hog(guest, seed, pcpus).seeds(orders);
            of_each_seed(bench, seeds, |seed| order(seed).policy(policy))
        };
        let (without, with) = (runs(Policy::None)?, runs(policy)?);
        let [before, after] = [&without, &with].map(|runs| runs.iter().map(waited).sum::<u64>());
        if before == 0 || after * 100 > before * percent {
            return Err(too_long(&with[0], before, after, percent).into());
        }
    }
    Ok(())
}

fn behind_a_hog(guest: &str, seed: u64, pcpus: usize) -> HostOrder {
    let order = HostOrder::new([vm("hog", seed), vm(guest, seed)]);
    order.pcpus(pcpus).order(Order::Fair(seed)).patience(30)
}

/// The runs of orders made from so many seeds.
fn of_each_seed(
    bench: &Bench<'_>,
    seeds: u64,
    order: impl Fn(u64) -> HostOrder,
) -> Result<Vec<HostRun>, Problem> {
    let mut runs = Vec::new();
    for seed in bench.seed..bench.seed + seeds {
        runs.append(&mut right_runs(bench, order(seed))?);
    }
    Ok(runs)
}

/// For how long the vCPUs of VM 1 waited for its lock.
fn waited(run: &HostRun) -> u64 {
    let total = run.probe(1, "lock_wait_total");
    total.map_or(0, |total| total[0])
}

fn too_long(run: &HostRun, before: u64, after: u64, percent: u64) -> Failure {
    let [before_text, after_text] = [before, after].map(|ticks| Time(ticks).to_string());
    run.failure(
        format!(
            "in all runs together the vCPUs wait for the lock at most {percent} % of the \
             {before_text} ticks that they wait if nothing is done about it"
        ),
        format!(
            "they wait {after_text} ticks, which is {} %",
            after * 100 / before.max(1)
        ),
        None,
        None,
    )
    .thought(
        "the holder of the lock waits for a physical CPU. Who could make room for it, and does it \
         get the turn, or somebody else?",
    )
}

/// Of the spin loops that are reported while the sibling runs, so many percent at
/// most may be followed by somebody else's turn. (Right solutions do not yield
/// then; but a slice may be over at that moment.)
const IN_VAIN: usize = 20;

pub(super) fn no_yield_for_nothing(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let vms = ["contended-pair", "hog", "hog"].map(|name| vm(name, seed));
        let order = HostOrder::new(vms).pcpus(2).policy(Policy::SpinExits);
        let run = bench.run_host(order.order(Order::Fair(seed)))?;
        run.expect_no_violations()?;
        run.expect_models()?;
        let spins = Spins::of(&run);
        match spins.in_vain.first() {
            _ if spins.all == 0 => return Err(nothing_reported(&run).into()),
            Some(&first) if spins.in_vain.len() * 100 > spins.all * IN_VAIN => {
                return Err(spins.too_many(&run, first).into());
            }
            _ => {}
        }
    }
    Ok(())
}

fn nothing_reported(run: &HostRun) -> Failure {
    let expected = "spin loops are reported while a vCPU waits for its sibling";
    run.failure(expected, "not one", None, None)
        .thought("who puts the pause filter into the context, and what becomes of its trap?")
}

/// The spin loops that were reported while every sibling was on a physical CPU.
#[derive(Default)]
struct Spins {
    all: usize,
    /// The records of those after which somebody else ran there at once.
    in_vain: Vec<usize>,
}

impl Spins {
    /// Those of VM 0, which has two vCPUs.
    fn of(run: &HostRun) -> Spins {
        let mut spins = Spins::default();
        let mut running: BTreeMap<usize, VcpuName> = BTreeMap::new();
        let mut spun = BTreeMap::new();
        for (at, record) in run.evidence().records.iter().enumerate() {
            let pcpu = record.pcpu;
            let last = spun.remove(&pcpu);
            match record.event {
                Event::Runs(name) => {
                    running.insert(pcpu, name);
                    spins.in_vain.extend(last);
                }
                Event::Idle => drop(running.remove(&pcpu)),
                Event::Exit(Exit::SpinLoop) if both_run(&running) => {
                    spins.all += 1;
                    spun.insert(pcpu, at);
                }
                _ => {}
            }
        }
        spins
    }

    fn too_many(&self, run: &HostRun, first: usize) -> Failure {
        run.failure(
            "who spins while its sibling runs keeps its physical CPU",
            format!(
                "after {} of {} somebody else ran there at once",
                self.in_vain.len(),
                text::count(self.all, "such report")
            ),
            None,
            Some(first),
        )
        .thought("the sibling runs already. For whom was the turn given away?")
    }
}

/// Whether both vCPUs of VM 0 are on a physical CPU.
fn both_run(running: &BTreeMap<usize, VcpuName>) -> bool {
    running.values().filter(|name| name.vm == 0).count() == 2
}
