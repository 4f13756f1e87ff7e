//! v6-E1, and what a move does to a share: who gets how much.

use super::spans::{Span, ran_within};
use super::{SLICE, expect_sound, fair, hog};
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::host_order::HostOrder;
use evidence::host::Deed;

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

/// The two queues differ by a factor of 33 in what everybody there has had, since
/// one of them holds a single VM of a great weight. Then that one ends, and
/// another that is bound to its physical CPU is alone there: one comes over.
pub(super) fn who_moves_keeps_its_place(bench: &Bench<'_>) -> Result<(), Problem> {
    let (early, late) = (600_000, 1_200_000);
    for order in fair(bench.seed) {
        let vms = [
            hog(10_000, 0).affinity(0b01),
            hog(100, 1),
            hog(100, 1),
            hog(100, 1),
            hog(100, 0).affinity(0b01).start(early - 30_000),
        ];
        let order = HostOrder::new(vms)
            .pcpus(2)
            .order(order)
            .at(early, Deed::ShutDown(0))
            .limit(late);
        let run = bench.run_host(order)?;
        expect_sound(&run)?;
        // Until then the move is over, which takes a few slices.
        let rest = Span {
            from: early + 150_000,
            to: late,
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
