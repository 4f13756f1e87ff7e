//! Version 2's guests: a handler table, interrupts, the local APIC's timer.

mod broken;
mod dead_halt;
mod exceptions;
mod idle;
mod masked;
mod missing_gate;
mod storm;
mod ticks;

use crate::catalogue::Guest;

/// The guests of version 2, in the order in which to try them.
static GUESTS: [&[Guest]; 8] = [
    &[ticks::GUEST],
    &idle::GUESTS,
    &[masked::GUEST],
    &[exceptions::GUEST],
    &[storm::GUEST],
    &dead_halt::GUESTS,
    &missing_gate::GUESTS,
    &broken::GUESTS,
];

/// All guests of version 2: first those that end well, then those that a
/// hypervisor has to survive.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().copied().flatten()
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}
