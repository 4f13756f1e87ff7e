//! How a run of a virtual machine ended.

use crate::Exit;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why the monitor's loop came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The guest wrote this value to the exit port. 0 is the only success.
    Exited(u32),
    /// The guest waits for an interrupt that can never come.
    Halted,
    /// The guest has used up the time it was given.
    OutOfTime,
    /// Somebody outside stopped the machine.
    Stopped,
    /// The guest cannot go on after this exit.
    Died(Exit),
}

impl Ending {
    /// Whether the guest says that all went well.
    pub const fn is_success(self) -> bool {
        matches!(self, Ending::Exited(0))
    }
}

impl fmt::Display for Ending {
    /// One clause with the guest as its subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exited(0) => f.write_str("the guest exited with success"),
            Ending::Exited(code) => write!(f, "the guest exited with code {code}"),
            Ending::Halted => f.write_str("the guest halted for ever"),
            Ending::OutOfTime => f.write_str("the guest used up its time"),
            Ending::Stopped => f.write_str("the guest was stopped from outside"),
            Ending::Died(Exit::Shutdown(_)) => f.write_str("the guest shut down (triple fault)"),
            Ending::Died(exit) => write!(f, "the guest died ({})", exit.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exit_with_zero_is_a_success() {
        assert!(Ending::Exited(0).is_success());
        assert!(!Ending::Exited(1).is_success());
        assert!(!Ending::Halted.is_success());
    }
}
