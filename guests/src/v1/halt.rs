//! `halt`: the smallest guest there is.
//!
//! Its first instruction is `hlt`. Interrupts are off, so nothing will
//! ever wake it. A machine that takes this for success has misread what HLT
//! means: the guest said nothing of success, it went to sleep.

use crate::catalogue::{Ending, Expected, Guest};
use crate::image::Image;
use crate::{program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "halt",
    about: "halts at once, without a word",
    vcpus: 1,
    build,
    expected,
};

fn build(_seed: u64) -> Image {
    program::build(|asm| x64!(asm ; hlt ; jmp ->halted))
}

fn expected(_seed: u64) -> Expected {
    Expected {
        console: Vec::new(),
        ending: Ending::Halt,
    }
}
