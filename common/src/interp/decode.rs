//! From bytes to a block of operations.

use super::block::{Code, Place};
use super::family;
use super::fetch::Window;
use super::op::{Flow, Op, next};
use super::state::State;
use super::system;
use crate::{Fault, Trap};
use iced_x86::{
    Decoder, DecoderError, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, RflagsBits,
};

/// The most instructions in a block. It bounds the host's stack, should the
/// compiler ever not make jumps of the calls from operation to operation.
const LONGEST: usize = 48;

const ARITHMETIC: u32 = RflagsBits::CF
    | RflagsBits::PF
    | RflagsBits::AF
    | RflagsBits::ZF
    | RflagsBits::SF
    | RflagsBits::OF;

/// A decoded block, without its place in memory.
pub struct Decoded {
    pub code: Code,
    pub length: u64,
    pub targets: [u64; 2],
    pub system: Option<Instruction>,
}

impl Decoded {
    pub fn length_in_bytes(&self) -> usize {
        self.code.places.last().map_or(0, |end| end.offset.into())
    }
}

/// Decodes the block at `rip`, asking for bytes of the next page only if the
/// first instruction needs them.
///
/// # Errors
/// The trap that the fetch of those causes.
pub fn block(rip: u64, window: &mut Window) -> Result<Decoded, Trap> {
    let mut instructions = decode(rip, window.bytes());
    if instructions.is_empty() {
        window.extend()?;
        instructions = decode(rip, window.bytes());
        instructions.truncate(1);
    }
    let last = instructions.last().ok_or(INVALID)?;
    let ends = [last.next_ip(), target(last)];
    let system = system::is_system(last).then_some(*last);
    Ok(Decoded {
        length: instructions.len() as u64,
        code: fast(rip, &instructions),
        targets: ends,
        system,
    })
}

/// The instructions of a block in the form that can be stopped anywhere.
pub fn precise(rip: u64, bytes: &[u8]) -> Code {
    let mut code = Builder::new(rip);
    for instruction in &decode(rip, bytes) {
        let op = family::lower(instruction, true).unwrap_or_else(|| trapping(instruction));
        code.push(op, instruction, 1);
    }
    code.finish()
}

/// The instructions from `rip` to the end of the block or of `bytes`. An
/// undecodable one ends it; one that is cut off is not in it.
fn decode(rip: u64, bytes: &[u8]) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, rip, DecoderOptions::NONE);
    let mut instructions = Vec::with_capacity(16);
    while decoder.can_decode() && instructions.len() < LONGEST {
        let instruction = decoder.decode();
        if decoder.last_error() == DecoderError::NoMoreBytes {
            break;
        }
        instructions.push(instruction);
        if ends_block(&instruction) {
            break;
        }
    }
    instructions
}

/// Whether nothing may follow an instruction in its block: what jumps, what
/// traps, and what looks at the budget (`rdtsc`, repeated string instructions).
fn ends_block(instruction: &Instruction) -> bool {
    instruction.flow_control() != FlowControl::Next
        || instruction.is_invalid()
        || instruction.mnemonic() == Mnemonic::Rdtsc
        || is_repeated(instruction)
        || system::is_system(instruction)
}

fn is_repeated(instruction: &Instruction) -> bool {
    instruction.is_string_instruction()
        && (instruction.has_rep_prefix() || instruction.has_repne_prefix())
}

fn target(last: &Instruction) -> u64 {
    match last.op0_kind() {
        OpKind::NearBranch64 | OpKind::NearBranch32 | OpKind::NearBranch16 => {
            last.near_branch_target()
        }
        _ => last.next_ip(),
    }
}

/// Lowers with dead flags left out, and a compare fused with its jump.
///
/// It goes backwards, and knows at each instruction whether anybody may look at
/// the flags it leaves: a later instruction, whoever runs after the block, the
/// handler of a later instruction's fault; or whoever runs next, if the
/// instruction is a store that changes what comes after it.
fn fast(rip: u64, instructions: &[Instruction]) -> Code {
    let mut reversed = Vec::with_capacity(instructions.len());
    let mut rest = instructions;
    let mut wanted = true;
    if let [before @ .., compare, jump] = instructions
        && let Some(op) = family::fuse(compare, jump)
    {
        reversed.push((op, 2));
        wanted = wants_flags(compare, true);
        rest = before;
    }
    for instruction in rest.iter().rev() {
        let flags = wanted || can_leave(instruction);
        wanted = wants_flags(instruction, wanted);
        let op = family::lower(instruction, flags).unwrap_or_else(|| {
            wanted = true;
            trapping(instruction)
        });
        reversed.push((op, 1));
    }
    let mut code = Builder::new(rip);
    let mut number = 0;
    for (op, count) in reversed.into_iter().rev() {
        number += count;
        code.push(op, &instructions[number - 1], count);
    }
    code.finish()
}

