//! v7-E1: vCPUs that share a machine, and what each has to itself.

use super::{right_runs, vm};
use crate::checks::{Bench, Problem};
use crate::host_order::HostOrder;
use evidence::host::Order;

/// One physical CPU, as many as vCPUs, and what lies between.
const PCPUS: [usize; 3] = [1, 2, 4];

pub(super) fn vcpus_share_one_machine(bench: &Bench<'_>) -> Result<(), Problem> {
    for guest in ["together", "barrier"] {
        for (pcpus, seed) in PCPUS.into_iter().zip(bench.seed..) {
            let vms = [vm(guest, seed), vm("talker", seed)];
            let order = HostOrder::new(vms).pcpus(pcpus);
            right_runs(bench, order.order(Order::Fair(seed)))?;
        }
    }
    Ok(())
}

/// Short, so that each is taken off its physical CPU again and again.
const SHORT_SLICE: u64 = 1_500;

pub(super) fn every_vcpu_keeps_its_own(bench: &Bench<'_>) -> Result<(), Problem> {
    for (pcpus, seed) in PCPUS.into_iter().zip(bench.seed..) {
        let vms = [vm("patterns-smp", seed), vm("patterns", seed)];
        let order = HostOrder::new(vms).pcpus(pcpus).slice(SHORT_SLICE);
        right_runs(bench, order.order(Order::Adversarial(seed)))?;
    }
    Ok(())
}
