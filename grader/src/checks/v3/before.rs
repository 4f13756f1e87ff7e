//! Guests whose TSS is broken, and those of the versions before.

use super::{NEVER, guest};
use crate::checks::{Bench, Problem};

pub(super) fn broken_tss_shuts_down(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["broken-tss-stack", "broken-tss-limit", "broken-tss-missing"] {
        let run = bench.run(guest(name), bench.seed, |order| {
            order.tick(NEVER).limit(1_000_000)
        })?;
        run.expect_model()?;
    }
    Ok(())
}

pub(super) fn versions_before_still_run(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["ticks", "masked", "exceptions", "no-gate-at-all"] {
        let guest = guests::v2::guest(name).expect("a guest of version 2");
        let run = bench.run(guest, bench.seed, |order| order.tick(1_997))?;
        run.expect_model()?;
    }
    let run = bench.run(guest("interrupt-stack"), bench.seed, |order| {
        order.tick(1_997)
    })?;
    run.expect_model()?;
    let guest = guests::v1::guest("compute").expect("a guest of version 1");
    bench
        .run(guest, bench.seed, |order| order.tick(1_997))?
        .expect_model()
}
