//! Packed integer arithmetic and logic (SDM vol. 1, 11.4.2 and 12.5 to 12.10):
//! everything that combines the lanes of destination and source in their
//! places.

use super::lanes::{build, compare, extend, lane, map, zip};
use super::table::{Packed, Row};
use iced_x86::Mnemonic::*;

/// The instructions and their functions of destination and source.
pub const ARITHMETIC: &[Row<Packed>] = &[
    // Logic.
    (&[Pand, Andps, Andpd], |a, b| a & b),
    (&[Pandn, Andnps, Andnpd], |a, b| !a & b),
    (&[Por, Orps, Orpd], |a, b| a | b),
    (&[Pxor, Xorps, Xorpd], |a, b| a ^ b),
    // Sums and differences, wrapping and saturating.
    (&[Paddb], |a, b| zip(a, b, u8::wrapping_add)),
    (&[Paddw], |a, b| zip(a, b, u16::wrapping_add)),
    (&[Paddd], |a, b| zip(a, b, u32::wrapping_add)),
    (&[Paddq], |a, b| zip(a, b, u64::wrapping_add)),
    (&[Paddsb], |a, b| zip(a, b, i8::saturating_add)),
    (&[Paddsw], |a, b| zip(a, b, i16::saturating_add)),
    (&[Paddusb], |a, b| zip(a, b, u8::saturating_add)),
    (&[Paddusw], |a, b| zip(a, b, u16::saturating_add)),
    (&[Psubb], |a, b| zip(a, b, u8::wrapping_sub)),
    (&[Psubw], |a, b| zip(a, b, u16::wrapping_sub)),
    (&[Psubd], |a, b| zip(a, b, u32::wrapping_sub)),
    (&[Psubq], |a, b| zip(a, b, u64::wrapping_sub)),
    (&[Psubsb], |a, b| zip(a, b, i8::saturating_sub)),
    (&[Psubsw], |a, b| zip(a, b, i16::saturating_sub)),
    (&[Psubusb], |a, b| zip(a, b, u8::saturating_sub)),
    (&[Psubusw], |a, b| zip(a, b, u16::saturating_sub)),
    // Comparisons: all ones where they hold.
    (&[Pcmpeqb], |a, b| compare(a, b, u8::eq)),
    (&[Pcmpeqw], |a, b| compare(a, b, u16::eq)),
    (&[Pcmpeqd], |a, b| compare(a, b, u32::eq)),
    (&[Pcmpeqq], |a, b| compare(a, b, u64::eq)),
    (&[Pcmpgtb], |a, b| compare(a, b, i8::gt)),
    (&[Pcmpgtw], |a, b| compare(a, b, i16::gt)),
    (&[Pcmpgtd], |a, b| compare(a, b, i32::gt)),
    (&[Pcmpgtq], |a, b| compare(a, b, i64::gt)),
    // Least and greatest.
    (&[Pminub], |a, b| zip(a, b, u8::min)),
    (&[Pminuw], |a, b| zip(a, b, u16::min)),
    (&[Pminud], |a, b| zip(a, b, u32::min)),
    (&[Pminsb], |a, b| zip(a, b, i8::min)),
    (&[Pminsw], |a, b| zip(a, b, i16::min)),
    (&[Pminsd], |a, b| zip(a, b, i32::min)),
    (&[Pmaxub], |a, b| zip(a, b, u8::max)),
    (&[Pmaxuw], |a, b| zip(a, b, u16::max)),
    (&[Pmaxud], |a, b| zip(a, b, u32::max)),
    (&[Pmaxsb], |a, b| zip(a, b, i8::max)),
    (&[Pmaxsw], |a, b| zip(a, b, i16::max)),
    (&[Pmaxsd], |a, b| zip(a, b, i32::max)),
    // Products.
    (&[Pmullw], |a, b| zip(a, b, u16::wrapping_mul)),
    (&[Pmulld], |a, b| zip(a, b, u32::wrapping_mul)),
    (&[Pmulhw], |a, b| {
        zip(a, b, |a: i16, b| {
            ((i32::from(a) * i32::from(b)) >> 16) as i16
        })
    }),
    (&[Pmulhuw], |a, b| {
        zip(a, b, |a: u16, b| {
            ((u32::from(a) * u32::from(b)) >> 16) as u16
        })
    }),
    (&[Pmuludq], |a, b| {
        zip(a, b, |a: u64, b| u64::from(a as u32) * u64::from(b as u32))
    }),
    (&[Pmuldq], |a, b| {
        zip(a, b, |a: i64, b| i64::from(a as i32) * i64::from(b as i32))
    }),
    (&[Pmaddwd], |a, b| zip(a, b, multiply_and_add)),
    // Averages, differences, absolute values.
    (&[Pavgb], |a, b| {
        zip(a, b, |a: u8, b| {
            (u16::from(a) + u16::from(b)).div_ceil(2) as u8
        })
    }),
    (&[Pavgw], |a, b| {
        zip(a, b, |a: u16, b| {
            (u32::from(a) + u32::from(b)).div_ceil(2) as u16
        })
    }),
    (&[Psadbw], |a, b| {
        build(|half| differences(lane(a, half), lane(b, half)))
    }),
    (&[Pabsb], |_, b| map(b, i8::wrapping_abs)),
    (&[Pabsw], |_, b| map(b, i16::wrapping_abs)),
    (&[Pabsd], |_, b| map(b, i32::wrapping_abs)),
    // Lanes made wider.
    (&[Pmovzxbw], |_, b| extend(b, |lane: u8| u16::from(lane))),
    (&[Pmovzxbd], |_, b| extend(b, |lane: u8| u32::from(lane))),
    (&[Pmovzxbq], |_, b| extend(b, |lane: u8| u64::from(lane))),
    (&[Pmovzxwd], |_, b| extend(b, |lane: u16| u32::from(lane))),
    (&[Pmovzxwq], |_, b| extend(b, |lane: u16| u64::from(lane))),
    (&[Pmovzxdq], |_, b| extend(b, |lane: u32| u64::from(lane))),
    (&[Pmovsxbw], |_, b| extend(b, |lane: i8| i16::from(lane))),
    (&[Pmovsxbd], |_, b| extend(b, |lane: i8| i32::from(lane))),
    (&[Pmovsxbq], |_, b| extend(b, |lane: i8| i64::from(lane))),
    (&[Pmovsxwd], |_, b| extend(b, |lane: i16| i32::from(lane))),
    (&[Pmovsxwq], |_, b| extend(b, |lane: i16| i64::from(lane))),
    (&[Pmovsxdq], |_, b| extend(b, |lane: i32| i64::from(lane))),
];

