//! Version 7's guests: several vCPUs, which share memory and send each other
//! interrupts.
//!
//! All of them are right for any interleaving, on any number of physical CPUs
//! from one up. What they print does not depend on who was faster.

mod barrier;
mod broadcast;
mod busy_target;
mod contended;
mod endings;
mod patterns_smp;
mod ping_pong;
mod together;
mod waits_for_nobody;

use crate::catalogue::Guest;

/// The guests of version 7, in the order in which to try them.
static GUESTS: [&[Guest]; 9] = [
    &[together::GUEST],
    &[barrier::GUEST],
    &[patterns_smp::GUEST],
    &[ping_pong::GUEST],
    &[broadcast::GUEST],
    &[busy_target::GUEST],
    &contended::GUESTS,
    &[waits_for_nobody::GUEST],
    &endings::GUESTS,
];

/// All guests of version 7: first those that end well, then those that a
/// hypervisor has to survive.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().copied().flatten()
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}
