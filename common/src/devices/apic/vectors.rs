//! A set of interrupt vectors: the IRR and the ISR.

/// A set of the 256 vectors, laid out as the guest sees it: eight words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vectors([u32; 8]);

impl Vectors {
    pub(super) fn set(&mut self, vector: u8) {
        self.0[usize::from(vector / 32)] |= 1 << (vector % 32);
    }

    pub(super) fn clear(&mut self, vector: u8) {
        self.0[usize::from(vector / 32)] &= !(1 << (vector % 32));
    }

    /// The highest vector in the set, which has the highest priority.
    pub(super) fn highest(&self) -> Option<u8> {
        let word = self.0.iter().rposition(|word| *word != 0)?;
        Some((word * 32) as u8 + self.0[word].ilog2() as u8)
    }

    /// The word that the register at `offset` shows: 16 bytes of the page for
    /// 32 vectors, beginning at a multiple of 0x100.
    pub(super) fn word(&self, offset: u16) -> u32 {
        self.0[usize::from(offset >> 4 & 7)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_vector_is_found_across_words() {
        let mut vectors = Vectors::default();
        assert_eq!(vectors.highest(), None);
        for (added, highest) in [(16, 16), (255, 255), (64, 255)] {
            vectors.set(added);
            assert_eq!(vectors.highest(), Some(highest));
        }
        vectors.clear(255);
        assert_eq!(vectors.highest(), Some(64));
    }

    #[test]
    fn vector_33_is_bit_1_of_the_second_register() {
        let mut vectors = Vectors::default();
        vectors.set(33);
        assert_eq!([0x200, 0x210, 0x220].map(|at| vectors.word(at)), [0, 2, 0]);
    }
}
