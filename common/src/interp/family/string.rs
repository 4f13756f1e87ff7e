//! String instructions, alone and repeated (SDM vol. 2, REP/REPE/REPNE).
//!
//! An iteration costs one instruction of the budget. So a repeated instruction
//! can be interrupted after each: the registers say how far it has come, and
//! RIP stays on it, as on a real CPU. The same holds when an iteration faults.

use crate::interp::flags::Flags;
use crate::interp::int::{Int, sized};
use crate::interp::op::{Flow, Op, Reg, Run};
use crate::interp::state::State;
use crate::{PAGE_SIZE, Size, Trap};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// Fewer iterations than this are not worth a copy as a whole.
const BULK: u64 = 8;

/// The operation of a string instruction.
pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    use Mnemonic::*;
    if !instruction.is_string_instruction() {
        return None;
    }
    let (size, make): (_, fn(&Instruction, Size) -> Run) = match instruction.mnemonic() {
        Movsb => (Size::Byte, run_of::<Move>),
        Movsw => (Size::Word, run_of::<Move>),
        Movsd => (Size::Dword, run_of::<Move>),
        Movsq => (Size::Qword, run_of::<Move>),
        Stosb => (Size::Byte, run_of::<Store>),
        Stosw => (Size::Word, run_of::<Store>),
        Stosd => (Size::Dword, run_of::<Store>),
        Stosq => (Size::Qword, run_of::<Store>),
        Lodsb => (Size::Byte, run_of::<Load>),
        Lodsw => (Size::Word, run_of::<Load>),
        Lodsd => (Size::Dword, run_of::<Load>),
        Lodsq => (Size::Qword, run_of::<Load>),
        Scasb => (Size::Byte, run_of::<Scan>),
        Scasw => (Size::Word, run_of::<Scan>),
        Scasd => (Size::Dword, run_of::<Scan>),
        Scasq => (Size::Qword, run_of::<Scan>),
        Cmpsb => (Size::Byte, run_of::<Compare>),
        Cmpsw => (Size::Word, run_of::<Compare>),
        Cmpsd => (Size::Dword, run_of::<Compare>),
        Cmpsq => (Size::Qword, run_of::<Compare>),
        _ => return None,
    };
    let mut op = Op::new(instruction, make(instruction, size));
    op.narrow = instruction
        .op_kinds()
        .any(|kind| matches!(kind, OpKind::MemorySegESI | OpKind::MemoryESEDI));
    op.segment = match instruction.memory_segment() {
        Register::FS => Reg::FsBase,
        Register::GS => Reg::GsBase,
        _ => Reg::Zero,
    };
    Some(op)
}

fn run_of<S: Step>(instruction: &Instruction, size: Size) -> Run {
    sized!(size, T => match (instruction.has_rep_prefix(), instruction.has_repne_prefix()) {
        (false, false) => once::<T, S>,
        (true, _) => repeat::<T, S, true>,
        _ => repeat::<T, S, false>,
    })
}

/// One iteration of a string instruction.
trait Step {
    /// Whether repetition also ends by the zero flag.
    const COMPARES: bool;

    /// Does one iteration. If it fails, nothing has changed.
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap>;

    /// Does as many of `count` iterations as can be done at once, upwards and
    /// within pages; 0 if the iterations must be done one by one.
    fn bulk<T: Int>(_s: &mut State, _op: &Op, _count: u64) -> u64 {
        0
    }
}

fn once<T: Int, S: Step>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    match S::step::<T>(s, op) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

/// Repeats until the count is 0, or the zero flag differs from `WHILE_ZERO`.
fn repeat<T: Int, S: Step, const WHILE_ZERO: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    loop {
        let count = address(s, op, Reg::Rcx);
        if count == 0 {
            return s.next_or_leave(rest);
        }
        let done = match S::bulk::<T>(s, op, count.min(s.budget + 1)) {
            0 => match S::step::<T>(s, op) {
                Ok(()) => 1,
                Err(trap) => return s.stop(trap, rest),
            },
            done => done,
        };
        set_address(s, op, Reg::Rcx, count - done);
        // One iteration was paid before it began.
        s.budget -= done - 1;
        if count == done || (S::COMPARES && s.flags.zero() != WHILE_ZERO) {
            return s.next_or_leave(rest);
        }
        if s.must_leave || done > 1 || !s.pay_iteration() {
            s.must_leave = false;
            return s.again(rest);
        }
    }
}

/// The value of RSI, RDI or RCX, as wide as addresses are.
#[inline(always)]
fn address(s: &State, op: &Op, register: Reg) -> u64 {
    let value = s.regs[register as usize];
    if op.narrow {
        value as u32 as u64
    } else {
        value
    }
}

