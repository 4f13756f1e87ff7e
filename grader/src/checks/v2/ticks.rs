//! v2-E2 to E5: ticks, and when they come.

use super::guest;
use crate::checks::interrupts::{self, ALL, Rule};
use crate::checks::{Bench, Problem, Run};
use crate::observation::Order;
use evidence::Engine;

/// A period of the host's timer that fits to nothing in the guests, and a
/// different one for each seed.
fn host_tick(seed: u64) -> u64 {
    1_501 + seed % 500
}

/// Shorter than the stretches in which the guest has interrupts open: whoever keeps
/// them closed behind a handler is late.
const GUEST_TICK: u32 = 2_003;

/// The guest's timer ticks often; on hardware as often as the guest has it, since
/// a handler may take longer there than such a tick.
fn often(bench: &Bench<'_>, order: Order) -> Order {
    match bench.is_hardware() {
        true => order,
        false => order.guest_tick(GUEST_TICK),
    }
}

/// How late a tick may come: a solution may also look at the host's deadlines.
const SLACK: u64 = 2_500;
/// The same where the host's timer rings often: a tick that waits for longer than
/// this waits for something else, such as the guest's next `sti`.
const SHORT: u64 = 500;
/// It must come at once.
const AT_ONCE: u64 = 0;

/// Holds the rules against what happened, and then the guest's own words: what
/// breaks a rule is nearer to the mistake than what comes of it. (On hardware
/// nobody sees the guest's interrupt flag, so its words have to do.)
fn judge(run: &Run, rules: &[Rule], late: u64) -> Result<(), Problem> {
    let is_seen = run.observation.scenario.engine == Engine::Interp;
    if is_seen && run.fate.not_yet().is_none() {
        interrupts::expect(run, rules, late)?;
    }
    run.expect_model()
}

pub(super) fn ticks_are_delivered(bench: &Bench<'_>) -> Result<(), Problem> {
    const RULES: [Rule; 3] = [Rule::NotDue, Rule::Undelivered, Rule::Late];
    let run = bench.run(guest("ticks"), bench.seed, |order| {
        often(bench, order).tick(SHORT - 200 + bench.seed % 100)
    })?;
    judge(&run, &RULES, SHORT)
}

pub(super) fn closed_means_closed(bench: &Bench<'_>) -> Result<(), Problem> {
    const RULES: [Rule; 3] = [Rule::Closed, Rule::Shadow, Rule::FromNowhere];
    for (name, seed) in [("ticks", bench.seed + 1), ("masked", bench.seed + 2)] {
        let run = bench.run(guest(name), seed, |order| {
            order.tick(host_tick(seed)).guest_tick(GUEST_TICK)
        })?;
        judge(&run, &RULES, SLACK)?;
    }
    Ok(())
}

pub(super) fn masked_tick_is_not_lost(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let run = bench.run(guest("masked"), seed, |order| {
            often(bench, order).tick(host_tick(seed))
        })?;
        judge(&run, &ALL, AT_ONCE)?;
    }
    Ok(())
}

pub(super) fn storm_makes_progress(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("storm"), bench.seed, |order| {
        order.tick(host_tick(bench.seed)).limit(5_000_000)
    })?;
    judge(&run, &ALL, SLACK)
}
