//! What a VM with many vCPUs does to others: nothing.

use super::{right_runs, vm};
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::host_order::HostOrder;
use common::Time;
use evidence::host::{Order, Policy};

pub(super) fn others_are_unharmed(bench: &Bench<'_>) -> Result<(), Problem> {
    waits_for_nobody(bench)?;
    for (guest, policy) in [
        ("contended", Policy::None),
        ("contended", Policy::SpinExits),
        ("contended-yield", Policy::YieldPort),
        ("contended", Policy::CoScheduling),
    ] {
        for pcpus in [1, 2] {
            let order = beside_hogs(guest, pcpus, bench.seed).policy(policy);
            hogs_keep_their_share(&bench.run_host(order)?)?;
        }
    }
    Ok(())
}

/// Who waits for vCPUs that do not exist gets nothing, and takes nothing.
fn waits_for_nobody(bench: &Bench<'_>) -> Result<(), Problem> {
    for policy in [Policy::None, Policy::YieldPort] {
        let vms = ["hog", "waits-for-nobody", "talker"].map(|name| vm(name, bench.seed));
        let order = HostOrder::new(vms).pcpus(2).policy(policy);
        right_runs(bench, order.order(Order::Fair(bench.seed)).seeds(3))?;
    }
    Ok(())
}

/// The guest spins for longer than this, whatever is done about it.
const LIMIT: u64 = 500_000;

/// The vCPUs of the guest.
const VCPUS: u64 = 4;

/// Of what is a hog's due, so many percent at least it must have. (Right
/// solutions give it 87 or more; turns are long, and time is short.)
const DUE: u64 = 75;

/// A guest of four vCPUs that spins, behind a hog for each physical CPU.
fn beside_hogs(guest: &str, pcpus: usize, seed: u64) -> HostOrder {
    let hogs = (0..pcpus).map(|_| vm("hog-for-ever", seed));
    let vms = hogs.chain([vm(guest, seed)]);
    let order = HostOrder::new(vms).pcpus(pcpus).limit(LIMIT);
    order.order(Order::Fair(seed))
}

fn hogs_keep_their_share(run: &HostRun) -> Result<(), Problem> {
    run.expect_no_violations()?;
    let hogs = run.order.scenario.pcpus as u64;
    let due = hogs * LIMIT * hogs / (hogs + VCPUS);
    let ran = (0..hogs as u32).map(|vm| run.ran(vm)).sum();
    match ran * 100 < due * DUE {
        true => Err(too_little(run, ran, due).into()),
        false => Ok(()),
    }
}

fn too_little(run: &HostRun, ran: u64, due: u64) -> Failure {
    let [ran, due] = [ran, due].map(|ticks| Time(ticks).to_string());
    run.failure(
        format!("the hogs run for about {due} ticks, which is their share beside {VCPUS} vCPUs"),
        format!("they run for {ran}"),
        None,
        None,
    )
    .thought("whose time does a vCPU spend that is promoted, and what does it give back later?")
}
