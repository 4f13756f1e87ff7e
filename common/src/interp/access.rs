//! How operations load and store.
//!
//! The fast path is a TLB hit, inlined. Everything else is in a cold function
//! that is called in tail position, so that the fast path needs no stack frame.
//!
//! [`load`], [`store`] and [`update`] are for operations with one memory operand
//! that may also be a device's register. Instructions that do more use
//! [`State::read`] and its like (see [`virtual_memory`](super::virtual_memory)),
//! which insist on RAM, within [`fallible`].

use super::address::{Address, Any};
use super::flags::Flags;
use super::int::Int;
use super::op::{Flow, Op, next};
use super::state::State;
use crate::Trap;

/// Loads the memory operand and goes on with `finish`, which gets the value and
/// must not fail.
#[inline(always)]
pub fn load<A: Address, T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    finish: impl Fn(&mut State, &Op, u64) + Copy,
) -> Flow {
    load_then::<A, T>(s, op, rest, move |s, op, rest, value| {
        finish(s, op, value);
        next(s, rest)
    })
}

/// Loads the memory operand and gives it to `then`, which ends the operation
/// as it likes.
#[inline(always)]
pub fn load_then<A: Address, T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    then: impl Fn(&mut State, &Op, &[Op], u64) -> Flow + Copy,
) -> Flow {
    let address = A::of(s, op);
    match s.tlb.read::<T>(address) {
        Some(value) => then(s, op, rest, value.wide()),
        None => load_cold::<T>(s, op, rest, then),
    }
}

#[cold]
#[inline(never)]
fn load_cold<T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    then: impl Fn(&mut State, &Op, &[Op], u64) -> Flow + Copy,
) -> Flow {
    match s.load_operand::<T>(Any::of(s, op), op.stack) {
        Ok(value) => then(s, op, rest, value),
        Err(trap) => s.stop(trap, rest),
    }
}

/// Stores `value` in the memory operand and goes on.
#[inline(always)]
pub fn store<A: Address, T: Int>(s: &mut State, op: &Op, rest: &[Op], value: u64) -> Flow {
    let address = A::of(s, op);
    match s.tlb.slot::<T>(address) {
        Some(slot) => {
            if slot.store(T::of(value)) {
                return next(s, rest);
            }
            touched::<T>(s, rest, address)
        }
        None => store_cold::<T>(s, op, rest, value),
    }
}

#[cold]
#[inline(never)]
fn store_cold<T: Int>(s: &mut State, op: &Op, rest: &[Op], value: u64) -> Flow {
    match s.store_operand::<T>(Any::of(s, op), op.stack, value) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

/// After a store into a page with code.
#[cold]
#[inline(never)]
pub fn touched<T: Int>(s: &mut State, rest: &[Op], address: u64) -> Flow {
    s.note_store(address, T::BYTES as u64);
    s.next_or_leave(rest)
}

/// Replaces the memory operand by what `compute` makes of it, together with the
/// new flags, which are kept if `FLAGS`; then goes on.
#[inline(always)]
pub fn update<A: Address, T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    compute: impl Fn(&State, &Op, u64) -> (u64, Flags) + Copy,
) -> Flow {
    let address = A::of(s, op);
    match s.tlb.slot::<T>(address) {
        Some(slot) => {
            let (value, flags) = compute(s, op, slot.load().wide());
            let clear = slot.store(T::of(value));
            if FLAGS {
                s.flags = flags;
            }
            if clear {
                return next(s, rest);
            }
            touched::<T>(s, rest, address)
        }
        None => update_cold::<T, FLAGS>(s, op, rest, compute),
    }
}

#[cold]
#[inline(never)]
fn update_cold<T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    compute: impl Fn(&State, &Op, u64) -> (u64, Flags) + Copy,
) -> Flow {
    let address = Any::of(s, op);
    let done = (|| {
        s.check_write(address, T::BYTES as u64, op.stack)?;
        let old = s.load_operand::<T>(address, op.stack)?;
        let (value, flags) = compute(s, op, old);
        s.store_operand::<T>(address, op.stack, value)?;
        if FLAGS {
            s.flags = flags;
        }
        Ok(())
    })();
    match done {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

/// Runs an operation that may fail at several points. `body` must not change
/// anything before the last thing that can fail.
#[inline(always)]
pub fn fallible(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    body: impl Fn(&mut State, &Op) -> Result<(), Trap>,
) -> Flow {
    match body(s, op) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

impl State {
    /// Goes on with the next operation, unless a store of this one (by
    /// [`State::write`]) needs the block to be left.
    #[inline(always)]
    pub fn next_or_leave(&mut self, rest: &[Op]) -> Flow {
        if self.must_leave {
            return self.leave(rest);
        }
        next(self, rest)
    }
}
