//! Who has the CPU, when and for how long.

use super::{SLICE, host, on_cpu, run, vm};
use crate::checks::naps::{self, Nap};
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::fate::Fate;
use common::Time;

/// A turn that no timer ends.
const ENDLESS: u64 = 1 << 40;

/// A moment: what a switch may take.
const MOMENT: u64 = 10;

pub(super) fn two_talkers_take_turns(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in [bench.seed, bench.seed + 2] {
        let vms = [vm("talker", seed), vm("talker", seed + 1)];
        let run = run(bench, host(vms, ENDLESS, 4_000_000))?;
        run.expect_models()?;
        let naps = naps::all_naps(&run);
        for nap in &naps {
            other_gets_the_cpu(&run, &naps, nap)?;
        }
    }
    Ok(())
}

/// Passes if the VM that does not sleep has the CPU as soon as this one halts.
fn other_gets_the_cpu(run: &HostRun, naps: &[Nap], nap: &Nap) -> Result<(), Problem> {
    let other = 1 - nap.vm;
    let asleep = naps
        .iter()
        .any(|one| one.vm == other && one.covers(nap.halted));
    let ended = run.ended_at(other).is_some_and(|end| end <= nap.halted);
    let there = run.stays().iter().any(|stay| {
        stay.vcpu.vm == other && stay.from.0 <= nap.halted.0 + MOMENT && stay.to > nap.halted
    });
    if asleep || ended || there {
        return Ok(());
    }
    let mut failure = run.failure(
        format!(
            "vm {} halts at {}, vm {other} has something to do: it gets the CPU",
            nap.vm, nap.halted
        ),
        format!("vm {other} does not run then"),
        None,
        Some(nap.at),
    );
    failure.moments = run.switches_until(nap.at);
    Err(failure
        .thought("a guest that sleeps needs no CPU. Where does its time pass: in its turn?")
        .into())
}

pub(super) fn a_hog_cannot_keep_the_cpu(bench: &Bench<'_>) -> Result<(), Problem> {
    let slice = 8_000 + bench.seed % 4_000;
    let vms = [
        vm("hang", bench.seed),
        vm("talker", bench.seed + 1),
        vm("hog-for-ever", bench.seed + 2),
        vm("talker", bench.seed + 3),
    ];
    let run = bench.run_host(host(vms, slice, 1_500_000))?;
    if run.fate == Some(Fate::Hung) {
        return Err(never_came_back(&run).into());
    }
    run.expect_over()?;
    no_turn_is_too_long(&run, slice)?;
    run.expect_models()
}

/// An entry without a deadline.
fn never_came_back(run: &HostRun) -> Failure {
    run.failed("the hog loses the CPU at the end of its slice")
        .thought(
            "the hog does nothing that traps, so only a deadline brings its entry back. Which one \
             did you give it?",
        )
        .by("v5-E2")
}

/// Passes if nobody has the CPU for longer than two turns on end: two others
/// always want it.
fn no_turn_is_too_long(run: &HostRun, slice: u64) -> Result<(), Problem> {
    let stays = run.stays();
    let Some(stay) = stays
        .iter()
        .find(|stay| stay.to.since(stay.from) > 2 * slice)
    else {
        return Ok(());
    };
    let mut failure = run.failure(
        format!(
            "others are ready: nobody has the CPU for longer than a slice of {} ticks",
            Time(slice)
        ),
        format!("{} has it from {} to {}", stay.vcpu, stay.from, stay.to),
        None,
        Some(stay.at),
    );
    failure.moments = run.switches_until(stay.at);
    Err(failure
        .thought("which deadline does an entry get, and who acts when it has come?")
        .into())
}

/// A part of a run, and the weights of those who want the CPU in it.
struct Part<'a> {
    from: u64,
    to: u64,
    weights: &'a [(u32, u32)],
    /// How many ticks anybody may be off.
    slack: u64,
}

