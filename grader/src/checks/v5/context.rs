//! v5-E1: what a VM has, it keeps.

use super::{SLICE, host, run, vm};
use crate::checks::{Bench, HostRun, Problem};
use evidence::host::What;

/// Turns that end at all kinds of instructions, and a different one for each
/// seed.
fn odd_slice(seed: u64) -> u64 {
    701 + 2 * (seed % 211)
}

pub(super) fn a_context_is_intact(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let vms = [
            vm("patterns", seed),
            vm("patterns", seed + 1),
            vm("keeper", seed + 2),
            vm("user", seed + 3),
            vm("segments", seed + 4),
        ];
        let run = run(bench, host(vms, odd_slice(seed), 8_000_000))?;
        expect_its_own(&run)?;
        run.expect_models()?;
    }
    Ok(())
}

/// Passes if each vCPU found the physical CPU as it left it, at each entry.
fn expect_its_own(run: &HostRun) -> Result<(), Problem> {
    run.expect_no(|what| matches!(what, What::Context(_) | What::TimeWentBack(_)))
}

/// Tenants of different seeds in houses of different sizes.
pub(super) fn memory_and_devices_are_apart(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let vms = [
        vm("tenant", seed),
        vm("tenant", seed + 1).memory(4 << 20),
        vm("ports", seed + 2),
        vm("tenant", seed + 3),
    ];
    run(bench, host(vms, odd_slice(seed) + 2_000, 12_000_000))?.expect_models()
}

pub(super) fn older_guests_run_as_before(bench: &Bench<'_>) -> Result<(), Problem> {
    const GUESTS: [&str; 10] = [
        "compute",
        "ports",
        "string-ports",
        "ticks",
        "masked",
        "exceptions",
        "idle",
        "user",
        "intruder",
        "halt",
    ];
    let vms = GUESTS.iter().zip(bench.seed..);
    let vms = vms.map(|(name, seed)| vm(name, seed));
    run(bench, host(vms, SLICE, 30_000_000))?.expect_models()
}
