//! Which checks are made on kvm, and why the others are not.
//!
//! There the host's CPU does what the student's virtual CPU does elsewhere. So
//! what can be graded is what stands above it: the monitor and the schedulers, by
//! what guests print, how they end, and by exits within bounds. Nothing may depend
//! on how fast the host is, or on what else it does.

/// Whether a check is made on kvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnKvm {
    /// It is.
    Made,
    /// It is not, and this is why, in one clause.
    Skipped(&'static str),
}

/// For a check of what the version's virtual CPU does.
pub const VIRTUAL_CPU: &str =
    "it is about your virtual CPU, and on kvm the host's CPU takes its place";

/// For a check that needs to see what happens inside.
pub const TRAPS: &str = "it follows the guest from entry to trap, and hardware shows neither";

/// For a check that measures.
pub const TIME: &str = "it measures time, and on kvm whatever else the host does is in the measure";

/// For a check of the switch of contexts.
pub const CONTEXT: &str = "it looks for lost registers, and on kvm the kernel keeps them";

/// For a check that decides what comes when.
pub const ORDERS: &str = "it decides the order of events, and on kvm nobody can";

/// For a check of what is done about spinning.
pub const PAUSES: &str = "it needs to be told of loops of pause, and KVM keeps these to itself";
