//! Packed shifts (SDM vol. 2, PSLLW and its neighbours). A count that is not
//! less than the width shifts everything out; it is not masked.

use super::lanes::{Lane, map};
use super::table::{Row, Shift};
use iced_x86::Mnemonic::*;

/// The instructions and their functions of destination and count.
pub const SHIFTS: &[Row<Shift>] = &[
    (&[Psllw], |a, n| logical::<u16>(a, n, |lane, n| lane << n)),
    (&[Pslld], |a, n| logical::<u32>(a, n, |lane, n| lane << n)),
    (&[Psllq], |a, n| logical::<u64>(a, n, |lane, n| lane << n)),
    (&[Psrlw], |a, n| logical::<u16>(a, n, |lane, n| lane >> n)),
    (&[Psrld], |a, n| logical::<u32>(a, n, |lane, n| lane >> n)),
    (&[Psrlq], |a, n| logical::<u64>(a, n, |lane, n| lane >> n)),
    (&[Psraw], |a, n| map(a, |lane: i16| lane >> n.min(15))),
    (&[Psrad], |a, n| map(a, |lane: i32| lane >> n.min(31))),
    (&[Pslldq], |a, n| {
        a.checked_shl(8 * n.min(16) as u32).unwrap_or(0)
    }),
    (&[Psrldq], |a, n| {
        a.checked_shr(8 * n.min(16) as u32).unwrap_or(0)
    }),
];

fn logical<T: Lane>(a: u128, count: u64, f: impl Fn(T, u32) -> T) -> u128 {
    if count >= u64::from(T::BITS) {
        return 0;
    }
    map(a, |lane| f(lane, count as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::family::sse::table::find;

    fn run(mnemonic: iced_x86::Mnemonic, a: u128, count: u64) -> u128 {
        find(SHIFTS, mnemonic).expect("implemented")(a, count)
    }

    #[test]
    fn large_counts_shift_everything_out() {
        assert_eq!(run(Pslld, 1, 31), 1 << 31);
        assert_eq!(run(Pslld, 1, 32), 0);
        assert_eq!(run(Psrlq, u128::MAX, 1 << 32), 0);
        assert_eq!(run(Pslldq, 1, 15), 1 << 120);
        assert_eq!(run(Pslldq, 1, 16), 0);
    }

    #[test]
    fn an_arithmetic_shift_leaves_the_sign() {
        assert_eq!(run(Psraw, 0x8000_7fff, u64::MAX), 0xffff_0000);
    }
}
