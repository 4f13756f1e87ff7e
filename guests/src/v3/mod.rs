//! Version 3's guests: a user thread, system calls, and what keeps it in.

mod broken;
mod interrupt_stack;
mod intruder;
mod kernel;
mod model_specific;
mod permitted;
mod reserved;
mod segments;
mod user;

use crate::catalogue::Guest;

/// The guests of version 3, in the order in which to try them.
static GUESTS: [&[Guest]; 8] = [
    &[user::GUEST],
    &[segments::GUEST],
    &[permitted::GUEST],
    &[intruder::GUEST],
    &[model_specific::GUEST],
    &[reserved::GUEST],
    &[interrupt_stack::GUEST],
    &broken::GUESTS,
];

/// All guests of version 3: first those that end well, then those that a
/// hypervisor has to survive.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().copied().flatten()
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}
