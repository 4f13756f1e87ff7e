//! Frames that are written down later.

use crate::lines::LinesOut;
use serde::Serialize;

/// So many frames are held back at most, some tens of megabytes.
const MOST: usize = 400_000;

/// The way to a file on which frames can be held back: writing one takes longer than
/// what most of them tell of.
pub(crate) struct Held<F> {
    pub(crate) lines: LinesOut,
    /// What is held back; `None` if nothing is.
    frames: Option<Vec<F>>,
}

impl<F: Serialize> Held<F> {
    /// Holds nothing back.
    pub(crate) fn new(lines: LinesOut) -> Held<F> {
        let frames = None;
        Held { lines, frames }
    }

    /// From now on holds frames back, until [`release`](Held::release).
    pub(crate) fn hold(&mut self) {
        self.frames = Some(Vec::new());
    }

    /// Takes a frame.
    pub(crate) fn put(&mut self, frame: F) {
        match &mut self.frames {
            Some(frames) if frames.len() < MOST => frames.push(frame),
            _ => {
                self.release();
                self.lines.put(&frame);
            }
        }
    }

    /// Writes down what was held back, and holds nothing back any more.
    pub(crate) fn release(&mut self) {
        for frame in self.frames.take().into_iter().flatten() {
            self.lines.put(&frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_written_in_its_order_when_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut held = Held::new(LinesOut::create(&path, &0).unwrap());
        let written = || std::fs::read_to_string(&path).unwrap();
        held.put(1);
        held.hold();
        held.put(2);
        held.put(3);
        assert_eq!(written(), "0\n1\n");
        held.release();
        held.put(4);
        assert_eq!(written(), "0\n1\n2\n3\n4\n");
    }
}