#[inline(always)]
fn set_address(s: &mut State, op: &Op, register: Reg, value: u64) {
    s.regs[register as usize] = if op.narrow {
        value as u32 as u64
    } else {
        value
    };
}

/// Where the source is: the only operand that a segment prefix moves.
#[inline(always)]
fn source(s: &State, op: &Op) -> u64 {
    address(s, op, Reg::Rsi).wrapping_add(s.regs[op.segment as usize])
}

#[inline(always)]
fn destination(s: &State, op: &Op) -> u64 {
    address(s, op, Reg::Rdi)
}

/// Moves RSI or RDI on by `count` elements, in the direction of DF.
#[inline(always)]
fn advance<T: Int>(s: &mut State, op: &Op, register: Reg, count: u64) {
    let distance = count * T::BYTES as u64;
    let old = address(s, op, register);
    let new = match s.down {
        true => old.wrapping_sub(distance),
        false => old.wrapping_add(distance),
    };
    set_address(s, op, register, new);
}

/// How many elements from `address` on lie in its page.
fn elements_in_page<T: Int>(address: u64) -> u64 {
    (PAGE_SIZE - address % PAGE_SIZE) / T::BYTES as u64
}

struct Move;

impl Step for Move {
    const COMPARES: bool = false;

    #[inline(always)]
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
        let value = s.read::<T>(source(s, op), false)?;
        s.write::<T>(destination(s, op), value, false)?;
        advance::<T>(s, op, Reg::Rsi, 1);
        advance::<T>(s, op, Reg::Rdi, 1);
        Ok(())
    }

    fn bulk<T: Int>(s: &mut State, op: &Op, count: u64) -> u64 {
        let (from, to) = (source(s, op), destination(s, op));
        let in_pages = elements_in_page::<T>(from).min(elements_in_page::<T>(to));
        let count = count.min(in_pages);
        let length = count * T::BYTES as u64;
        // An element must not be read before an earlier one has changed it.
        let feeds_itself = to.wrapping_sub(from) < length && to != from;
        if s.down || count < BULK || feeds_itself {
            return 0;
        }
        let mut buffer = [0; PAGE_SIZE as usize];
        let bytes = &mut buffer[..length as usize];
        let copied = s.read_bytes(from, bytes, false);
        if copied
            .and_then(|()| s.write_bytes(to, bytes, false))
            .is_err()
        {
            return 0;
        }
        advance::<T>(s, op, Reg::Rsi, count);
        advance::<T>(s, op, Reg::Rdi, count);
        count
    }
}

struct Store;

impl Step for Store {
    const COMPARES: bool = false;

    #[inline(always)]
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
        s.write::<T>(destination(s, op), T::get(s, Reg::Rax), false)?;
        advance::<T>(s, op, Reg::Rdi, 1);
        Ok(())
    }

    fn bulk<T: Int>(s: &mut State, op: &Op, count: u64) -> u64 {
        let to = destination(s, op);
        let count = count.min(elements_in_page::<T>(to));
        if s.down || count < BULK {
            return 0;
        }
        let mut buffer = [0; PAGE_SIZE as usize];
        let bytes = &mut buffer[..(count * T::BYTES as u64) as usize];
        let element = T::get(s, Reg::Rax).to_le_bytes();
        for place in bytes.chunks_exact_mut(T::BYTES) {
            place.copy_from_slice(&element[..T::BYTES]);
        }
        if s.write_bytes(to, bytes, false).is_err() {
            return 0;
        }
        advance::<T>(s, op, Reg::Rdi, count);
        count
    }
}

struct Load;

impl Step for Load {
    const COMPARES: bool = false;

    #[inline(always)]
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
        let value = s.read::<T>(source(s, op), false)?;
        T::set(s, Reg::Rax, value);
        advance::<T>(s, op, Reg::Rsi, 1);
        Ok(())
    }
}

struct Scan;

impl Step for Scan {
    const COMPARES: bool = true;

    #[inline(always)]
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
        let value = s.read::<T>(destination(s, op), false)?;
        set_flags::<T>(s, T::get(s, Reg::Rax), value);
        advance::<T>(s, op, Reg::Rdi, 1);
        Ok(())
    }
}

struct Compare;

impl Step for Compare {
    const COMPARES: bool = true;

    #[inline(always)]
    fn step<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
        let first = s.read::<T>(source(s, op), false)?;
        let second = s.read::<T>(destination(s, op), false)?;
        set_flags::<T>(s, first, second);
        advance::<T>(s, op, Reg::Rsi, 1);
        advance::<T>(s, op, Reg::Rdi, 1);
        Ok(())
    }
}

#[inline(always)]
fn set_flags<T: Int>(s: &mut State, first: u64, second: u64) {
    s.flags = Flags::sub::<T>(first, second, T::cut(first.wrapping_sub(second)));
}
