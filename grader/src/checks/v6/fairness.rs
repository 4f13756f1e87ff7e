//! v6-E1, and what a move does to a share: who gets how much.

use super::spans::{Span, ran_within};
use super::{SLICE, expect_sound, fair, hog, vm};
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::host_order::HostOrder;

/// By how much somebody may be ahead or behind when nobody moves: the last slice
/// of each may just have begun.
const BOUND: u64 = 4 * SLICE;

pub(super) fn one_pcpu_is_shared_fairly(bench: &Bench<'_>) -> Result<(), Problem> {
    let weights = [100, 200, 300];
    let whole = Span {
        from: 0,
        to: 1_200_000,
    };
    let vms = weights.map(|weight| hog(weight, 0));
    let order = HostOrder::new(vms).limit(whole.to);
    let run = bench.run_host(order)?;
    expect_sound(&run)?;
    let all: u32 = weights.iter().sum();
    for (vm, weight) in (0..).zip(weights) {
        let wanted = whole.length() * u64::from(weight) / u64::from(all);
        expect_about(&run, vm, whole, wanted)?;
    }
    Ok(())
}

/// The end of time for those who move.
const LATE: u64 = 2_000_000;

/// A hog that ends by itself: after 1.5 million instructions.
const ENDS: u64 = 10;

/// The two queues differ by a factor of 33 in what everybody there has had, since
/// one of them holds a single VM of a great weight. Then that one ends, and
/// another that is bound to its physical CPU is alone there: one comes over.
pub(super) fn who_moves_keeps_its_place(bench: &Bench<'_>) -> Result<(), Problem> {
    for order in fair(bench.seed) {
        let vms = [
            vm("hog", ENDS).weight(10_000).home(0).affinity(0b01),
            hog(100, 1),
            hog(100, 1),
            hog(100, 1),
            hog(100, 0).affinity(0b01).start(1_000_000),
        ];
        let order = HostOrder::new(vms).pcpus(2).order(order).limit(LATE);
        let run = bench.run_host(order)?;
        expect_sound(&run)?;
        run.expect_model(0)?;
        let ended = run.ended_at(0).map_or(LATE, |time| time.0);
        // A physical CPU that is busy looks at the others every eight slices.
        let rest = Span {
            from: (ended + 12 * SLICE).min(LATE),
            to: LATE,
        };
        for vm in 1..5 {
            expect_about(&run, vm, rest, rest.length() / 2)?;
        }
    }
    Ok(())
}

fn expect_about(run: &HostRun, vm: u32, within: Span, wanted: u64) -> Result<(), Problem> {
    let ran = ran_within(run, vm, within);
    match ran.abs_diff(wanted) <= BOUND {
        true => Ok(()),
        false => Err(unfair(run, vm, within, wanted, ran).into()),
    }
}

fn unfair(run: &HostRun, vm: u32, within: Span, wanted: u64, ran: u64) -> Failure {
    let Span { from, to } = within;
    let weight = run.order.vms[vm as usize].setup.weight;
    run.failure(
        format!(
            "vm {vm} of weight {weight} runs for {wanted} of the ticks from {from} to {to}, \
             {BOUND} more or less"
        ),
        format!("vm {vm} ran for {ran}"),
        None,
        None,
    )
    .thought(
        "a share says how much a VM has had compared with the others in *its* queue. Where is it \
         changed, and what does the same number mean in another queue?",
    )
}
