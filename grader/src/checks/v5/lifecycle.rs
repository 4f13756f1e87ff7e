//! v5-E7: what a VM's owner does while others run.

use super::{SLICE, accounts, host, on_cpu, run, vm};
use crate::checks::{Bench, HostRun, Problem};
use common::{Ending, Time};
use evidence::host::{Deed, What};

const LIMIT: u64 = 900_000;

/// What is asked, and whether it can be done then. The first and the last pause come
/// in the middle of a turn of the VM: its books are ahead of the time then.
const PLAN: [(u64, Deed, bool); 14] = [
    (85_000, Deed::Pause(0), true),
    (110_000, Deed::Pause(0), false),
    (120_000, Deed::Start(0), false),
    (130_000, Deed::Pause(3), true),
    (200_000, Deed::Resume(0), true),
    (210_000, Deed::Resume(0), false),
    (300_000, Deed::Resume(3), true),
    (400_000, Deed::Destroy(1), false),
    (410_000, Deed::ShutDown(1), true),
    (420_000, Deed::ShutDown(1), false),
    (500_000, Deed::Destroy(1), true),
    (510_000, Deed::Resume(1), false),
    (605_000, Deed::Pause(2), true),
    (700_000, Deed::ShutDown(2), true),
];

pub(super) fn lifecycle_in_the_middle_of_a_run(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let vms = [
        vm("hog-for-ever", seed),
        vm("hog-for-ever", seed),
        vm("hog-for-ever", seed).start(150_000),
        vm("sleeper", seed).guest_tick(90_001),
        vm("sleeper", seed).guest_tick(90_001),
    ];
    let order = host(vms, SLICE, LIMIT).at(50_000, Deed::ShutDown(4));
    let plan = PLAN.iter();
    let order = plan.fold(order, |order, &(at, deed, _)| order.at(at, deed));
    let run = run(bench, order)?;
    run.expect_no(|what| matches!(what, What::NotStarted | What::Paused | What::Ended))?;
    answers_are_right(&run)?;
    for (vm, from, to) in [
        (0, 200_000, 250_000),
        (2, 150_000, 250_000),
        (0, 700_000, LIMIT),
    ] {
        expect_to_run(&run, vm, from, to)?;
    }
    for vm in [1, 2, 4] {
        run.expect_ending(vm, Ending::Stopped)?;
    }
    run.expect_model(3)?;
    [0, 2]
        .into_iter()
        .try_for_each(|vm| accounts::pause_agrees(&run, vm))
}

/// Passes if what could be done was done, and the rest was refused.
fn answers_are_right(run: &HostRun) -> Result<(), Problem> {
    for (at, deed, possible) in PLAN {
        let mut commands = run.evidence().commands.iter();
        let answer = commands.find(|one| one.time.0 == at && one.deed == deed);
        let refused = answer.and_then(|answer| answer.refused.as_deref());
        let seen = match (answer, refused) {
            (None, _) => "it was not carried out".to_string(),
            (_, Some(why)) if possible => format!("it was refused: {why}"),
            (_, None) if !possible => "it was not refused".to_string(),
            _ => continue,
        };
        let answer = if possible { "done" } else { "refused" };
        let expected = format!("{deed} at {} is {answer}", Time(at));
        return Err(run
            .failure(expected, seen, deed.vm(), None)
            .thought("in which state is the VM then, and who has put it into that state?")
            .into());
    }
    Ok(())
}

/// Passes if a VM that may run and wants to, does, for a slice at least.
fn expect_to_run(run: &HostRun, vm: u32, from: u64, to: u64) -> Result<(), Problem> {
    let stays = run.stays();
    if on_cpu(&stays, vm, from, to) >= SLICE {
        return Ok(());
    }
    let until = stays.iter().rfind(|stay| stay.from.0 < to);
    let mut failure = run.failure(
        format!(
            "vm {vm} may run from {} to {}, and does",
            Time(from),
            Time(to)
        ),
        "it hardly runs",
        None,
        None,
    );
    failure.moments = run.switches_until(until.map_or(0, |stay| stay.at));
    Err(failure
        .thought("who was away comes back through the queue. Did somebody put it there?")
        .into())
}
