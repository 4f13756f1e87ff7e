//! v1-E3: the host's timer, and the guest that must not notice it.

use super::{NEVER, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use crate::text;
use common::trace::Event;
use common::{Exit, HostTimer, Time};
use guests::catalogue;

pub(super) fn timer_loses_nothing(bench: &Bench<'_>) -> Result<(), Problem> {
    // Short, and a different one for each seed, so that it strikes everywhere.
    let tick = 199 + bench.seed % 50;
    let run = bench.run(guest("keeper"), bench.seed, |order| order.tick(tick))?;
    host_is_served(&run)?;
    run.expect_model()?;
    let quiet = bench.run(guest("keeper"), bench.seed, |order| order.tick(NEVER))?;
    quiet.expect_model()?;
    same_exits(&run, &quiet)?;
    Ok(())
}

pub(super) fn runaway_guests_are_stopped(bench: &Bench<'_>) -> Result<(), Problem> {
    for (name, limit) in [("endless", 200_003), ("flood", 60_007)] {
        let run = bench.run(guest(name), bench.seed, |order| {
            order.tick(1_000).limit(limit)
        })?;
        stopped_in_time(&run)?;
        host_is_served(&run)?;
    }
    Ok(())
}

fn stopped_in_time(run: &Run) -> Result<(), Problem> {
    let catalogue::Ending::Never { repeats } = &run.expected.ending else {
        unreachable!("this guest ends by itself");
    };
    let seen = &run.observation.evidence.console;
    let mut wanted = run.expected.console.clone();
    while wanted.len() < seen.len() && !repeats.is_empty() {
        wanted.extend(repeats);
    }
    // It may be stopped within a line, but not within its announcement.
    wanted.truncate(seen.len().max(run.expected.console.len()));
    run.expect_end(&wanted, common::Ending::OutOfTime)
}

/// Passes if every entry stops at the host's deadline at the latest, and no
/// run comes back before it for want of time.
fn host_is_served(run: &Run) -> Result<(), Problem> {
    let scenario = &run.observation.scenario;
    let mut host = HostTimer::new(scenario.tick, scenario.limit);
    for (at, record) in run.records().iter().enumerate() {
        let deadline = host.deadline();
        match record.event {
            Event::Enter { budget } if record.time + budget > deadline => {
                return Err(stolen(run, at, record.time, budget, deadline).into());
            }
            Event::Exit(Exit::Deadline) if record.time < deadline => {
                return Err(early(run, at, record.time, deadline).into());
            }
            Event::Exit(Exit::Deadline) => {
                host.tick(record.time);
            }
            _ => {}
        }
    }
    Ok(())
}

fn stolen(run: &Run, at: usize, now: Time, budget: u64, deadline: Time) -> Failure {
    let left = deadline.since(now);
    let expected = format!(
        "at time {now} the host's timer rings in {}, at {deadline}: no entry may go past it",
        text::count(left as usize, "tick")
    );
    let seen = format!("an entry with a budget of {} instructions", Time(budget));
    run.failure(expected, seen, Some(at)).thought(
        "what takes one tick? So how many of them fit before the deadline, to the last one?",
    )
}

fn early(run: &Run, at: usize, now: Time, deadline: Time) -> Failure {
    let expected = format!("exits with Deadline at {deadline}, when the host's timer rings");
    let seen = format!("an exit with Deadline at {now}");
    run.failure(expected, seen, Some(at)).thought(
        "the guest had time left. Which comparison took it away, or who was never told that \
             the timer has rung before?",
    )
}

/// Passes if the guest asked for the same with the timer and without.
fn same_exits(run: &Run, quiet: &Run) -> Result<(), Problem> {
    let (with, without) = (asked(run), asked(quiet));
    if with == without {
        return Ok(());
    }
    let show = |exits: &[(&str, u64)]| {
        let all: Vec<_> = exits
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        all.join(", ")
    };
    let expected = format!("the same exits as without a timer: {}", show(&without));
    let seen = show(&with);
    let total = |exits: &[(&str, u64)]| exits.iter().map(|(_, count)| count).sum::<u64>();
    let thought = match total(&with) > total(&without) {
        true => "the guest is the same, and asks for more. What did the timer's exit do twice?",
        false => "the guest is the same, and asks for less. What was lost when the timer rang?",
    };
    Err(run.failure(expected, seen, None).thought(thought).into())
}

/// How many exits of each kind the guest asked for.
fn asked(run: &Run) -> Vec<(&str, u64)> {
    let end = run.observation.evidence.end.as_ref();
    let all = end.iter().flat_map(|end| &end.exits);
    let mut asked: Vec<_> = all
        .filter(|(kind, _)| kind != Exit::Deadline.kind())
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    asked.sort_unstable();
    asked
}
