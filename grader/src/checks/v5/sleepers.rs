//! v5-E2 and E4: timers. Who sleeps, and who is woken when.

use super::{SLICE, host, run, vm};
use crate::checks::naps::{self, Nap};
use crate::checks::{Bench, Failure, HostRun, Problem};
use common::Time;

/// A tick and a line of somebody else's: what a sleeper may have to wait for on a
/// host that is nearly idle.
const SHORT: u64 = 2_000;

pub(super) fn sleepers_come_back_on_time(bench: &Bench<'_>) -> Result<(), Problem> {
    let vms = [
        vm("sleeper", bench.seed),
        vm("idle", bench.seed + 1),
        vm("sleeper", bench.seed + 2),
    ];
    let run = run(bench, host(vms, SLICE, 20_000_000))?;
    // On hardware the others' time is the host's, too: the guests' words have to do.
    let naps = match bench.is_hardware() {
        true => Vec::new(),
        false => naps::all_naps(&run),
    };
    for nap in naps {
        expect_sleep(&run, &nap)?;
        expect_wake(&run, &nap, SHORT)?;
    }
    run.expect_models()
}

/// Passes if the VM does nothing before its timer is due.
fn expect_sleep(run: &HostRun, nap: &Nap) -> Result<(), Problem> {
    let early = nap.woken.filter(|(woken, _)| *woken < nap.due);
    let Some(at) = nap.stirred.or(early.map(|(_, at)| at)) else {
        return Ok(());
    };
    let failure = told(
        run,
        nap,
        at,
        format!("it sleeps until {}", nap.due),
        "it runs before that".to_string(),
    );
    Err(failure
        .thought("a CPU that is run again goes on behind its hlt. Who asks how deeply it sleeps?")
        .into())
}

/// Passes if the VM is given its interrupt at most `late` ticks behind its time.
fn expect_wake(run: &HostRun, nap: &Nap, late: u64) -> Result<(), Problem> {
    let limit = run.order.scenario.limit;
    let (at, seen) = match nap.woken {
        Some(_) if nap.late() <= late => return Ok(()),
        None if nap.due + late >= limit => return Ok(()),
        Some((woken, at)) => (at, format!("it runs at {woken}")),
        None => (
            run.evidence().records.len(),
            String::from("it never runs again"),
        ),
    };
    let expected = format!(
        "its timer is due at {}: it runs {} ticks later at most",
        nap.due,
        Time(late)
    );
    Err(told(run, nap, at, expected, seen)
        .thought(
            "a sleeper is in no line. Who looks whether it is due, where does it come then, and \
             who is before it?",
        )
        .into())
}

fn told(run: &HostRun, nap: &Nap, at: usize, expected: String, seen: String) -> Failure {
    let begin = format!("vm {} halts at {}: ", nap.vm, nap.halted);
    let mut failure = run.failure(begin + &expected, seen, None, Some(at));
    failure.moments = run.switches_until(at);
    failure
}

pub(super) fn sleepers_wake_beside_hogs(bench: &Bench<'_>) -> Result<(), Problem> {
    let hog = || vm("hog-for-ever", bench.seed);
    let vms = [
        hog(),
        hog(),
        vm("talker", bench.seed),
        hog(),
        vm("talker", bench.seed + 1).guest_tick(23_003),
    ];
    let run = run(bench, host(vms, SLICE, 1_000_000))?;
    for nap in naps::all_naps(&run) {
        expect_sleep(&run, &nap)?;
        expect_wake(&run, &nap, SLICE)?;
    }
    run.expect_models()
}

/// How long a turn is for a guest whose timer ticks every 400.
const LONG: u64 = 50_000;

pub(super) fn its_own_timer_rings_in_its_turn(bench: &Bench<'_>) -> Result<(), Problem> {
    let vms = [
        vm("interrupt-heavy", bench.seed),
        vm("hog-for-ever", bench.seed),
    ];
    // Four thousand ticks at most, of 400 each, on half a CPU.
    let order = host(vms, LONG, 5_000_000);
    run(bench, order)?.expect_models()
}
