//! A fork bomb, and what the VMM has to do for it.

use super::{LIMIT, NEVER, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use common::SystemInstruction::{Iret, Syscall, Sysret};
use common::Trap;
use common::trace::Event;

pub(super) fn stays_inside(bench: &Bench<'_>) -> Result<(), Problem> {
    for seed in bench.seed..bench.seed + 2 {
        let run = bench.run(guest("fork-bomb"), seed, |order| {
            let order = order.tick(NEVER).limit(LIMIT);
            match bench.is_hardware() {
                true => order, // a tick of the guest's own length
                false => order.guest_tick(SHORT_TICK),
            }
        })?;
        run.expect_model()?;
        if !bench.is_hardware() {
            work_is_flat(&run)?; // there the VMM has no work at all
        }
    }
    Ok(())
}

/// The bomb is over soon: so short that many ticks come before, and long enough
/// for the threads to get somewhere between two of them.
const SHORT_TICK: u32 = 401;

/// What the VMM does for one tick at most, whoever runs: deliver it, carry the
/// end of interrupt to the APIC, emulate the way out of user mode and back.
const TRAPS: usize = 8;

/// Passes if the VMM is not asked for more by many threads than by few: between
/// two ticks there is nothing but system calls, the console and what a tick
/// itself takes.
fn work_is_flat(run: &Run) -> Result<(), Problem> {
    let first_tick = first_tick(run)?;
    let mut traps = 0;
    for (at, record) in run.records().iter().enumerate() {
        match record.event {
            Event::Inject(_) => traps = 0,
            Event::Trap { trap, .. } if !is_asked_for(trap) => {
                traps += 1;
                if traps > TRAPS && at > first_tick {
                    return Err(too_much(run, at).into());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A system call or the console: the guest's own wish, and not the switch's.
fn is_asked_for(trap: Trap) -> bool {
    match trap {
        Trap::System { instruction, .. } => {
            matches!(instruction, Syscall | Sysret { .. } | Iret { .. })
                || super::switching::is_swap_or_port(instruction)
        }
        Trap::Budget | Trap::Kicked => true,
        _ => false,
    }
}

/// Where the first tick comes: what is before it sets up the machine.
fn first_tick(run: &Run) -> Result<usize, Problem> {
    let injected = |record: &common::trace::Record| matches!(record.event, Event::Inject(_));
    let first = run.records().iter().position(injected);
    first.ok_or_else(|| run.failed("ticks come while the bomb goes off").into())
}

fn too_much(run: &Run, at: usize) -> Failure {
    let expected = format!("at most {TRAPS} traps for each tick, however many threads there are");
    run.failure(expected, "more of them", Some(at))
        .thought("what in a switch needs the VMM at all?")
}
