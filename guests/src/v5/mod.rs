//! Version 5's guests: tenants of a CPU that they share with other machines.
//!
//! Each of them is a machine with one vCPU, and none knows of the others. What
//! matters is how it uses its CPU: in short pieces between sleeps, in one long
//! piece, with many interrupts, with every register full. Run several at once,
//! of these or of earlier versions' guests, and each must do what it does alone.

mod hog;
mod interrupt_heavy;
pub(crate) mod patterns;
mod sleeper;
mod talker;
mod tenant;

use crate::catalogue::Guest;

/// The guests of version 5, in the order in which to try them.
static GUESTS: [&[Guest]; 6] = [
    &[talker::GUEST],
    &[patterns::GUEST],
    &[sleeper::GUEST],
    &[tenant::GUEST],
    &[interrupt_heavy::GUEST],
    &hog::GUESTS,
];

/// All guests of version 5: first those that are good neighbours, then those
/// that would keep the CPU for themselves.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().copied().flatten()
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}
