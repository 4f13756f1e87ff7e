//! v3-E1, E2, E4, E5: a user thread, and the ticks that interrupt it.

use super::{NEVER, guest};
use crate::checks::interrupts::{self, ALL};
use crate::checks::{Bench, Problem, Run};
use common::trace::Event;
use common::{Ending, SystemInstruction, Trap};

pub(super) fn user_mode_is_entered(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("user"), bench.seed, |order| order.tick(NEVER))?;
    let expected = "the kernel's first iretq enters user mode at user_code, and the thread runs up \
                    to its first syscall";
    let Some((index, record)) = behind_first_return(&run) else {
        return Err(run.failed(expected).into());
    };
    let symbols = &run.observation.image.symbols;
    if record.rip != run.user_code().start {
        let seen = format!("behind iretq it goes on at {}", symbols.place(record.rip));
        return Err(run
            .failure(expected, seen, Some(index))
            .thought("where in the frame is the address to go on at?")
            .into());
    }
    match first_trap_of_user(&run, index) {
        Some((_, Trap::System { .. })) => Ok(()),
        Some((at, trap)) => Err(run
            .failure(expected, format!("it ran into {trap}"), Some(at))
            .thought(
                "the code is right, and its pages are the user's. With whose eyes does the raw CPU \
                 look at them now?",
            )
            .into()),
        None => Err(run.failed(expected).into()),
    }
}

/// The entry behind the first `iretq`.
fn behind_first_return(run: &Run) -> Option<(usize, &common::trace::Record)> {
    let (at, ..) = run.traps().find(|(.., trap)| {
        matches!(
            trap,
            Trap::System {
                instruction: SystemInstruction::Iret { .. },
                ..
            }
        )
    })?;
    let entered =
        |(_, record): &(usize, &common::trace::Record)| matches!(record.event, Event::Enter { .. });
    run.records().iter().enumerate().skip(at).find(entered)
}

/// What the thread needed first, ticks aside.
fn first_trap_of_user(run: &Run, entered: usize) -> Option<(usize, Trap)> {
    let aside = |trap: Trap| matches!(trap, Trap::Budget | Trap::Kicked);
    run.traps()
        .find(|(at, _, trap)| *at > entered && !aside(*trap))
        .map(|(at, _, trap)| (at, trap))
}

pub(super) fn user_ticks_reach_the_kernel(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in ["user", "segments"] {
        let run = bench.run(guest(name), bench.seed, |order| {
            order.tick(host_tick(bench)).guest_tick(GUEST_TICK)
        })?;
        if run.fate.not_yet().is_some() {
            return run.expect_model();
        }
        interrupts::expect(&run, &ALL, SLACK)?;
        some_came(&run)?;
    }
    Ok(())
}

/// Short, so that ticks also come while the kernel is at work, and are held.
const GUEST_TICK: u32 = 1_009;

/// How late a tick may come: a solution may also look at the host's deadlines.
const SLACK: u64 = 2_500;

fn host_tick(bench: &Bench<'_>) -> u64 {
    1_501 + bench.seed % 500
}

fn some_came(run: &Run) -> Result<(), Problem> {
    let injected = |event| matches!(event, Event::Inject(_));
    let came = run.records().iter().any(|record| injected(record.event));
    match (came, run.fate.ending()) {
        (true, Some(Ending::Exited(_))) => Ok(()),
        _ => Err(run
            .failed("ticks interrupt the user thread, and it goes on")
            .into()),
    }
}

pub(super) fn user_keeps_its_registers(bench: &Bench<'_>) -> Result<(), Problem> {
    for (seed, tick) in [(bench.seed, NEVER), (bench.seed + 1, host_tick(bench))] {
        let run = bench.run(guest("user"), seed, |order| {
            order.tick(tick).guest_tick(GUEST_TICK)
        })?;
        run.expect_model()?;
    }
    Ok(())
}

pub(super) fn segment_bases_follow(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let run = bench.run(guest("segments"), seed, |order| order.tick(NEVER))?;
        let run = run.asking(
            "there are two bases in use, and a third that swapgs keeps aside. Which of them does \
             the line come from, and who wrote it last?",
        );
        run.expect_model()?;
    }
    Ok(())
}
