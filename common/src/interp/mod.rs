//! The software CPU: x86-64 user code, decoded once and run from a cache.
//!
//! ```text
//!  Interp::enter
//!    run       from block to block: budget, kick, stamp, links
//!    block     the cache of decoded blocks, and when one is still true
//!    fetch     where their bytes come from
//!    decode    bytes -> iced-x86 instructions -> operations
//!    family/*  what each instruction does, one file a family
//!    access    loads and stores of one operand: the fast path
//!    virtual_memory  all other accesses: walk, fault, page border, MMIO
//!    spaces    what is still known of address spaces that were left
//!    system    what deprivileged code may not run, as traps
//! ```
//!
//! A block is a slice of `Op`s: a function with its operands. Each
//! function calls the next one as its very last act; the optimiser makes jumps
//! of these calls, so that a block runs without returning to a loop. (If it
//! ever does not, the host's stack is still safe: a block has at most 48 ops.)
//!
//! # What a program sees
//!
//! - Time is the count of retired instructions. Each iteration of a repeated
//!   string instruction counts as one; the instruction is left (restartably)
//!   between iterations when the budget ends. An instruction that is finished
//!   by [`Cpu::complete`] is not counted: the tick that its trap costs pays it.
//! - Flags that the manual leaves undefined are the same in every run: AF is 0
//!   after logic, shifts and multiplications; a multiplication sets SF, ZF and
//!   PF by the low half of the product; OF after a shift by more than one is as
//!   after the last single step; bsf and bsr clear all but ZF and PF;
//!   divisions and bit tests leave the flags alone.
//! - Code that changes code sees the change at the next instruction.
//!
//! # How to add a family
//!
//! 1. Write `family/NAME.rs` with `pub fn lower(&Instruction, flags: bool) ->
//!    Option<Op>`, and add it to `FAMILIES` in `family/mod.rs`. `lower` says
//!    `None` to what it does not know; `Op::new` takes the
//!    operands over (first register in `dst`, second in `src`, an immediate in
//!    `imm`, the memory operand in its fields), and `imm` and `disp` are free
//!    for other uses where they are not needed. A locked instruction is only
//!    offered to `family/atomic.rs`.
//! 2. An operation is `fn(&mut State, &Op, rest: &[Op]) -> Flow`. It ends with
//!    `next(s, rest)`, in tail position: nothing may need to be
//!    dropped and no reference to a local may be alive, or the jump becomes a
//!    call. Only instructions for which `decode::ends_block` is true may end
//!    with another `Flow`; those end their block.
//! 3. It is generic over what is known at decoding (width `T: Int`, address
//!    form `A: Address`, `const FLAGS: bool`); `sized!`, `addressed!`,
//!    `either!` and `conditional!` pick the instance. `T::get` and `T::set` are
//!    for registers: they know AH to BH and that 32-bit writes clear the rest.
//! 4. Memory: `access::load`, `access::store` and `access::update` for one
//!    operand that may also be a device; `State::read`,
//!    `write`, `read_bytes`, `write_bytes`, `locked` within
//!    `access::fallible` for anything else: they report a device as
//!    `Unsupported`.
//! 5. Faults must be restartable: nothing (register, flag, memory) may have
//!    changed when an operation stops, so everything that can fail comes before
//!    the first change. Use `check_write` if a later store must not fail. Tell
//!    with `s.stop(trap, rest)`, or `Err(trap)` in `fallible`.
//! 6. Flags: assign `s.flags`, made by one of `Flags`'s
//!    functions. With `flags == false` it may be left out. An instruction of
//!    which iced-x86 says that it modifies all six flags must set all six, or
//!    be named in `decode::overwrites_flags`.
//! 7. A repeated string instruction ends its block. Its first iteration is paid
//!    with the block; before each further one ask
//!    `s.pay_iteration()`, and if that says no,
//!    return `s.again(rest)`: it is run again from its
//!    registers, which must be as the manual has them between iterations.
//! 8. An instruction that is not here raises #UD, marked as unimplemented.
//!    What `system::is_system` names and no family takes becomes a trap.

mod access;
mod address;
mod block;
mod decode;
mod family;
mod fetch;
mod flags;
mod int;
mod op;
mod run;
mod spaces;
mod state;
mod system;
mod virtual_memory;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use crate::context::Pending;
use crate::{Context, Cpu, Kick, Memory, MmioOperation, Time, Trap};
use block::Cache;
use state::State;
use std::sync::atomic::{AtomicU64, Ordering};

/// The software CPU.
pub struct Interp {
    state: Box<State>,
    cache: Cache,
}

impl Interp {
    /// A CPU whose context is `Context::new(memory)`.
    pub fn new(memory: Memory) -> Interp {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Interp {
            state: Box::new(State::new(memory, number)),
            cache: Cache::new(),
        }
    }

    /// A kick that has come already leaves time for one instruction.
    fn run_kicked(&mut self, now: Time, kick: &Kick) -> (Trap, u64) {
        match self.run(now, 1, kick) {
            (Trap::Budget, retired) => (Trap::Kicked, retired),
            stopped => stopped,
        }
    }

    fn run(&mut self, now: Time, budget: u64, kick: &Kick) -> (Trap, u64) {
        let state = &mut *self.state;
        state.begin();
        state.entered = (now, budget);
        state.budget = budget;
        let trap = run::run(state, &mut self.cache, kick);
        state.end();
        let retired = budget - state.budget;
        if let Some(filter) = &mut state.context.pause_filter {
            filter.leave(retired);
        }
        (trap, retired)
    }
}

impl Cpu for Interp {
    fn context(&mut self) -> &mut Context {
        &mut self.state.context
    }

    fn enter(&mut self, now: Time, budget: u64, kick: &Kick) -> (Trap, u64) {
        match std::mem::take(&mut self.state.context.pending) {
            Pending::Nothing => {}
            Pending::Write(mmio) => return (Trap::Mmio(mmio), 0),
            Pending::Read => panic!("entered while a read from MMIO waits for its answer"),
        }
        let (trap, retired) = match kick.is_pending() && budget > 1 {
            true => self.run_kicked(now, kick),
            false => self.run(now, budget, kick),
        };
        if let Trap::Mmio(mmio) = trap
            && mmio.operation == MmioOperation::Read
        {
            self.state.context.pending = Pending::Read;
        }
        (trap, retired)
    }

    /// Runs the instruction once more, with the answer in place of the device.
    /// Should it no longer get that far, since somebody has changed the page
    /// tables or the code meanwhile, the next entry runs it anew.
    fn complete(&mut self, value: u64) {
        let pending = std::mem::take(&mut self.state.context.pending);
        assert_eq!(pending, Pending::Read, "no read from MMIO waits");
        self.state.answer = Some(value);
        let now = self.state.entered.0;
        let (trap, _) = self.run(now, 1, &Kick::default());
        self.state.answer = None;
        if let Trap::Mmio(mmio) = trap
            && matches!(mmio.operation, MmioOperation::Write(_))
        {
            self.state.context.pending = Pending::Write(mmio);
        }
    }
}
