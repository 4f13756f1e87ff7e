//! A 128-bit register as a row of equal lanes, lane 0 lowest.

/// An integer that fills lanes.
pub trait Lane: Copy {
    /// How many of it fill a register.
    const COUNT: u32 = 128 / Self::BITS;
    /// Its width.
    const BITS: u32;
    /// The low bits of a register.
    fn low(register: u128) -> Self;
    /// Lane 0 of a register that is otherwise zero.
    fn widen(self) -> u128;
}

macro_rules! lane {
    ($($int:ty as $unsigned:ty),*) => {$(
        impl Lane for $int {
            const BITS: u32 = <$int>::BITS;
            #[inline(always)]
            fn low(register: u128) -> $int {
                register as $int
            }
            #[inline(always)]
            fn widen(self) -> u128 {
                self as $unsigned as u128
            }
        }
    )*};
}

lane!(
    u8 as u8, u16 as u16, u32 as u32, u64 as u64, i8 as u8, i16 as u16, i32 as u32, i64 as u64
);

/// One lane of a register.
#[inline(always)]
pub fn lane<T: Lane>(register: u128, index: u32) -> T {
    T::low(register >> (index * T::BITS))
}

/// The register whose lanes are `f` of their index.
#[inline(always)]
pub fn build<T: Lane>(f: impl Fn(u32) -> T) -> u128 {
    (0..T::COUNT).fold(0, |sum, index| sum | f(index).widen() << (index * T::BITS))
}

/// `f` of each lane.
#[inline(always)]
pub fn map<T: Lane>(a: u128, f: impl Fn(T) -> T) -> u128 {
    build(|index| f(lane(a, index)))
}

/// `f` of each pair of lanes.
#[inline(always)]
pub fn zip<T: Lane>(a: u128, b: u128, f: impl Fn(T, T) -> T) -> u128 {
    build(|index| f(lane(a, index), lane(b, index)))
}

/// All ones in each lane for whose pair `f` holds, zeros in the others.
#[inline(always)]
pub fn compare<T: Lane>(a: u128, b: u128, f: impl Fn(&T, &T) -> bool) -> u128 {
    build(|index| match f(&lane(a, index), &lane(b, index)) {
        true => T::low(u128::MAX),
        false => T::low(0),
    })
}

/// `f` of each lane of the low part of a register, which makes it wider.
#[inline(always)]
pub fn extend<T: Lane, W: Lane>(a: u128, f: impl Fn(T) -> W) -> u128 {
    build(|index| f(lane(a, index)))
}

/// The top bit of each lane, lane 0's lowest.
#[inline(always)]
pub fn signs<T: Lane>(a: u128) -> u64 {
    let sign = |index| a >> (index * T::BITS + T::BITS - 1) & 1;
    (0..T::COUNT).fold(0, |bits, index| bits | (sign(index) as u64) << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_do_not_carry_into_each_other() {
        let ones = u128::MAX;
        let sum = zip::<u16>(ones, 1, u16::wrapping_add);
        assert_eq!(sum, u128::MAX << 16);
    }

    #[test]
    fn a_negative_lane_stays_in_its_lane() {
        assert_eq!(map::<i8>(0x0101, |lane| -lane), 0xffff);
        assert_eq!(extend(0x80, |lane: i8| i16::from(lane)), 0xff80);
    }

    #[test]
    fn signs_are_collected_from_the_lowest_lane_on() {
        assert_eq!(signs::<u8>(0x80_00_80), 0b101);
        assert_eq!(signs::<u64>(1 << 127), 0b10);
    }
}
