//! The width of one memory, port or register access.

use serde::{Deserialize, Serialize};

/// The width of an access, from one byte to eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Size {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Word,
    /// 32 bits.
    Dword,
    /// 64 bits.
    Qword,
}

impl Size {
    /// All widths, smallest first.
    pub const ALL: [Size; 4] = [Size::Byte, Size::Word, Size::Dword, Size::Qword];

    /// The width in bytes: 1, 2, 4 or 8.
    pub const fn bytes(self) -> u64 {
        1 << self as u64
    }

    /// The width in bits: 8, 16, 32 or 64.
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }

    /// A value with every bit of this width set.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    /// The low bits of `value` that fit this width; the rest is cut off.
    pub const fn truncate(self, value: u64) -> u64 {
        value & self.mask()
    }

    /// The width of `bytes` bytes, or `None` unless that is 1, 2, 4 or 8.
    pub const fn from_bytes(bytes: u64) -> Option<Size> {
        match bytes {
            1 => Some(Size::Byte),
            2 => Some(Size::Word),
            4 => Some(Size::Dword),
            8 => Some(Size::Qword),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_keeps_exactly_the_bits_of_the_width() {
        let kept = Size::ALL.map(|size| size.truncate(u64::MAX));
        assert_eq!(kept, [0xff, 0xffff, 0xffff_ffff, u64::MAX]);
    }

    #[test]
    fn only_the_four_widths_are_widths() {
        let found: Vec<_> = (0..=16).filter_map(Size::from_bytes).collect();
        assert_eq!(found, Size::ALL);
    }
}
