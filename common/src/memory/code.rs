//! Which guest-physical memory holds code that somebody has decoded.
//!
//! Whoever keeps decoded code must learn when its bytes change, whoever changes
//! them: this CPU, another one, a device. So each page knows which of its 64
//! lines of 64 bytes hold decoded code, and counts the stores into them.
//!
//! The protocol. A reader of code *marks* its lines, takes the page's
//! *generation*, and only then reads the bytes. A writer stores its bytes, and
//! then looks at the marks; if it has hit a marked line, it advances the page's
//! generation and the memory's *epoch*. So a decoder that still sees the old
//! generation has read the new bytes. (Across threads a store can linger in the
//! writer's store buffer while it looks at the marks; this matters only when a
//! line is marked for the very first time at that moment, so `mark` waits
//! longer than any store buffer holds a store.)
//!
//! A mark is never taken back: that would race with another reader's.

use super::PAGE_SIZE;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Bytes in a line: 64 of them make a page.
const LINE: u64 = PAGE_SIZE / 64;

/// What one page knows about the code in it. All zero bytes stand for a page
/// that never held any.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct PageCode {
    /// One bit for each line that holds decoded code.
    lines: AtomicU64,
    /// How many stores have hit a marked line.
    generation: AtomicU64,
}

impl PageCode {
    /// Whether no line of the page holds code: then a store needs nothing more.
    #[inline(always)]
    pub fn is_clear(&self) -> bool {
        self.lines.load(Ordering::Relaxed) == 0
    }

    /// Marks the lines of `length` bytes from `offset` in this page.
    pub fn mark(&self, offset: u64, length: u64) {
        let lines = lines(offset, length);
        if self.lines.load(Ordering::Relaxed) & lines == lines {
            return;
        }
        self.lines.fetch_or(lines, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for _ in 0..8 {
            std::hint::spin_loop();
        }
    }

    /// Counts a store of `length` bytes at `offset`, if it hit code, and says
    /// whether it did.
    pub fn touch(&self, offset: u64, length: u64) -> bool {
        let hit = self.lines.load(Ordering::Relaxed) & lines(offset, length) != 0;
        if hit {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
        hit
    }

    /// How many stores have hit code here.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

/// The lines of `length` bytes from `offset`, as far as they are in the page.
fn lines(offset: u64, length: u64) -> u64 {
    debug_assert!(offset < PAGE_SIZE && length > 0);
    let first = offset / LINE;
    let last = (offset + length - 1).min(PAGE_SIZE - 1) / LINE;
    (u64::MAX >> (63 - (last - first))) << first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_64_bytes() {
        let cases = [(0, 1), (0, 64), (63, 2), (0, 4096), (4032, 64), (4095, 8)];
        let found = cases.map(|(offset, length)| lines(offset, length));
        assert_eq!(found, [1, 1, 3, u64::MAX, 1 << 63, 1 << 63]);
    }

    #[test]
    fn only_stores_into_marked_lines_count() {
        let page = PageCode::default();
        assert!(page.is_clear());
        page.mark(100, 10);
        assert!(!page.touch(0, 64));
        assert!(page.touch(60, 8));
        assert!(!page.touch(128, 8));
        assert_eq!(page.generation(), 1);
    }
}
