//! v6-E2 and v6-E4: a VM runs only where it may.

use super::{expect_sound, fair, hog, vm};
use crate::checks::{Bench, HostRun, Problem};
use crate::host_order::{HostOrder, VmOrder};

pub(super) fn affinity_is_kept(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let sets: [Vec<VmOrder>; 2] = [
        // Two pCPUs idle beside a crowded one.
        vec![
            hog(100, 0).affinity(0b001),
            hog(100, 0).affinity(0b001),
            hog(100, 0).affinity(0b001),
            vm("talker", seed).home(0).affinity(0b001),
        ],
        // Some may move, and some may not.
        vec![
            hog(100, 0).affinity(0b001),
            hog(100, 0).affinity(0b011),
            hog(100, 0),
            hog(100, 0),
            vm("talker", seed).home(0).affinity(0b101),
            vm("talker", seed + 1).home(1).affinity(0b010),
        ],
    ];
    for set in sets {
        for order in fair(seed) {
            let order = HostOrder::new(set.clone())
                .pcpus(3)
                .order(order)
                .limit(600_000);
            let run = bench.run_host(order)?;
            expect_sound(&run)?;
            expect_kept(&run)?;
        }
    }
    Ok(())
}

fn expect_kept(run: &HostRun) -> Result<(), Problem> {
    for stay in run.stays() {
        let setup = &run.order.vms[stay.vcpu.vm as usize].setup;
        let mask = setup.affinity.unwrap_or(u64::MAX);
        if mask >> stay.pcpu & 1 == 0 {
            let failure = run.failure(
                format!("{} runs only on the pcpus of the mask {mask:#b}", stay.vcpu),
                format!("at {} it came to pcpu {}", stay.from, stay.pcpu),
                None,
                Some(stay.at),
            );
            return Err(failure
                .thought("who put it there, and had they asked where it may run?")
                .into());
        }
    }
    Ok(())
}
