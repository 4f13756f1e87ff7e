//! The general registers and the flags that user code owns.

use crate::Size;
use std::ops::{Index, IndexMut};

/// The name of a general register, numbered as x86 encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)] // the names are the meaning
#[repr(u8)]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

impl Gpr {
    /// All sixteen, in the order of their numbers.
    pub const ALL: [Gpr; 16] = [
        Gpr::Rax,
        Gpr::Rcx,
        Gpr::Rdx,
        Gpr::Rbx,
        Gpr::Rsp,
        Gpr::Rbp,
        Gpr::Rsi,
        Gpr::Rdi,
        Gpr::R8,
        Gpr::R9,
        Gpr::R10,
        Gpr::R11,
        Gpr::R12,
        Gpr::R13,
        Gpr::R14,
        Gpr::R15,
    ];

    /// The register's name in assembly text, such as `rax`.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        NAMES[self as usize]
    }
}

/// The sixteen general registers. `registers[Gpr::Rax]` is all 64 bits of RAX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers(pub [u64; 16]);

impl Registers {
    /// The low `size` of a register, the rest zero.
    pub fn read(&self, register: Gpr, size: Size) -> u64 {
        size.truncate(self[register])
    }

    /// Writes the low `size` of a register as the CPU does: a byte or a word
    /// leaves the bits above it, a dword clears them (SDM vol. 1, 3.4.1.1).
    pub fn write(&mut self, register: Gpr, size: Size, value: u64) {
        let kept = match size {
            Size::Byte | Size::Word => self[register] & !size.mask(),
            Size::Dword | Size::Qword => 0,
        };
        self[register] = kept | size.truncate(value);
    }
}

impl Index<Gpr> for Registers {
    type Output = u64;

    fn index(&self, register: Gpr) -> &u64 {
        &self.0[register as usize]
    }
}

impl IndexMut<Gpr> for Registers {
    fn index_mut(&mut self, register: Gpr) -> &mut u64 {
        &mut self.0[register as usize]
    }
}

/// The bits of RFLAGS (SDM vol. 1, 3.4.3).
///
/// The raw CPU holds only the user's flags ([`flags::USER`]) and the bit that
/// is always set. The interrupt flag and the I/O privilege level belong to the
/// virtual CPU: they are not in the raw CPU's flags at all.
pub mod flags {
    /// Carry.
    pub const CF: u64 = 1 << 0;
    /// Bit 1 is always set.
    pub const ALWAYS: u64 = 1 << 1;
    /// Parity of the low byte: set if even.
    pub const PF: u64 = 1 << 2;
    /// Auxiliary carry, out of bit 3.
    pub const AF: u64 = 1 << 4;
    /// Zero.
    pub const ZF: u64 = 1 << 6;
    /// Sign.
    pub const SF: u64 = 1 << 7;
    /// Direction of string instructions: set means downwards.
    pub const DF: u64 = 1 << 10;
    /// Signed overflow.
    pub const OF: u64 = 1 << 11;

    /// The flags that arithmetic sets.
    pub const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;
    /// The flags that user code can change by itself.
    pub const USER: u64 = ARITHMETIC | DF;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_writes_keep_the_upper_bits_and_dword_writes_clear_them() {
        let written = Size::ALL.map(|size| {
            let mut registers = Registers([u64::MAX; 16]);
            registers.write(Gpr::Rax, size, 0);
            registers[Gpr::Rax]
        });
        assert_eq!(written, [!0xff, !0xffff, 0, 0]);
    }
}
