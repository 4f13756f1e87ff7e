//! v4-E1 and v4-E2: from one thread to the next.

use super::{LIMIT, NEVER, TICK, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use crate::text;
use common::trace::Event;
use common::{Exit, SystemInstruction};
use std::collections::BTreeMap;

/// Runs a guest of version 4 with short ticks; what it needs of time is known.
fn run(bench: &Bench<'_>, name: &str, seed: u64) -> Result<Run, Problem> {
    let run = bench.run(guest(name), seed, |order| {
        let order = order.tick(NEVER).limit(LIMIT);
        match bench.is_hardware() {
            true => order, // a tick of the guest's own length
            false => order.guest_tick(TICK),
        }
    })?;
    Ok(run)
}

pub(super) fn threads_cooperate(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 3 {
        let run = run(bench, "cooperate", seed)?.asking(
            "the lines come in the order in which the threads run. Whose turn is it behind a \
             yield, and does that thread go on where it left off?",
        );
        run.expect_model()?;
    }
    Ok(())
}

pub(super) fn registers_survive_a_switch(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let run = run(bench, "preempt", seed)?.asking(
            "each thread computes with all of its registers, and other threads run in between. \
             Which register did it not find as it left it?",
        );
        run.expect_model()?;
    }
    Ok(())
}

pub(super) fn sleepers_wake_in_order(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let run = run(bench, "sleepers", seed)?.asking(
            "the lines come in the order in which the threads wake. Who was ready at that tick, \
             and whom does the search find first?",
        );
        run.expect_model()?;
    }
    Ok(())
}

pub(super) fn nobody_starves(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = run(bench, "preempt", bench.seed)?;
    if run.fate.not_yet().is_some() {
        return run.expect_model();
    }
    let turns = turns(&run);
    let mut waited: BTreeMap<&str, usize> =
        turns.iter().map(|turn| (turn.thread.as_str(), 0)).collect();
    if turns.len() < BUSY || waited.len() < 2 {
        let expected = "ticks take the CPU from several threads, again and again";
        return Err(run.failed(expected).into());
    }
    for turn in &turns[..BUSY] {
        for (&thread, ticks) in &mut waited {
            *ticks += 1;
            if *ticks > MOST_THREADS && thread != turn.thread {
                return Err(starved(&run, thread, *ticks - 1, turn).into());
            }
        }
        waited.insert(turn.thread.as_str(), 0);
    }
    Ok(())
}

/// For so many ticks every thread of `preempt` is busy: each alone computes for
/// longer than that.
const BUSY: usize = 60;

/// Threads that there may be in `preempt`, the first one included.
const MOST_THREADS: usize = 8;

/// One tick that interrupted a thread.
struct Turn {
    at: usize,
    thread: String,
}

fn turns(run: &Run) -> Vec<Turn> {
    let symbols = &run.observation.image.symbols;
    let injected = run.records().iter().enumerate();
    injected
        .filter(|(_, record)| matches!(record.event, Event::Inject(_)))
        .filter_map(|(at, record)| {
            let (name, _) = symbols.locate(record.rip)?;
            let thread = name.strip_prefix("thread_")?;
            let number = thread.parse::<u32>().is_ok();
            number.then(|| Turn {
                at,
                thread: name.to_string(),
            })
        })
        .collect()
}

fn starved(run: &Run, thread: &str, ticks: usize, turn: &Turn) -> Failure {
    let expected = format!(
        "each thread has its turn within {}, as there are no more threads",
        text::count(MOST_THREADS, "tick")
    );
    let seen = format!(
        "{thread} is ready and has not run for {}; {} runs again",
        text::count(ticks, "tick"),
        turn.thread
    );
    run.failure(expected, seen, Some(turn.at))
        .thought("where in the table does the search for the next thread begin?")
}

pub(super) fn nobody_ready_means_sleep(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = run(bench, "sleepers", bench.seed)?;
    if run.fate.not_yet().is_some() {
        return run.expect_model();
    }
    let sleeps = run.exits().filter(|(.., exit)| *exit == Exit::Halted);
    let sleeps = sleeps.count();
    let ticks = run
        .records()
        .iter()
        .filter(|record| matches!(record.event, Event::Inject(_)))
        .count();
    if ticks > 0 && sleeps * 2 > ticks {
        return Ok(());
    }
    let expected = "threads sleep for most of the ticks, and while they all do, the guest halts";
    let seen = format!(
        "{} in {}",
        text::count(sleeps, "halt"),
        text::count(ticks, "tick")
    );
    Err(run
        .failure(expected, seen, None)
        .thought("what does the kernel do when nobody is ready, and how does it learn of that?")
        .into())
}

/// Instructions on the way of a system call or of a byte to the console.
pub(super) fn is_swap_or_port(instruction: SystemInstruction) -> bool {
    matches!(
        instruction,
        SystemInstruction::Swapgs | SystemInstruction::In { .. } | SystemInstruction::Out { .. }
    )
}
