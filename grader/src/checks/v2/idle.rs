//! v2-E7: a guest that has nothing to do.

use super::guest;
use crate::checks::{Bench, Failure, Problem, Run};
use common::Exit;
use common::trace::Event;

pub(super) fn idle_sleeps_until_the_tick(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["idle", "idle-one-shot"] {
        let run = bench.run(guest(name), bench.seed, |order| order.tick(HOST_TICK))?;
        if run.fate.not_yet().is_none() {
            sleeps(&run)?;
        }
        run.expect_model()?;
    }
    Ok(())
}

/// Several of them fit between two ticks of the guest.
const HOST_TICK: u64 = 4_001;

/// How many exits a sleep may have: a solution may come up for air at each of
/// the host's deadlines.
const EXITS: usize = 8;

/// Passes if no instruction of the guest runs between a halt and the injection
/// that ends it, and the monitor does not busily ask again.
fn sleeps(run: &Run) -> Result<(), Problem> {
    let mut asleep = None;
    for (at, record) in run.records().iter().enumerate() {
        match (record.event, &mut asleep) {
            (Event::Exit(Exit::Halted), None) => asleep = Some(0),
            (Event::Inject(_), _) => asleep = None,
            (Event::Exit(_), Some(exits)) => {
                *exits += 1;
                if *exits > EXITS {
                    return Err(busy(run, at).into());
                }
            }
            (Event::Trap { retired: 1.., .. }, Some(_)) => return Err(awake(run, at).into()),
            _ => {}
        }
    }
    Ok(())
}

fn awake(run: &Run, at: usize) -> Failure {
    run.failure(
        "behind hlt nothing of the guest runs before an interrupt wakes it",
        "the guest runs on, and nothing was injected",
        Some(at),
    )
    .thought(
        "after `Exit::Halted` the guest must not be entered again before something is pending. \
         What moves the clock on until then?",
    )
}

fn busy(run: &Run, at: usize) -> Failure {
    let expected = format!(
        "one halt and one wake-up for each sleep, or at most {EXITS} looks at the host's deadlines"
    );
    run.failure(expected, "exit after exit while the guest sleeps", Some(at))
        .thought(
            "you know when the timer is due. Is there any need to look at the clock until then?",
        )
}

pub(super) fn dead_halt_is_recognised(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["dead-halt", "idle-for-ever"] {
        let run = bench.run(guest(name), bench.seed, |order| {
            order.tick(HOST_TICK).limit(2_000_000)
        })?;
        run.expect_model()?;
    }
    Ok(())
}
