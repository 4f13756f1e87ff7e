//! The guests of version 1, under a virtual CPU that knows more.

use crate::checks::{Bench, Problem, Run};
use crate::error::LabError;
use common::Ending;

pub(super) fn version_1_still_runs(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["compute", "keeper", "ports"] {
        run(bench, name)?.expect_model()?;
    }
    // Without a handler table the gate of every exception lies behind its limit.
    const DIVIDE_ERROR: u8 = 0;
    const PROTECTION: u8 = 13;
    run(bench, "undefined")?.expect_shutdown([PROTECTION; 3])?;
    run(bench, "divide")?.expect_shutdown([DIVIDE_ERROR, PROTECTION, PROTECTION])?;
    run(bench, "halt")?.expect_end(b"", Ending::Halted)
}

fn run(bench: &Bench<'_>, name: &str) -> Result<Run, LabError> {
    let guest = guests::v1::guest(name).expect("a guest of version 1");
    bench.run(guest, bench.seed, |order| order.tick(997))
}