impl Part<'_> {
    /// Passes if each VM has what its weight says.
    fn expect_shares(&self, run: &HostRun) -> Result<(), Problem> {
        let Part { from, to, .. } = *self;
        let stays = run.stays();
        let all: u64 = self
            .weights
            .iter()
            .map(|(_, weight)| u64::from(*weight))
            .sum();
        for &(vm, weight) in self.weights {
            let due = (to - from) * u64::from(weight) / all;
            let had = on_cpu(&stays, vm, from, to);
            if had.abs_diff(due) > self.slack {
                return Err(self.unfair(run, vm, due, had).into());
            }
        }
        Ok(())
    }

    fn unfair(&self, run: &HostRun, vm: u32, due: u64, had: u64) -> Failure {
        let Part {
            from, to, slack, ..
        } = *self;
        let weights: Vec<_> = self
            .weights
            .iter()
            .map(|(vm, weight)| format!("vm {vm}: {weight}"))
            .collect();
        let [from_time, to_time, due, had, slack] = [from, to, due, had, slack].map(Time);
        let mut failure = run.failure(
            format!(
                "from {from_time} to {to_time}, with weights {}: vm {vm} runs for {due} ticks, \
                 give or take {slack}",
                weights.join(", ")
            ),
            format!("it ran for {had}"),
            None,
            None,
        );
        let until = run
            .stays()
            .iter()
            .rfind(|stay| stay.from.0 < to)
            .map(|stay| stay.at);
        failure.moments = run.switches_until(until.unwrap_or(0));
        failure.thought(
            "the queue is ordered by what each has had for its weight. What is a VM charged for a \
             turn, and with which pass does it come to the queue?",
        )
    }
}

pub(super) fn weights_hold(bench: &Bench<'_>) -> Result<(), Problem> {
    // Short turns and heavy VMs: even a few ticks must cost something.
    for (weights, slice) in [
        (&[(0, 30), (1, 70)][..], SLICE),
        (&[(0, 50), (1, 200), (2, 150)], SLICE),
        (&[(0, 7_000), (1, 3_000)], 1_000),
    ] {
        shares_hold(bench, weights, slice)?;
    }
    Ok(())
}

/// In each quarter of a run everybody must have what they weigh.
fn shares_hold(bench: &Bench<'_>, weights: &[(u32, u32)], slice: u64) -> Result<(), Problem> {
    let quarter = 40 * slice;
    let vms = weights
        .iter()
        .map(|(_, weight)| vm("hog-for-ever", bench.seed).weight(*weight));
    let run = run(bench, host(vms, slice, 4 * quarter))?;
    for number in 0..4 {
        let part = Part {
            from: number * quarter,
            to: (number + 1) * quarter,
            weights,
            slack: 2 * slice,
        };
        part.expect_shares(&run)?;
    }
    Ok(())
}

const EQUAL: &[(u32, u32)] = &[(0, 100), (1, 100)];

pub(super) fn nobody_is_paid_for_sleeping(bench: &Bench<'_>) -> Result<(), Problem> {
    who_halts_often_pays_for_what_it_runs(bench)?;
    who_comes_late_shares_from_then_on(bench)
}

fn who_comes_late_shares_from_then_on(bench: &Bench<'_>) -> Result<(), Problem> {
    const LATE: u64 = 300_000;
    let hog = || vm("hog-for-ever", bench.seed);
    let run = run(bench, host([hog(), hog().start(LATE)], SLICE, 2 * LATE))?;
    let part = Part {
        from: LATE,
        to: 2 * LATE,
        weights: EQUAL,
        slack: 4 * SLICE,
    };
    part.expect_shares(&run)
}

/// Talkers whose ticks are so short that they nearly always want the CPU. They
/// give each turn away before its end.
fn who_halts_often_pays_for_what_it_runs(bench: &Bench<'_>) -> Result<(), Problem> {
    const TICK: u32 = 50;
    /// A little longer than what a talker has to do for a line.
    const TURN: u64 = 6_000;
    let talkers = (0..3).map(|more| vm("talker", bench.seed + more).guest_tick(TICK));
    let vms = [vm("hog-for-ever", bench.seed)].into_iter().chain(talkers);
    let run = run(bench, host(vms, TURN, 500_000))?;
    run.expect_models()?;
    let stays = run.stays();
    for talker in 1..4 {
        let end = run.ended_at(talker).map_or(0, |end| end.0);
        let [hog, had] = [0, talker].map(|vm| on_cpu(&stays, vm, 0, end));
        if hog + 2 * TURN < had {
            return Err(dodged(&run, talker, end, had, hog).into());
        }
    }
    Ok(())
}

fn dodged(run: &HostRun, talker: u32, end: u64, had: u64, hog: u64) -> Failure {
    run.failure(
        format!(
            "until vm {talker}, a talker, ends at {} it has run no longer than the hog",
            Time(end)
        ),
        format!(
            "it ran for {} ticks, and the hog for {}",
            Time(had),
            Time(hog)
        ),
        None,
        None,
    )
    .thought(
        "what does a VM pay that halts shortly before its slice is over, and what has it had when \
         it comes back?",
    )
}
