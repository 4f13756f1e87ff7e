//! Moves between SSE registers, memory and general registers.

use super::lanes::{Lane, lane, signs};
use super::table::{Extract, Packed, Row, Shuffle};
use iced_x86::Mnemonic::*;

const LOW: u128 = u64::MAX as u128;

/// Moves from one SSE register to another.
pub const FROM_REGISTER: &[Row<Packed>] = &[
    (&[Movaps, Movapd, Movdqa, Movups, Movupd, Movdqu], |_, b| b),
    (&[Movq], |_, b| b & LOW),
    (&[Movss], |a, b| a >> 32 << 32 | u128::from(b as u32)),
    (&[Movsd], |a, b| a >> 64 << 64 | b & LOW),
    (&[Movlhps], |a, b| a & LOW | b << 64),
    (&[Movhlps], |a, b| a >> 64 << 64 | b >> 64),
];

/// Moves to an SSE register from memory, or from a general register. The value
/// has zeros above it.
pub const FROM_ELSEWHERE: &[Row<Packed>] = &[
    (
        &[
            Movaps, Movapd, Movdqa, Movups, Movupd, Movdqu, Lddqu, Movntdqa,
        ],
        |_, b| b,
    ),
    (&[Movd, Movss], |_, b| b as u32 as u128),
    (&[Movq, Movsd], |_, b| b & LOW),
    (&[Movlps, Movlpd], |a, b| a >> 64 << 64 | b),
    (&[Movhps, Movhpd], |a, b| a & LOW | b << 64),
];

/// Insertions of a lane, with the immediate that says which.
pub const INSERTIONS: &[Row<Shuffle>] = &[
    (&[Pinsrb], |a, b, at| insert(a, b as u8, at)),
    (&[Pinsrw], |a, b, at| insert(a, b as u16, at)),
    (&[Pinsrd], |a, b, at| insert(a, b as u32, at)),
    (&[Pinsrq], |a, b, at| insert(a, b as u64, at)),
    (&[Insertps], insert_single),
];

/// Moves of a part of an SSE register to memory or to a general register, with
/// the immediate where there is one.
pub const EXTRACTIONS: &[Row<Extract>] = &[
    (&[Movd, Movss], |a, _| a as u32 as u64),
    (&[Movq, Movsd, Movlps, Movlpd], |a, _| a as u64),
    (&[Movhps, Movhpd], |a, _| (a >> 64) as u64),
    (&[Pextrb], |a, at| extract::<u8>(a, at)),
    (&[Pextrw], |a, at| extract::<u16>(a, at)),
    (&[Pextrd, Extractps], |a, at| extract::<u32>(a, at)),
    (&[Pextrq], |a, at| extract::<u64>(a, at)),
    (&[Pmovmskb], |a, _| signs::<u8>(a)),
    (&[Movmskps], |a, _| signs::<u32>(a)),
    (&[Movmskpd], |a, _| signs::<u64>(a)),
];

fn insert<T: Lane>(into: u128, value: T, at: u8) -> u128 {
    let shift = u32::from(at) % T::COUNT * T::BITS;
    let hole = !(u128::MAX >> (128 - T::BITS) << shift);
    into & hole | value.widen() << shift
}

fn extract<T: Lane>(from: u128, at: u8) -> u64 {
    lane::<T>(from, u32::from(at) % T::COUNT).widen() as u64
}

/// INSERTPS: bits 7:6 choose a lane of the source (0 for memory), 5:4 its place,
/// 3:0 lanes to clear.
fn insert_single(a: u128, b: u128, control: u8) -> u128 {
    let value: u32 = lane(b, u32::from(control >> 6));
    let inserted = insert(a, value, control >> 4 & 3);
    (0..4)
        .filter(|index| control >> index & 1 != 0)
        .fold(inserted, |register, index| insert(register, 0u32, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::family::sse::table::find;

    #[test]
    fn a_scalar_from_memory_clears_the_rest_and_from_a_register_keeps_it() {
        let memory = find(FROM_ELSEWHERE, Movss).unwrap();
        let register = find(FROM_REGISTER, Movss).unwrap();
        assert_eq!(memory(u128::MAX, 1), 1);
        assert_eq!(register(u128::MAX, 1), u128::MAX << 32 | 1);
    }

    #[test]
    fn an_insertion_changes_one_lane() {
        assert_eq!(insert(u128::MAX, 0u16, 9), u128::MAX ^ 0xffff_0000);
        assert_eq!(insert(0, u64::MAX, 1), u128::MAX << 64);
    }

    #[test]
    fn insertps_chooses_places_and_clears() {
        let source = 0x0000_0044_0000_0033_0000_0022_0000_0011;
        let inserted = insert_single(u128::MAX, source, 0b0111_0001);
        assert_eq!(inserted, 0x0000_0022_ffff_ffff_ffff_ffff_0000_0000);
    }
}
