//! Guests that die, hang and rage: whom it hurts.

use super::{SLICE, host, on_cpu, run, vm};
use crate::checks::{Bench, Failure, HostRun, Problem};
use common::Time;
use evidence::host::What;

pub(super) fn a_fault_stays_at_home(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let vms = [
        vm("no-gate-at-all", seed),
        vm("talker", seed + 1),
        vm("divide", seed + 2),
        vm("broken-stack", seed + 3),
        vm("keeper", seed + 4),
        vm("dead-halt", seed + 5),
        vm("failing", seed + 6),
        vm("talker", seed + 7).start(150_000),
        vm("wild-jump", seed + 8).start(170_000),
    ];
    let run = run(bench, host(vms, SLICE, 4_000_000))?;
    run.expect_no(|what| matches!(what, What::Ended))?;
    run.expect_models()
}

/// Guests that would take the CPU from everybody, if one let them.
const TROUBLE: [&str; 4] = ["hang", "flood", "interrupt-heavy", "endless"];

/// How long each of them rages.
const TIME: u64 = 400_000;

pub(super) fn trouble_costs_only_its_share(bench: &Bench<'_>) -> Result<(), Problem> {
    for (name, seed) in TROUBLE.into_iter().zip(bench.seed..) {
        let vms = [
            vm("hog-for-ever", seed),
            vm(name, seed),
            vm("hog-for-ever", seed),
        ];
        let run = run(bench, host(vms, SLICE, TIME))?;
        expect_their_share(&run, name)?;
    }
    Ok(())
}

/// Two VMs of three must have two thirds of the time, and each of them one.
fn expect_their_share(run: &HostRun, name: &str) -> Result<(), Problem> {
    let stays = run.stays();
    let least = TIME / 3 - 2 * SLICE;
    for vm in [0, 2] {
        let had = on_cpu(&stays, vm, 0, TIME);
        if had < least {
            return Err(robbed(run, vm, name, least, had).into());
        }
    }
    Ok(())
}

fn robbed(run: &HostRun, vm: u32, name: &str, least: u64, had: u64) -> Failure {
    let last = run.evidence().records.len();
    let [all, least, had] = [TIME, least, had].map(Time);
    let mut failure = run.failure(
        format!("beside '{name}' vm {vm} has a third of {all} ticks: at least {least}"),
        format!("it ran for {had}"),
        None,
        None,
    );
    failure.moments = run.switches_until(last);
    failure.thought(
        "every tick on the physical CPU is somebody's. Whose are those of an exit, of a delivery, \
         of a character for the console, and what ends such a turn?",
    )
}
