//! Version 1's guests: one vCPU, kernel mode, the user ISA, `in`, `out`, `hlt`.
//!
//! The guests that end by themselves come first; those that a hypervisor has
//! to survive ([`hostile`]) follow.

mod compute;
mod halt;

use crate::catalogue::Guest;

/// All guests of version 1.
pub const GUESTS: &[Guest] = &[compute::GUEST, halt::GUEST];

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    GUESTS.iter().find(|guest| guest.name == name)
}
