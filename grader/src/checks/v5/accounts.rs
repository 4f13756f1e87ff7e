//! v5-E5: what the books say, against what the machine saw.

use super::{SLICE, host, run, vm};
use crate::checks::{Bench, HostRun, Problem, naps};
use common::Time;
use evidence::host::Deed;

const LIMIT: u64 = 700_000;

pub(super) fn every_tick_is_accounted(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let vms = [
        vm("hog-for-ever", seed),
        vm("talker", seed + 1),
        vm("compute", seed + 2),
        vm("idle", seed + 3).guest_tick(9_001),
        vm("hog-for-ever", seed + 4).start(150_000),
    ];
    let run = run(bench, host(vms, SLICE, LIMIT))?;
    run.vms().try_for_each(|vm| books_agree(&run, vm))
}

/// How many ticks the books and the machine may differ for each nap: a solution
/// may look at its sleepers a little later.
const SLACK: u64 = 20;

/// Passes if a VM that was paused once, while it was ready, has the time of that
/// in its account.
pub(super) fn pause_agrees(run: &HostRun, vm: u32) -> Result<(), Problem> {
    let claimed = run.account(vm).unwrap_or_default().paused;
    let seen = paused(run, vm, life_ends(run, vm));
    match claimed == seen {
        true => Ok(()),
        false => Err(wrong(run, vm, "paused", claimed, seen)),
    }
}

/// Passes if the accounts of a VM that was never paused are what the machine saw
/// of it.
fn books_agree(run: &HostRun, vm: u32) -> Result<(), Problem> {
    let account = run.account(vm).unwrap_or_default();
    let naps = naps::naps(run, vm);
    let slack = SLACK * naps.len() as u64;
    let end = life_ends(run, vm);
    let slept: u64 = naps
        .iter()
        .map(|nap| nap.due.min(end).since(nap.halted))
        .sum();
    let life = end.since(done(run, Deed::Start(vm)).unwrap_or(Time::ZERO));
    let waited = life.saturating_sub(run.ran(vm) + slept);
    for (name, claimed, seen, slack) in [
        ("run", account.run, run.ran(vm), 0),
        ("paused", account.paused, 0, 0),
        ("halted", account.halted, slept, slack),
        ("waiting", account.waiting, waited, slack),
        ("all four together", account.total(), life, 0),
    ] {
        if claimed.abs_diff(seen) > slack {
            return Err(wrong(run, vm, name, claimed, seen));
        }
    }
    Ok(())
}

fn wrong(run: &HostRun, vm: u32, name: &str, claimed: u64, seen: u64) -> Problem {
    let guest = &run.order.vms[vm as usize].name;
    let [claimed, seen] = [claimed, seen].map(Time);
    let mut failure = run.failure(
        format!("vm {vm} ({guest}), {name}: {seen} ticks, as the machine saw"),
        format!("its account says {claimed}"),
        None,
        None,
    );
    failure.moments = run.switches_until(run.evidence().records.len());
    failure
        .thought(
            "each tick belongs to one VM and to one of four states: the state that ended when it \
             was counted. Which ticks here were counted for another, twice, or not at all?",
        )
        .into()
}

/// When a VM was asked for something first.
fn done(run: &HostRun, deed: Deed) -> Option<Time> {
    let mut commands = run.evidence().commands.iter();
    commands.find(|one| one.deed == deed).map(|one| one.time)
}

/// When a VM's life was over, or the run.
fn life_ends(run: &HostRun, vm: u32) -> Time {
    let clock = run
        .evidence()
        .end
        .as_ref()
        .and_then(|end| end.clocks.first());
    let over = run.ended_at(vm).or(clock.copied());
    over.unwrap_or(run.order.scenario.limit)
}

/// For how long a VM was paused. It is asked for between two turns: who had just
/// had one that lasted until a little later is paused from then on.
fn paused(run: &HostRun, vm: u32, end: Time) -> u64 {
    let Some(begin) = done(run, Deed::Pause(vm)) else {
        return 0;
    };
    let resumed = done(run, Deed::Resume(vm)).unwrap_or(end);
    let stays = run.stays();
    let mut before = stays.iter().filter(|stay| stay.vcpu.vm == vm);
    let left = before.rfind(|stay| stay.from < begin).map(|stay| stay.to);
    resumed.since(left.map_or(begin, |left| left.max(begin)))
}
