//! The random choices of one step, as plain numbers that proptest can shrink.

/// Hands out one number after the other; never runs dry.
pub struct Dice<'a> {
    words: &'a [u64],
    thrown: usize,
}

/// Where arithmetic and shift counts like to go wrong.
const EDGES: [u64; 26] = [
    0,
    1,
    2,
    0x0f,
    0x10,
    0x1f,
    0x20,
    0x21,
    0x3f,
    0x40,
    0x41,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX - 1,
    u64::MAX,
];

impl Dice<'_> {
    pub fn new(words: &[u64]) -> Dice<'_> {
        Dice { words, thrown: 0 }
    }

    /// The next number, any of 64 bits.
    pub fn word(&mut self) -> u64 {
        let round = (self.thrown / self.words.len()) as u64;
        let word = self.words[self.thrown % self.words.len()];
        self.thrown += 1;
        word.rotate_left(17 * round as u32)
            .wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }

    /// True once in `n` times, and never for the number 0, to which proptest
    /// shrinks.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// An operand: an edge, something near a power of two, small, or anything.
    pub fn value(&mut self) -> u64 {
        let word = self.word();
        match word % 4 {
            0 => EDGES[(word >> 2) as usize % EDGES.len()],
            1 => (1u64 << (word >> 2 & 63)).wrapping_sub(word >> 8 & 1),
            2 => (word >> 2) as i8 as u64,
            _ => word.rotate_right(2),
        }
    }
}
