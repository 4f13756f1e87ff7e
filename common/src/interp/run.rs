//! The dispatcher: from block to block, until something needs attention.

use super::block::{Cache, NONE};
use super::decode::INVALID;
use super::op::{Flow, next};
use super::state::State;
use super::system;
use crate::context::Pending;
use crate::{Fault, Kick, MmioOperation, Trap};

/// Runs from `state.rip` until something stops it; `state.rip` is right then.
///
/// A block is charged to the budget as a whole before it runs; what did not
/// retire is given back when it stops early. If the budget does not last for
/// all of a block, its first instructions run in the precise form.
pub fn run(state: &mut State, cache: &mut Cache, kick: &Kick) -> Trap {
    let view = state.context.space.view;
    let mut from = None;
    'find: loop {
        if state.budget == 0 {
            return Trap::Budget;
        }
        let found = match from {
            None => cache.find(state, state.rip),
            Some(_) => None,
        };
        let mut id = match found {
            Some(id) => id,
            None => match cache.lookup(state, state.rip, from.take()) {
                Ok(id) => id,
                Err(trap) => return trap,
            },
        };
        loop {
            let block = cache.block(id);
            if block.stamp != state.stamp() {
                state.rip = block.rip;
                continue 'find;
            }
            // A pending kick waits until something has retired.
            if kick.is_pending() && state.budget != state.entered.1 {
                state.rip = block.rip;
                return if state.budget == 0 {
                    Trap::Budget
                } else {
                    Trap::Kicked
                };
            }
            if state.budget < block.length {
                match run_part(state, cache, id) {
                    Ok(()) => continue 'find,
                    Err(trap) => return trap,
                }
            }
            state.budget -= block.length;
            let flow = next(state, &block.code.ops);
            if let Some(link) = flow.link() {
                let linked = block.links[link];
                if linked == NONE {
                    state.rip = block.targets[link];
                    from = Some((id, link));
                    continue 'find;
                }
                id = linked;
            } else if flow == Flow::Indirect {
                match cache.recent(state.rip, view) {
                    Some(recent) => id = recent,
                    None => continue 'find,
                }
            } else {
                let all = block.code.ops.len();
                match finish(state, cache, id, flow, all, false) {
                    Ok(()) => continue 'find,
                    Err(trap) => return trap,
                }
            }
        }
    }
}

/// Runs as many instructions of a block as the budget has left.
#[cold]
#[inline(never)]
fn run_part(state: &mut State, cache: &mut Cache, id: u32) -> Result<(), Trap> {
    let count = state.budget as usize;
    let block = cache.block_mut(id);
    let rip = block.rip;
    state.rip = rip;
    if count == 0 {
        return Err(Trap::Budget);
    }
    let targets = block.targets;
    let code = block.precise();
    state.budget = 0;
    let flow = next(state, &code.ops[..count]);
    match flow {
        Flow::Through => state.rip = rip.wrapping_add(code.places[count].offset.into()),
        Flow::Taken => state.rip = targets[1],
        Flow::Indirect => {}
        stopped => return finish(state, cache, id, stopped, count, true),
    }
    Ok(())
}

/// Settles RIP and budget after a block of `all` operations was left early.
#[cold]
#[inline(never)]
fn finish(
    state: &mut State,
    cache: &mut Cache,
    id: u32,
    flow: Flow,
    all: usize,
    precise: bool,
) -> Result<(), Trap> {
    let block = cache.block_mut(id);
    let (rip, system) = (block.rip, block.system);
    let code = if precise {
        block.precise()
    } else {
        &block.code
    };
    let at = all - 1 - state.left;
    let finished = matches!(flow, Flow::Leave | Flow::Pause);
    let done = if finished { at + 1 } else { at };
    let place = code.places[done];
    state.rip = rip.wrapping_add(place.offset.into());
    let unused = u64::from(code.places[all].number - place.number);
    match flow {
        // What has run of a repeated instruction is paid already.
        Flow::Again => return Ok(()),
        _ => state.budget += unused,
    }
    match flow {
        Flow::Leave => match state.context.pending {
            Pending::Write(mmio) => {
                state.context.pending = Pending::Nothing;
                debug_assert!(matches!(mmio.operation, MmioOperation::Write(_)));
                Err(Trap::Mmio(mmio))
            }
            _ => Ok(()),
        },
        Flow::Pause if state.pause() => Err(Trap::SpinLoop),
        Flow::Pause => Ok(()),
        Flow::System => Err(system
            .map(|instruction| system::resolve(state, &instruction))
            .unwrap_or(INVALID)),
        _ => {
            let trap = state.trap.take().unwrap_or(INVALID);
            if trap == Trap::Fault(Fault::Breakpoint) {
                state.rip = rip.wrapping_add(code.places[at + 1].offset.into());
            }
            Err(trap)
        }
    }
}
