//! v6-E1: a VM takes everything along.

use super::{expect_sound, vm};
use crate::checks::{Bench, Problem};
use crate::host_order::HostOrder;
use evidence::host::Order;

pub(super) fn contexts_survive(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        // They come and go at different times, so that the loads keep changing.
        let talker = |seed| vm("talker", seed).home(0).guest_tick(5_000);
        let patterns = (0..5).map(|number| {
            let patterns = vm("patterns", seed + number).home(0);
            patterns
                .weight(100 + 50 * number as u32)
                .start(60_000 * number)
        });
        let others = [
            talker(seed),
            talker(seed + 1),
            vm("tenant", seed).home(0),
            vm("interrupt-heavy", seed).home(1).start(300_000),
        ];
        let vms = patterns.chain(others);
        let order = HostOrder::new(vms).pcpus(3).order(Order::Fair(seed));
        let run = bench.run_host(order)?;
        expect_sound(&run)?;
        run.expect_models()?;
        if run.vms().all(|vm| run.migrations(vm).is_empty()) {
            let failure = run.failure(
                "somebody moves, as VMs come, sleep, wake and end",
                "nobody ever moved",
                None,
                None,
            );
            return Err(failure
                .thought(
                    "where does a VM wait when its own physical CPU is busy, and who fetches it?",
                )
                .into());
        }
    }
    Ok(())
}
