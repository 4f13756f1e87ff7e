//! `failing`: a guest that has found something wrong, and says so.
//!
//! It ends as the others do, at the exit port, but not with 0. The code is all
//! that tells its failure from their success, so it must come out as it went in.

use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::random::Random;
use crate::{console, program};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "failing",
    about: "ends with an exit code that is not 0",
    vcpus: 1,
    build,
    expected,
};

/// The exit code, small enough that QEMU can pass it on (see
/// [`program::EXIT_PORT`]).
fn code(seed: u64) -> u8 {
    Random::new(seed).between(1, 100) as u8
}

fn line(seed: u64) -> String {
    format!("failing: something is wrong, see code {}\n", code(seed))
}

fn build(seed: u64) -> Image {
    program::build(|asm| {
        console::text(asm, &line(seed));
        program::exit(asm, code(seed));
    })
}

fn expected(seed: u64) -> Expected {
    Expected::exit(line(seed), code(seed).into())
}