/// PMADDWD: the products of both halves, added.
fn multiply_and_add(a: i32, b: i32) -> i32 {
    let low = i32::from(a as i16) * i32::from(b as i16);
    let high = (a >> 16) * (b >> 16);
    low.wrapping_add(high)
}

/// PSADBW: the sum of the differences of eight bytes.
fn differences(a: u64, b: u64) -> u64 {
    let pairs = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
    pairs.map(|(a, b)| u64::from(a.abs_diff(b))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::family::sse::table::find;

    fn run(mnemonic: iced_x86::Mnemonic, a: u128, b: u128) -> u128 {
        find(ARITHMETIC, mnemonic).expect("implemented")(a, b)
    }

    #[test]
    fn saturation_stops_at_the_edges_of_the_lane() {
        assert_eq!(run(Paddusb, 0xff_01, 0x01_01), 0xff_02);
        assert_eq!(run(Psubsw, 0x8000, 1), 0x8000);
    }

    #[test]
    fn multiply_and_add_wraps_in_the_only_case_that_overflows() {
        let lowest = 0x8000_8000;
        assert_eq!(run(Pmaddwd, lowest, lowest), 0x8000_0000);
    }

    #[test]
    fn the_average_rounds_up() {
        assert_eq!(run(Pavgb, 0xff_00, 0xff_01), 0xff_01);
    }

    #[test]
    fn differences_are_summed_by_halves() {
        assert_eq!(run(Psadbw, 0x05 << 64 | 0x0102, 0x0201), 5 << 64 | 2);
    }

    #[test]
    fn the_inverted_operand_of_pandn_is_the_destination() {
        assert_eq!(run(Pandn, 0b1100, 0b1010), 0b0010);
    }
}
