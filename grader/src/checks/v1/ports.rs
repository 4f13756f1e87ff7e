//! v1-E4: what a guest says to its devices, and what they answer.

use super::truth::exits_tell_the_truth;
use super::{NEVER, guest};
use crate::checks::{Bench, Problem, Run};
use crate::snapshot;
use common::Ending;

/// The seed of the guest whose console is kept as a snapshot for all to read.
const PUBLIC: u64 = 1;

pub(super) fn console_is_right(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("compute"), PUBLIC, |order| order.tick(NEVER))?;
    let wanted = snapshot::read(bench.workspace, bench.stage, "console-compute")?;
    run.expect_end(&wanted, Ending::Exited(0))?;
    Ok(())
}

pub(super) fn ports_in_all_widths(bench: &Bench<'_>) -> Result<(), Problem> {
    // Three seeds in a row end by an `out` of each of the three widths.
    for turn in 0..3 {
        let seed = bench.seed.wrapping_add(turn);
        let run = bench.run(guest("ports"), seed, |order| order.tick(NEVER))?;
        judge(&run)?;
    }
    for name in ["string-ports", "failing"] {
        let run = bench.run(guest(name), bench.seed, |order| order.tick(NEVER))?;
        judge(&run)?;
    }
    Ok(())
}

/// A port access that goes wrong shows first where trap, exit and device
/// disagree, and only then on the console.
fn judge(run: &Run) -> Result<(), Problem> {
    if run.fate.not_yet().is_none() {
        exits_tell_the_truth(run)?;
    }
    run.expect_model()
}

pub(super) fn fresh_guests(bench: &Bench<'_>) -> Result<(), Problem> {
    for (turn, name) in ["compute", "keeper", "string-ports"]
        .into_iter()
        .enumerate()
    {
        let seed = bench.seed.wrapping_mul(1_000).wrapping_add(turn as u64);
        let tick = 700 + seed % 300;
        let run = bench.run(guest(name), seed, |order| order.tick(tick))?;
        run.expect_model()?;
    }
    Ok(())
}
