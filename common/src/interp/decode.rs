//! From bytes to a block of operations.

use super::block::{Code, INVALID, Place, Window};
use super::family;
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
        code.push(lower(instruction, true), instruction, 1);
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
        // Fifteen bytes are always enough to see what an instruction is.
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

/// Lowers with dead flags left out, and compares fused with their jumps.
fn fast(rip: u64, instructions: &[Instruction]) -> Code {
    let wanted = wanted_flags(instructions);
    let mut code = Builder::new(rip);
    let mut number = 0;
    while let Some(instruction) = instructions.get(number) {
        let fused = instructions
            .get(number + 1)
            .filter(|_| number + 2 == instructions.len())
            .and_then(|jump| family::fuse(instruction, jump));
        let (op, count) = match fused {
            Some(op) => (op, 2),
            None => (lower(instruction, wanted[number]), 1),
        };
        code.push(op, &instructions[number + count - 1], count);
        number += count;
    }
    code.finish()
}

/// For each instruction, whether anybody may look at the flags it leaves: a
/// later instruction, whoever runs after the block, or the handler of a later
/// instruction's fault.
fn wanted_flags(instructions: &[Instruction]) -> Vec<bool> {
    let mut wanted = vec![true; instructions.len()];
    let mut later = true;
    for (instruction, wanted) in instructions.iter().zip(&mut wanted).rev() {
        *wanted = later;
        if overwrites_flags(instruction) {
            later = false;
        }
        if instruction.rflags_read() & ARITHMETIC != 0 || can_stop(instruction) {
            later = true;
        }
    }
    wanted
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
    divides
        || instruction.is_stack_instruction()
        || ends_block(instruction)
        || !(is_lea || (0..instruction.op_count()).all(harmless))
}

/// The operation for one instruction; one that traps if there is none.
fn lower(instruction: &Instruction, flags: bool) -> Op {
    if instruction.is_invalid() {
        return Op::new(instruction, invalid);
    }
    family::lower(instruction, flags).unwrap_or_else(|| {
        let run = if system::is_system(instruction) {
            system_instruction
        } else {
            unimplemented
        };
        Op::new(instruction, run)
    })
}

fn invalid(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.stop(INVALID, rest)
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
