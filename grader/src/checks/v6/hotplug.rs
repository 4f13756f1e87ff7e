//! v6-E5: a physical CPU goes, and comes back.

use super::spans::Span;
use super::{SLICE, expect_sound, fair, sleepers, vm};
use crate::checks::{Bench, HostRun, Problem};
use crate::host_order::HostOrder;
use evidence::host::Deed;

/// How long it may take until who runs there is gone: a step or two.
const GRACE: u64 = 3_000;

/// How long it may take until one that is back has something to do: somebody
/// always waits.
const BACK: u64 = 30_000;

/// When a physical CPU is away: its number, from when, until when. Each goes in the
/// middle of a turn, which must end at once.
const AWAY: [(usize, Span); 3] = [
    (1, span(62_000, 300_000)),
    (2, span(113_000, 400_000)),
    (0, span(454_000, 600_000)),
];

const fn span(from: u64, to: u64) -> Span {
    Span { from, to }
}

pub(super) fn unplugging_loses_nobody(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    for order in fair(seed) {
        let vms = [
            vm("patterns", seed).home(0),
            vm("patterns", seed + 1).home(1),
            vm("patterns", seed + 2).home(1),
            vm("patterns", seed + 3).home(2),
            vm("tenant", seed).home(2).affinity(0b100),
            vm("talker", seed).home(0),
            vm("talker", seed + 1).home(1),
            vm("talker", seed + 2).home(2),
            vm("sleeper", seed).home(1).guest_tick(80_000),
        ];
        let mut order = HostOrder::new(vms).pcpus(3).order(order);
        for (pcpu, Span { from, to }) in AWAY {
            order = order.at(from, Deed::Unplug(pcpu)).at(to, Deed::Plug(pcpu));
        }
        let run = bench.run_host(order)?;
        expect_sound(&run)?;
        expect_left(&run)?;
        // While two are away all share one, and each may come first once.
        sleepers::expect_ticks(&run, SLICE * run.order.vms.len() as u64)?;
        run.expect_models()?;
        expect_used_again(&run)?;
    }
    Ok(())
}

/// Passes if nobody is on a physical CPU that is away.
fn expect_left(run: &HostRun) -> Result<(), Problem> {
    for (pcpu, Span { from, to }) in AWAY {
        let left = span(from + GRACE, to);
        let stays = run.stays().into_iter().filter(|stay| stay.pcpu == pcpu);
        let there = stays.filter_map(|stay| {
            let was = span(stay.from.0, stay.to.0.max(stay.from.0));
            Some((was.and(left)?, stay))
        });
        if let Some((there, stay)) = there.into_iter().next() {
            let failure = run.failure(
                format!("nobody is on pcpu {pcpu}, which was unplugged at {from}"),
                format!(
                    "{} was there from {} to {}",
                    stay.vcpu, there.from, there.to
                ),
                None,
                Some(stay.at),
            );
            return Err(failure
                .thought("who waits, who sleeps, and who runs: which of them is told to go?")
                .into());
        }
    }
    Ok(())
}

/// Passes if a physical CPU that is back is used.
fn expect_used_again(run: &HostRun) -> Result<(), Problem> {
    for (pcpu, Span { to, .. }) in AWAY {
        let stays = run.stays();
        let mut there = stays.iter().filter(|stay| stay.pcpu == pcpu);
        if !there.any(|stay| (to..to + BACK).contains(&stay.from.0)) {
            let failure = run.failure(
                format!("pcpu {pcpu}, which is back at {to}, is used within {BACK} ticks"),
                "nobody came".to_string(),
                None,
                None,
            );
            return Err(failure
                .thought("it comes back with an empty queue. Who fetches work for it?")
                .into());
        }
    }
    Ok(())
}
