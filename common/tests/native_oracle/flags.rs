//! Which flags an instruction reads, defines, and leaves undefined.
//!
//! The table is iced-x86's, made from the manual. It is exact where the count
//! of a shift is an immediate; this module adds counts in CL, which a step
//! always loads itself, and repeat prefixes, which may repeat nothing.

use common::flags::{AF, ARITHMETIC, CF, DF, OF, PF, SF, ZF};
use iced_x86::{Instruction, Mnemonic, OpKind, Register, RflagsBits};

/// What an instruction does to the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Flags that its result depends on.
    pub reads: u64,
    /// Flags that hold a specified value afterwards, whatever they held.
    pub defines: u64,
    /// Flags of which the manual says that they are undefined afterwards.
    pub leaves_undefined: u64,
}

/// The effect of an instruction on the flags. `count` is what CL holds, where
/// that is known.
pub fn effect(instruction: &Instruction, count: Option<u8>) -> Effect {
    let repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    let written =
        instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
    let undefined = from_iced(instruction.rflags_undefined());
    let listed = Effect {
        reads: from_iced(instruction.rflags_read()),
        defines: if repeated { 0 } else { from_iced(written) },
        leaves_undefined: undefined,
    };
    match count_of(instruction, count) {
        Some(count) => shift(instruction, count, listed),
        None => listed,
    }
}

/// The masked count of a shift or rotation, if it is one with a known count.
fn count_of(instruction: &Instruction, cl: Option<u8>) -> Option<u32> {
    use Mnemonic::*;
    let shifts = matches!(
        instruction.mnemonic(),
        Shl | Sal | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd
    );
    if !shifts {
        return None;
    }
    let last = instruction.op_count() - 1;
    let raw = match instruction.op_kind(last) {
        OpKind::Register if instruction.op_register(last) == Register::CL => cl?,
        OpKind::Register => return None,
        _ => instruction.immediate(last) as u8,
    };
    let mask = if width(instruction) == 64 { 63 } else { 31 };
    Some(u32::from(raw) & mask)
}

/// The width in bits of the first operand.
pub fn width(instruction: &Instruction) -> u32 {
    let bytes = match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register().size(),
        _ => instruction.memory_size().size(),
    };
    8 * bytes as u32
}

/// SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD and SHRD: a count of 0
/// changes nothing, OF is defined for a count of 1 only, and CF of a shift
/// only for a count below the width. (iced takes a rotation through carry by 9,
/// all around a byte, for one by 0; the manual defines its OF neither.)
fn shift(instruction: &Instruction, count: u32, listed: Effect) -> Effect {
    use Mnemonic::*;
    let mnemonic = instruction.mnemonic();
    let rotates = matches!(mnemonic, Rol | Ror | Rcl | Rcr);
    let touched = if rotates { CF | OF } else { ARITHMETIC };
    let mut leaves_undefined = if rotates { 0 } else { AF };
    if count != 1 {
        leaves_undefined |= OF;
    }
    if !rotates && mnemonic != Sar && count >= width(instruction) {
        leaves_undefined |= CF;
    }
    let mut defines = touched & !leaves_undefined;
    if matches!(mnemonic, Rcl | Rcr) {
        // It may be all around: then CF is what it was.
        defines &= !CF;
    }
    if count == 0 {
        (defines, leaves_undefined) = (0, 0);
    }
    Effect {
        reads: listed.reads,
        defines,
        leaves_undefined,
    }
}

fn from_iced(bits: u32) -> u64 {
    const PAIRS: [(u32, u64); 7] = [
        (RflagsBits::CF, CF),
        (RflagsBits::PF, PF),
        (RflagsBits::AF, AF),
        (RflagsBits::ZF, ZF),
        (RflagsBits::SF, SF),
        (RflagsBits::DF, DF),
        (RflagsBits::OF, OF),
    ];
    let set = PAIRS.iter().filter(|(iced, _)| bits & iced != 0);
    set.map(|(_, flag)| flag).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::Code;

    fn with_cl(code: Code, register: Register, count: u8) -> Effect {
        let instruction = Instruction::with2(code, register, Register::CL).unwrap();
        effect(&instruction, Some(count))
    }

    #[test]
    fn a_count_of_zero_after_masking_changes_nothing() {
        let effect = with_cl(Code::Shl_rm32_CL, Register::EAX, 32);
        assert_eq!((effect.defines, effect.leaves_undefined), (0, 0));
        let effect = with_cl(Code::Rol_rm64_CL, Register::RAX, 64);
        assert_eq!((effect.defines, effect.leaves_undefined), (0, 0));
    }

    #[test]
    fn overflow_is_defined_for_a_count_of_one_only() {
        assert_eq!(
            with_cl(Code::Shl_rm32_CL, Register::EAX, 1).leaves_undefined,
            AF
        );
        let undefined = with_cl(Code::Shl_rm32_CL, Register::EAX, 2).leaves_undefined;
        assert_eq!(undefined, AF | OF);
        let effect = with_cl(Code::Rcl_rm8_CL, Register::AL, 9);
        assert_eq!((effect.defines, effect.leaves_undefined), (0, OF));
    }

    #[test]
    fn carry_is_undefined_when_all_bits_are_shifted_out() {
        let undefined = with_cl(Code::Shr_rm8_CL, Register::AL, 8).leaves_undefined;
        assert_eq!(undefined, AF | OF | CF);
        let undefined = with_cl(Code::Sar_rm8_CL, Register::AL, 8).leaves_undefined;
        assert_eq!(undefined, AF | OF);
    }
}
