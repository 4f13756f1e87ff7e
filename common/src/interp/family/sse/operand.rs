//! Where SSE instructions find and leave their operands.

use crate::interp::access::fallible;
use crate::interp::address::{Address, Any};
use crate::interp::op::{Flow, Op, Reg};
use crate::interp::state::State;
use crate::{Fault, PAGE_SIZE, Trap};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// What an SSE operation needs to know beyond its registers and its address;
/// it travels in [`Op::imm`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The immediate.
    pub immediate: u8,
    /// Where its function is.
    pub table: u8,
    pub row: u8,
    /// What `src` names, if that is not memory.
    pub source: Source,
    /// Width of the memory operand, and whether it must be aligned to that.
    pub bytes: u8,
    pub aligned: bool,
}

/// Where the second operand is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    #[default]
    Sse,
    General,
    Memory,
    /// The immediate is the whole operand.
    Immediate,
}

impl Extra {
    /// As a number, for [`Op::imm`].
    pub fn pack(self) -> u64 {
        u64::from_le_bytes([
            self.immediate,
            self.table,
            self.row,
            self.source as u8,
            self.bytes,
            self.aligned.into(),
            0,
            0,
        ])
    }

    /// Back from the number.
    #[inline(always)]
    pub fn of(op: &Op) -> Extra {
        let [immediate, table, row, source, bytes, aligned, ..] = op.imm.to_le_bytes();
        Extra {
            immediate,
            table,
            row,
            source: match source {
                0 => Source::Sse,
                1 => Source::General,
                2 => Source::Memory,
                _ => Source::Immediate,
            },
            bytes,
            aligned: aligned != 0,
        }
    }

    /// What can be said from the operands alone.
    pub fn new(instruction: &Instruction) -> Extra {
        let memory = instruction.op_kinds().any(|kind| kind == OpKind::Memory);
        let general = instruction.op1_register().is_gpr();
        let bytes = instruction.memory_size().size() as u8;
        let last = instruction.op_count().saturating_sub(1);
        Extra {
            immediate: instruction.try_immediate(last).unwrap_or(0) as u8,
            source: match instruction.op1_kind() {
                _ if memory => Source::Memory,
                OpKind::Immediate8 => Source::Immediate,
                _ if general => Source::General,
                _ => Source::Sse,
            },
            bytes,
            aligned: bytes == 16 && !may_be_unaligned(instruction.mnemonic()),
            ..Extra::default()
        }
    }
}

/// All other operands of 16 bytes must be aligned (SDM vol. 1, 11.3; without
/// AVX).
fn may_be_unaligned(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(mnemonic, Movups | Movupd | Movdqu | Lddqu)
}

/// The name that an SSE register has in an [`Op`]: that of the general register
/// with its number.
pub fn name(register: Register) -> Reg {
    match register.is_xmm() {
        true => Reg::of(Register::RAX + register.number() as u32),
        false => Reg::of(register),
    }
}

/// The value of an SSE register.
#[inline(always)]
pub fn sse(s: &State, name: Reg) -> u128 {
    s.context.xmm[name as usize & 15]
}

/// The value of the second operand, with zeros above it.
pub fn source(s: &mut State, op: &Op, extra: Extra) -> Result<u128, Trap> {
    match extra.source {
        Source::Sse => Ok(sse(s, op.src)),
        Source::General => Ok(s.regs[op.src as usize].into()),
        Source::Memory => read(s, op, extra),
        Source::Immediate => Ok(extra.immediate.into()),
    }
}

/// Runs an operation that makes the new value of its destination.
#[inline(always)]
pub fn replacing(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    new: impl Fn(&State, u128, u128, Extra) -> u128,
) -> Flow {
    fallible(s, op, rest, |s, op| {
        let extra = Extra::of(op);
        let source = source(s, op, extra)?;
        let old = sse(s, op.dst);
        s.context.xmm[op.dst as usize & 15] = new(s, old, source, extra);
        Ok(())
    })
}

fn read(s: &mut State, op: &Op, extra: Extra) -> Result<u128, Trap> {
    let address = place(s, op, extra)?;
    let value = match extra.bytes {
        1 => s.read::<u8>(address, op.stack)?,
        2 => s.read::<u16>(address, op.stack)?,
        4 => s.read::<u32>(address, op.stack)?,
        8 => s.read::<u64>(address, op.stack)?,
        _ => {
            let low = s.read::<u64>(address, op.stack)?;
            let high = s.read::<u64>(address.wrapping_add(8), op.stack)?;
            return Ok(u128::from(high) << 64 | u128::from(low));
        }
    };
    Ok(value.into())
}

/// Writes the memory operand.
pub fn write(s: &mut State, op: &Op, extra: Extra, value: u128) -> Result<(), Trap> {
    let address = place(s, op, extra)?;
    let low = value as u64;
    match extra.bytes {
        1 => s.write::<u8>(address, low, op.stack),
        2 => s.write::<u16>(address, low, op.stack),
        4 => s.write::<u32>(address, low, op.stack),
        8 => s.write::<u64>(address, low, op.stack),
        _ if address % PAGE_SIZE > PAGE_SIZE - 16 => {
            s.write_bytes(address, &value.to_le_bytes(), op.stack)
        }
        // In one page: if the first write is allowed, so is the second.
        _ => {
            s.write::<u64>(address, low, op.stack)?;
            s.write::<u64>(address.wrapping_add(8), (value >> 64) as u64, op.stack)
        }
    }
}

/// The address of the memory operand, which must be aligned where the
/// instruction asks for it.
fn place(s: &State, op: &Op, extra: Extra) -> Result<u64, Trap> {
    let address = Any::of(s, op);
    if extra.aligned && !address.is_multiple_of(16) {
        return Err(Trap::Fault(Fault::GeneralProtection(0)));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_survives_the_way_through_an_op() {
        let extra = Extra {
            immediate: 1,
            table: 2,
            row: 3,
            source: Source::Memory,
            bytes: 16,
            aligned: true,
        };
        let mut op = Op::new(&Instruction::default(), |_, _, _| Flow::Through);
        op.imm = extra.pack();
        assert_eq!(Extra::of(&op), extra);
    }
}
