//! Operand widths as types, so that each operation is compiled for each width.

use super::op::Reg;
use super::state::State;
use crate::Size;
use crate::memory::Word;

/// An operand's width: `u8`, `u16`, `u32` or `u64`.
///
/// Values travel as `u64` with zeros above the width.
pub trait Int: Word {
    /// The width in bits.
    const BITS: u32 = Self::SIZE.bits();

    /// The low bits of `value`, their top bit copied upwards.
    #[inline(always)]
    fn sign_extend(value: u64) -> u64 {
        let above = 64 - Self::BITS;
        ((value << above) as i64 >> above) as u64
    }

    /// The low bits of `value`, zeros above.
    #[inline(always)]
    fn cut(value: u64) -> u64 {
        Self::of(value).wide()
    }

    /// The top bit of `value`.
    #[inline(always)]
    fn top(value: u64) -> bool {
        value >> (Self::BITS - 1) & 1 != 0
    }

    /// Reads a register.
    #[inline(always)]
    fn get(s: &State, register: Reg) -> u64 {
        if Self::BITS == 8 && register.is_high() {
            return s.regs[register.whole() as usize] >> 8 & 0xff;
        }
        Self::cut(s.regs[register as usize])
    }

    /// Writes a register: 8 and 16 bits leave what is above, 32 bits clear it.
    #[inline(always)]
    fn set(s: &mut State, register: Reg, value: u64) {
        match Self::SIZE {
            Size::Byte if register.is_high() => {
                let whole = &mut s.regs[register.whole() as usize];
                *whole = *whole & !0xff00 | (value & 0xff) << 8;
            }
            Size::Byte | Size::Word => {
                let whole = &mut s.regs[register as usize];
                *whole = *whole & !Self::SIZE.mask() | Self::cut(value);
            }
            Size::Dword | Size::Qword => s.regs[register as usize] = Self::cut(value),
        }
    }
}

impl Int for u8 {}
impl Int for u16 {}
impl Int for u32 {}
impl Int for u64 {}

/// Evaluates an expression with `$T` standing for the type of a [`Size`] that
/// is known only when an instruction is decoded.
macro_rules! sized {
    ($size:expr, $T:ident => $e:expr) => {
        match $size {
            $crate::Size::Byte => {
                type $T = u8;
                $e
            }
            $crate::Size::Word => {
                type $T = u16;
                $e
            }
            $crate::Size::Dword => {
                type $T = u32;
                $e
            }
            $crate::Size::Qword => {
                type $T = u64;
                $e
            }
        }
    };
}

/// Evaluates an expression with `$F` standing for a `const bool` that is known
/// only when an instruction is decoded.
macro_rules! either {
    ($flag:expr, $F:ident => $e:expr) => {
        if $flag {
            const $F: bool = true;
            $e
        } else {
            const $F: bool = false;
            $e
        }
    };
}

/// Evaluates an expression with `$C` standing for a `const u8` condition number
/// (0 to 15) that is known only when an instruction is decoded.
macro_rules! conditional {
    ($number:expr, $C:ident => $e:expr) => {
        conditional!(@ $number, $C, $e, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@ $number:expr, $C:ident, $e:expr, $($n:literal)*) => {
        match $number {
            $($n => { const $C: u8 = $n; $e })*
            _ => { const $C: u8 = 15; $e }
        }
    };
}

pub(crate) use {conditional, either, sized};
