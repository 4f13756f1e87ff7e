//! SSE and SSE2 without floating-point arithmetic, and what SSE3, SSSE3 and
//! SSE4.1 add to it (SDM vol. 1, chapters 10 to 12): enough for what a compiler
//! for x86-64-v2 makes of copies, searches and integer loops.
//!
//! Most instructions differ only in a function of 128-bit values. These
//! functions stand in tables; an operation knows its table and row. Arithmetic
//! on floating-point numbers is absent, and so are the MMX registers and AVX.

mod arithmetic;
mod control;
mod lanes;
mod moves;
mod operand;
mod shift;
mod shuffle;
mod table;

use crate::flags::{CF, ZF};
use crate::interp::access::fallible;
use crate::interp::flags::Flags;
use crate::interp::op::{Flow, Op, Run};
use crate::interp::state::State;
use iced_x86::{EncodingKind, Instruction, Mnemonic};
use operand::{Extra, Source, name, replacing, source, sse, write};
use table::{Extract, Packed, Row, Shift, Shuffle, row};

const PACKED: &[&[Row<Packed>]] = &[arithmetic::ARITHMETIC, shuffle::REARRANGEMENTS];
const FROM_REGISTER: &[&[Row<Packed>]] = &[moves::FROM_REGISTER];
const FROM_ELSEWHERE: &[&[Row<Packed>]] = &[moves::FROM_ELSEWHERE];
const SHUFFLES: &[&[Row<Shuffle>]] = &[shuffle::SHUFFLES, moves::INSERTIONS];
const SHIFTS: &[&[Row<Shift>]] = &[shift::SHIFTS];
const EXTRACTIONS: &[&[Row<Extract>]] = &[moves::EXTRACTIONS];

/// The operation of an instruction of this family.
pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    if instruction.is_string_instruction() || instruction.encoding() != EncodingKind::Legacy {
        return None;
    }
    if let Some(op) = control::lower(instruction) {
        return Some(op);
    }
    if (0..instruction.op_count()).any(|operand| instruction.op_register(operand).is_mm()) {
        return None;
    }
    let mut extra = Extra::new(instruction);
    let (run, (table, row)) = run_and_row(instruction, extra)?;
    (extra.table, extra.row) = (table, row);
    if instruction.mnemonic() == Mnemonic::Insertps && extra.source == Source::Memory {
        extra.immediate &= 0x3f;
    }
    Some(op(instruction, run, extra))
}

fn op(instruction: &Instruction, run: Run, extra: Extra) -> Op {
    let mut op = Op::new(instruction, run);
    let named = |operand| name(instruction.op_register(operand));
    (op.dst, op.src) = (named(0), named(1));
    op.imm = extra.pack();
    op
}

fn run_and_row(instruction: &Instruction, extra: Extra) -> Option<(Run, (u8, u8))> {
    let mnemonic = instruction.mnemonic();
    let to_sse = instruction.op0_register().is_xmm();
    if !to_sse {
        let whole = extra.bytes == 16 && row(FROM_ELSEWHERE, mnemonic).is_some();
        return match () {
            () if whole || is_streamed(mnemonic) => Some((store, (0, 0))),
            () => row(EXTRACTIONS, mnemonic).map(|at| (extract as Run, at)),
        };
    }
    let moved: (Run, _) = match extra.source {
        Source::Sse => (from_register, FROM_REGISTER),
        _ => (from_elsewhere, FROM_ELSEWHERE),
    };
    let found = |run: Run| move |at| (run, at);
    row(moved.1, mnemonic)
        .map(found(moved.0))
        .or_else(|| row(PACKED, mnemonic).map(found(packed)))
        .or_else(|| row(SHUFFLES, mnemonic).map(found(shuffled)))
        .or_else(|| row(SHIFTS, mnemonic).map(found(shifted)))
        .or_else(|| other(mnemonic).map(|run| (run, (0, 0))))
}

/// Stores of a whole register that are never loads.
fn is_streamed(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(mnemonic, Movntdq | Movntps | Movntpd)
}

fn other(mnemonic: Mnemonic) -> Option<Run> {
    Some(match mnemonic {
        Mnemonic::Ptest => test,
        Mnemonic::Pblendvb => blend_bytes,
        Mnemonic::Blendvps => blend_singles,
        Mnemonic::Blendvpd => blend_doubles,
        _ => return None,
    })
}

fn function<F: Copy>(tables: &[&[Row<F>]], extra: Extra) -> F {
    tables[extra.table as usize][extra.row as usize].1
}

fn packed(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |_, a, b, extra| function(PACKED, extra)(a, b))
}

fn from_register(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |_, a, b, extra| {
        function(FROM_REGISTER, extra)(a, b)
    })
}

fn from_elsewhere(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |_, a, b, extra| {
        function(FROM_ELSEWHERE, extra)(a, b)
    })
}

fn shuffled(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |_, a, b, extra| {
        function(SHUFFLES, extra)(a, b, extra.immediate)
    })
}

fn shifted(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |_, a, b, extra| {
        function(SHIFTS, extra)(a, b as u64)
    })
}

fn blend_bytes(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    blend::<u8>(s, op, rest)
}

fn blend_singles(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    blend::<u32>(s, op, rest)
}

fn blend_doubles(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    blend::<u64>(s, op, rest)
}

/// Takes the lanes whose top bit is set in XMM0 from the source.
fn blend<T: lanes::Lane>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    replacing(s, op, rest, |s, a, b, _| {
        shuffle::blend::<T>(a, b, lanes::signs::<T>(s.context.xmm[0]))
    })
}

/// PTEST: ZF if no bit is in both, CF if all of the source's are in the
/// destination.
fn test(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let b = source(s, op, Extra::of(op))?;
        let a = sse(s, op.dst);
        let zero = if a & b == 0 { ZF } else { 0 };
        let carry = if !a & b == 0 { CF } else { 0 };
        s.flags = Flags::from_bits(zero | carry);
        Ok(())
    })
}

fn store(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = sse(s, op.src);
        write(s, op, Extra::of(op), value)
    })
}

/// To memory, or to a general register, whose upper part becomes zero.
fn extract(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let extra = Extra::of(op);
        let value = function(EXTRACTIONS, extra)(sse(s, op.src), extra.immediate);
        if extra.source == Source::Memory {
            return write(s, op, extra, value.into());
        }
        s.regs[op.dst as usize] = value;
        Ok(())
    })
}
