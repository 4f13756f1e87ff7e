//! What the CPU still knows of address spaces that it has left, so that a VM
//! that comes back finds its translations, and its blocks true without a look.
//!
//! An address space is known by the token of its last entry, which it bears in
//! its context. So nothing here is believed of a space that has run on another
//! CPU since then, or whose copy has run here: its token is not the same.
//! Whatever a space was asked to forget while it was away it forgets as it
//! enters. Whether code has changed meanwhile the memory's epoch says, which is
//! part of every stamp; nothing in here may say so.

use crate::memory::Pages;
use crate::{Memory, View};
use std::collections::{BTreeMap, HashMap};

/// How many spaces are kept: 16 KiB each. Then the one that left first goes.
const CAPACITY: usize = 256;

/// What is known of one address space.
pub struct Kept {
    /// Translations of `view`.
    pub pages: Pages,
    /// Those of the other view.
    pub other_pages: Pages,
    pub view: View,
    /// Where code was fetched from.
    pub fetched: HashMap<(View, u64), u64>,
    /// The number for its stamps.
    pub space: u64,
}

/// The spaces that are kept, by token. Tokens grow, so the first is the oldest.
#[derive(Default)]
pub struct Spaces(BTreeMap<u64, Kept>);

impl Spaces {
    /// What is known of the space with this token, if it is in `memory`.
    pub fn take(&mut self, token: u64, memory: &Memory) -> Option<Kept> {
        let kept = self.0.remove(&token)?;
        kept.pages.are_of(memory).then_some(kept)
    }

    /// Room for one more: an old one, or a new one in `memory`. What is in it
    /// is true of no space.
    pub fn make_room(&mut self, memory: &Memory) -> Kept {
        if self.0.len() >= CAPACITY
            && let Some((_, oldest)) = self.0.pop_first()
        {
            return oldest;
        }
        Kept {
            pages: Pages::new(memory),
            other_pages: Pages::new(memory),
            view: View::Kernel,
            fetched: HashMap::new(),
            space: 0,
        }
    }

    /// Keeps what is known of the space whose last entry had this token; 0 says
    /// that there was none.
    pub fn put(&mut self, token: u64, kept: Kept) {
        if token != 0 {
            self.0.insert(token, kept);
        }
    }
}