/// Whether flags are wanted before an instruction, if they are or are not
/// behind it.
fn wants_flags(instruction: &Instruction, behind: bool) -> bool {
    let reads = instruction.rflags_read() & ARITHMETIC != 0;
    reads || can_stop(instruction) || behind && !overwrites_flags(instruction)
}

/// Whether all six flags are new after an instruction, whatever its operands.
fn overwrites_flags(instruction: &Instruction) -> bool {
    let may_keep = matches!(
        instruction.mnemonic(),
        // Shifts by zero change no flag; divisions here leave flags alone.
        Mnemonic::Shl
            | Mnemonic::Sal
            | Mnemonic::Shr
            | Mnemonic::Sar
            | Mnemonic::Shld
            | Mnemonic::Shrd
            | Mnemonic::Div
            | Mnemonic::Idiv
    );
    instruction.rflags_modified() & ARITHMETIC == ARITHMETIC && !may_keep
}

/// Whether an instruction can fault, trap, or let something be seen in between.
fn can_stop(instruction: &Instruction) -> bool {
    let harmless = |operand| {
        matches!(
            instruction.op_kind(operand),
            OpKind::Register
                | OpKind::Immediate8
                | OpKind::Immediate16
                | OpKind::Immediate32
                | OpKind::Immediate64
                | OpKind::Immediate8to16
                | OpKind::Immediate8to32
                | OpKind::Immediate8to64
                | OpKind::Immediate32to64
        )
    };
    let is_lea = instruction.mnemonic() == Mnemonic::Lea;
    let divides = matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv);
    let pauses = instruction.mnemonic() == Mnemonic::Pause;
    divides
        || pauses
        || instruction.is_stack_instruction()
        || ends_block(instruction)
        || !(is_lea || (0..instruction.op_count()).all(harmless))
}

/// Whether the block may be left behind an instruction, since it has stored.
fn can_leave(instruction: &Instruction) -> bool {
    instruction.op0_kind() != OpKind::Register && can_stop(instruction)
}

/// The operation for an instruction that no family knows.
fn trapping(instruction: &Instruction) -> Op {
    let run = if instruction.is_invalid() {
        // Nothing that is an instruction is longer, whatever follows.
        if instruction.len() < 15 {
            invalid
        } else {
            too_long
        }
    } else if system::is_system(instruction) {
        system_instruction
    } else {
        unimplemented
    };
    Op::new(instruction, run)
}

/// What an instruction that does not exist raises.
pub const INVALID: Trap = Trap::Fault(Fault::InvalidOpcode {
    unimplemented: false,
});

fn invalid(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.stop(INVALID, rest)
}

/// After fourteen prefixes, whatever follows.
fn too_long(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.stop(Trap::Fault(Fault::GeneralProtection(0)), rest)
}

fn unimplemented(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let fault = Fault::InvalidOpcode {
        unimplemented: true,
    };
    s.stop(Trap::Fault(fault), rest)
}

fn system_instruction(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.left = rest.len();
    Flow::System
}

/// Collects operations with their places.
struct Builder {
    rip: u64,
    ops: Vec<Op>,
    places: Vec<Place>,
}

impl Builder {
    fn new(rip: u64) -> Builder {
        let start = Place {
            offset: 0,
            number: 0,
        };
        Builder {
            rip,
            ops: Vec::with_capacity(16),
            places: vec![start],
        }
    }

    /// Adds an operation that stands for `count` instructions up to `last`.
    fn push(&mut self, op: Op, last: &Instruction, count: usize) {
        let before = self.places.last().map_or(0, |place| place.number);
        self.ops.push(op);
        self.places.push(Place {
            offset: last.next_ip().wrapping_sub(self.rip) as u16,
            number: before + count as u16,
        });
    }

    fn finish(self) -> Code {
        Code {
            ops: self.ops.into(),
            places: self.places.into(),
        }
    }
}

/// Does nothing.
pub fn nothing(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    next(s, rest)
}
