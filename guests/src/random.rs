//! A seeded generator, for the parameters of guests and of whoever asks about
//! them.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): short, and good from the first number
//! on, whatever the seed. It is for the host; guests that need random numbers
//! have the simpler one of [`advance`].

use crate::asm::Asm;
use crate::x64;

/// An endless sequence of numbers that the seed determines.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, any of 2^64. (It is no iterator, since it has no end.)
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number, at least `low` and below `high`.
    ///
    /// # Panics
    ///
    /// If there is no number between the two.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}

/// Emits one step of the xorshift64 generator (Marsaglia, 2003) for guests that
/// fill their memory: RAX is its state before and after; RDX is lost.
pub(crate) fn advance(asm: &mut Asm) {
    x64!(asm
        ; mov rdx, rax
        ; shl rdx, 13
        ; xor rax, rdx
        ; mov rdx, rax
        ; shr rdx, 7
        ; xor rax, rdx
        ; mov rdx, rax
        ; shl rdx, 17
        ; xor rax, rdx
    );
}

/// The same step, for the models of such guests.
pub(crate) fn advanced(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        // From Rosetta Code, "Pseudo-random numbers/Splitmix64".
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn numbers_stay_between_their_bounds() {
        let mut random = Random::new(7);
        let numbers: Vec<u64> = (0..100).map(|_| random.between(5, 8)).collect();
        assert!((5..8).all(|number| numbers.contains(&number)));
        assert!(numbers.iter().all(|number| (5..8).contains(number)));
    }
}
