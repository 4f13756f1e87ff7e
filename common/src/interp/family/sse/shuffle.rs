//! Rearranging lanes: shuffles, interleaving, packing, blending.

use super::lanes::{Lane, build, lane};
use super::table::{Packed, Row, Shuffle};
use iced_x86::Mnemonic::*;

/// The instructions with an immediate, and their functions of destination,
/// source and immediate.
pub const SHUFFLES: &[Row<Shuffle>] = &[
    (&[Pshufd], |_, b, order| {
        build::<u32>(|index| lane(b, choice(order, index)))
    }),
    (&[Pshuflw], |_, b, order| {
        b >> 64 << 64 | words(b as u64, order)
    }),
    (&[Pshufhw], |_, b, order| {
        words((b >> 64) as u64, order) << 64 | u128::from(b as u64)
    }),
    (&[Shufps], |a, b, order| {
        build::<u32>(|index| lane(if index < 2 { a } else { b }, choice(order, index)))
    }),
    (&[Shufpd], |a, b, order| {
        let [low, high] = [order & 1, order >> 1 & 1].map(u32::from);
        build::<u64>(|index| {
            if index == 0 {
                lane(a, low)
            } else {
                lane(b, high)
            }
        })
    }),
    (&[Palignr], align),
    (&[Pblendw], |a, b, chosen| blend::<u16>(a, b, chosen.into())),
    (&[Blendps], |a, b, chosen| blend::<u32>(a, b, chosen.into())),
    (&[Blendpd], |a, b, chosen| blend::<u64>(a, b, chosen.into())),
];

/// The instructions without, and their functions of destination and source.
pub const REARRANGEMENTS: &[Row<Packed>] = &[
    (&[Pshufb], |a, b| build(|index| byte(a, lane(b, index)))),
    (&[Punpcklbw], |a, b| interleave::<u8>(a, b, 0)),
    (&[Punpcklwd], |a, b| interleave::<u16>(a, b, 0)),
    (&[Punpckldq, Unpcklps], |a, b| interleave::<u32>(a, b, 0)),
    (&[Punpcklqdq, Unpcklpd], |a, b| interleave::<u64>(a, b, 0)),
    (&[Punpckhbw], |a, b| interleave::<u8>(a, b, 8)),
    (&[Punpckhwd], |a, b| interleave::<u16>(a, b, 4)),
    (&[Punpckhdq, Unpckhps], |a, b| interleave::<u32>(a, b, 2)),
    (&[Punpckhqdq, Unpckhpd], |a, b| interleave::<u64>(a, b, 1)),
    (&[Packsswb], |a, b| {
        pack(a, b, |wide: i16| wide.clamp(-0x80, 0x7f) as u8)
    }),
    (&[Packuswb], |a, b| {
        pack(a, b, |wide: i16| wide.clamp(0, 0xff) as u8)
    }),
    (&[Packssdw], |a, b| {
        pack(a, b, |wide: i32| wide.clamp(-0x8000, 0x7fff) as u16)
    }),
    (&[Packusdw], |a, b| {
        pack(a, b, |wide: i32| wide.clamp(0, 0xffff) as u16)
    }),
    (&[Movddup], |_, b| build::<u64>(|_| lane(b, 0))),
    (&[Movsldup], |_, b| {
        build::<u32>(|index| lane(b, index & !1))
    }),
    (&[Movshdup], |_, b| build::<u32>(|index| lane(b, index | 1))),
];

/// Two bits of an immediate: which of four lanes goes to lane `index`.
fn choice(order: u8, index: u32) -> u32 {
    u32::from(order >> (2 * index) & 3)
}

/// Four words in another order.
fn words(from: u64, order: u8) -> u128 {
    let shuffled = build::<u16>(|index| lane(from.into(), choice(order, index & 3)));
    u128::from(shuffled as u64)
}

/// PSHUFB: a byte by its number, or zero if the number's top bit is set.
fn byte(from: u128, number: u8) -> u8 {
    if number & 0x80 != 0 {
        0
    } else {
        lane(from, u32::from(number & 15))
    }
}

/// PALIGNR: 16 bytes out of the 32 of both operands.
fn align(a: u128, b: u128, bytes: u8) -> u128 {
    let bits = u32::from(bytes) * 8;
    match bits {
        0 => b,
        1..128 => b >> bits | a << (128 - bits),
        128..256 => a >> (bits - 128),
        _ => 0,
    }
}

/// Lanes of both operands in turn, from lane `first` on.
fn interleave<T: Lane>(a: u128, b: u128, first: u32) -> u128 {
    build::<T>(|index| lane(if index % 2 == 0 { a } else { b }, first + index / 2))
}

/// All lanes of `a`, then of `b`, each made narrower by `f`.
fn pack<W: Lane, T: Lane>(a: u128, b: u128, f: impl Fn(W) -> T) -> u128 {
    build(|index| match index.checked_sub(W::COUNT) {
        None => f(lane(a, index)),
        Some(index) => f(lane(b, index)),
    })
}

/// The lanes of `b` whose bit in `chosen` is set, and those of `a`.
pub fn blend<T: Lane>(a: u128, b: u128, chosen: u64) -> u128 {
    build::<T>(|index| lane(if chosen >> index & 1 == 0 { a } else { b }, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::family::sse::table::find;

    const A: u128 = 0x0f0e0d0c_0b0a0908_07060504_03020100;
    const B: u128 = 0x1f1e1d1c_1b1a1918_17161514_13121110;

    #[test]
    fn an_alignment_takes_bytes_across_both_operands() {
        assert_eq!(align(A, B, 0), B);
        assert_eq!(align(A, B, 4), 0x03020100_1f1e1d1c_1b1a1918_17161514);
        assert_eq!(align(A, B, 16), A);
        assert_eq!(align(A, B, 31), 0x0f);
        assert_eq!(align(A, B, 32), 0);
    }

    #[test]
    fn interleaving_begins_with_the_destination() {
        let low = find(REARRANGEMENTS, Punpcklbw).unwrap()(A, B);
        assert_eq!(low, 0x17071606_15051404_13031202_11011000);
        let high = find(REARRANGEMENTS, Punpckhqdq).unwrap()(A, B);
        assert_eq!(high, 0x1f1e1d1c_1b1a1918_0f0e0d0c_0b0a0908);
    }

    #[test]
    fn word_shuffles_leave_the_other_half() {
        let low = find(SHUFFLES, Pshuflw).unwrap()(0, A, 0b00_01_10_11);
        assert_eq!(low, 0x0f0e0d0c_0b0a0908_01000302_05040706);
    }

    #[test]
    fn packing_saturates() {
        let packed = find(REARRANGEMENTS, Packuswb).unwrap()(0x8000_0100_0042, 0);
        assert_eq!(packed, 0x00_ff_42);
    }
}
