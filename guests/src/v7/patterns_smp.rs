//! `patterns-smp`: version 5's `patterns` on four vCPUs at once, each with
//! patterns of its own. The vCPUs of a machine share its memory, and nothing
//! else: a register that one of them finds in another's state is lost.

use crate::catalogue::Guest;
use crate::v5::patterns;

const NAME: &str = "patterns-smp";
const VCPUS: u8 = 4;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: NAME,
    about: "keeps every register of four vCPUs full and checks that none of them changes",
    vcpus: VCPUS,
    build: |seed| patterns::build(NAME, VCPUS, seed),
    expected: |seed| patterns::expected(NAME, VCPUS, seed),
};
