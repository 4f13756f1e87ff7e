//! The address of a memory operand, in three forms from fast to general.

use super::op::{Op, Reg};
use super::state::State;

/// How an operation finds the address of its memory operand.
pub trait Address {
    /// The guest-virtual address.
    fn of(s: &State, op: &Op) -> u64;
}

/// `[base + disp]`, also with no base.
pub struct Base;
/// `[base + index * scale + disp]`.
pub struct Index;
/// Any operand: with a segment base, with 32-bit addresses.
pub struct Any;

impl Address for Base {
    #[inline(always)]
    fn of(s: &State, op: &Op) -> u64 {
        s.regs[op.base as usize].wrapping_add(op.disp)
    }
}

impl Address for Index {
    #[inline(always)]
    fn of(s: &State, op: &Op) -> u64 {
        let index = s.regs[op.index as usize] << (op.scale & 3);
        s.regs[op.base as usize]
            .wrapping_add(index)
            .wrapping_add(op.disp)
    }
}

impl Address for Any {
    #[inline(always)]
    fn of(s: &State, op: &Op) -> u64 {
        let offset = Any::offset(s, op);
        offset.wrapping_add(s.regs[op.segment as usize])
    }
}

impl Any {
    /// The address without its segment base, as `lea` wants it.
    #[inline(always)]
    pub fn offset(s: &State, op: &Op) -> u64 {
        let offset = Index::of(s, op);
        if op.narrow {
            offset as u32 as u64
        } else {
            offset
        }
    }
}

impl Op {
    /// Whether the address needs no more than [`Base`].
    pub fn is_base(&self) -> bool {
        self.index == Reg::Zero && !self.is_any()
    }

    /// Whether the address needs [`Any`].
    pub fn is_any(&self) -> bool {
        self.narrow || self.segment != Reg::Zero
    }
}

/// Evaluates an expression with `$A` standing for the fastest form of address
/// that fits a decoded operation.
macro_rules! addressed {
    ($op:expr, $A:ident => $e:expr) => {
        if $op.is_any() {
            type $A = $crate::interp::address::Any;
            $e
        } else if $op.is_base() {
            type $A = $crate::interp::address::Base;
            $e
        } else {
            type $A = $crate::interp::address::Index;
            $e
        }
    };
}

pub(crate) use addressed;
