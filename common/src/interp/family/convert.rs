//! cbw, cwde, cdqe, cwd, cdq, cqo, and what moves or sets flags: lahf, sahf,
//! clc, stc, cmc, cld, std.

use crate::flags;
use crate::interp::flags::Flags;
use crate::interp::int::Int;
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    let run = match instruction.mnemonic() {
        Mnemonic::Cbw => widen::<u8, u16> as Run,
        Mnemonic::Cwde => widen::<u16, u32>,
        Mnemonic::Cdqe => widen::<u32, u64>,
        Mnemonic::Cwd => spread::<u16>,
        Mnemonic::Cdq => spread::<u32>,
        Mnemonic::Cqo => spread::<u64>,
        Mnemonic::Lahf => lahf,
        Mnemonic::Sahf => sahf,
        Mnemonic::Clc => clc,
        Mnemonic::Stc => stc,
        Mnemonic::Cmc => cmc,
        Mnemonic::Cld => cld,
        Mnemonic::Std => std,
        _ => return None,
    };
    Some(Op::new(instruction, run))
}

/// RAX from half its width.
fn widen<F: Int, T: Int>(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let value = F::sign_extend(F::get(s, Reg::Rax));
    T::set(s, Reg::Rax, value);
    next(s, rest)
}

/// The sign of RAX into all of RDX.
fn spread<T: Int>(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let sign = T::sign_extend(T::get(s, Reg::Rax)) as i64 >> 63;
    T::set(s, Reg::Rdx, sign as u64);
    next(s, rest)
}

/// SF, ZF, AF, PF, CF and bit 1.
fn lahf(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let low = s.flags.to_bits() & 0xff | flags::ALWAYS;
    u8::set(s, Reg::Ah, low);
    next(s, rest)
}

fn sahf(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let kept = s.flags.to_bits() & flags::OF;
    s.flags = Flags::from_bits(u8::get(s, Reg::Ah) | kept);
    next(s, rest)
}

fn clc(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.flags = s.flags.with_carry(false);
    next(s, rest)
}

fn stc(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.flags = s.flags.with_carry(true);
    next(s, rest)
}

fn cmc(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.flags = s.flags.with_carry(!s.flags.carry());
    next(s, rest)
}

fn cld(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.down = false;
    next(s, rest)
}

fn std(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.down = true;
    next(s, rest)
}

#[cfg(test)]
mod tests {
    use crate::Gpr;
    use crate::flags::{ALWAYS, CF, DF, OF, SF, USER, ZF};
    use crate::interp::testing::*;
    use iced_x86::code_asm::*;

    fn after(start: u64, write: impl FnOnce(&mut CodeAssembler)) -> (u64, u64) {
        let prepare = |context: &mut crate::Context| {
            context.registers[Gpr::Rax] = start;
            context.registers[Gpr::Rdx] = 0x5555_5555_5555_5555;
        };
        let registers = run(prepare, write).registers;
        (registers[Gpr::Rax], registers[Gpr::Rdx])
    }

    #[test]
    fn signs_are_extended_into_the_wider_register() {
        let old = 0x5555_5555_5555_5555;
        assert_eq!(after(0x1180, |a| a.cbw().unwrap()), (0xff80, old));
        assert_eq!(after(0x1_8000, |a| a.cwde().unwrap()), (0xffff_8000, old));
        let wide = 0xffff_ffff_8000_0000;
        assert_eq!(after(0x8000_0000, |a| a.cdqe().unwrap()), (wide, old));
        assert_eq!(after(0x8000, |a| a.cwd().unwrap()).1, old | 0xffff);
        assert_eq!(after(0x8000_0000, |a| a.cdq().unwrap()).1, 0xffff_ffff);
        assert_eq!(after(1, |a| a.cqo().unwrap()).1, 0);
    }

    #[test]
    fn flags_go_to_ah_and_back() {
        let context = run(
            |context| context.flags = ALWAYS | OF | ZF,
            |a| {
                a.stc().unwrap();
                a.std().unwrap();
                a.lahf().unwrap();
                a.mov(bl, ah).unwrap();
                a.mov(ah, 0x80).unwrap();
                a.sahf().unwrap();
                a.cmc().unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rbx], CF | ZF | ALWAYS);
        assert_eq!(context.flags & USER, OF | SF | CF | DF);
    }
}
