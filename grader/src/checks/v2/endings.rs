//! v2-E6: faults on the way to a handler.

use super::{NEVER, guest};
use crate::checks::{Bench, Problem};

pub(super) fn faults_on_the_way_are_delivered(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["no-gate", "double-fault"] {
        let run = bench.run(guest(name), bench.seed, |order| order.limit(5_000_000))?;
        run.expect_model()?;
    }
    Ok(())
}

/// Guests that no handler can save.
const BROKEN: [&str; 7] = [
    "no-gate-at-all",
    "broken-idt-limit",
    "broken-selector",
    "broken-handler-non-canonical",
    "broken-handler-unmapped",
    "broken-stack",
    "ud2-in-handler",
];

pub(super) fn broken_tables_shut_down(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in BROKEN {
        let run = bench.run(guest(name), bench.seed, |order| {
            order.tick(NEVER).limit(1_000_000)
        })?;
        run.expect_model()?;
    }
    Ok(())
}
