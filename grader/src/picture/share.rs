//! Parts of a run's time, in percent.

use super::trace::{Trace, Vm};
use std::fmt;

/// A part of some time, shown in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The part, in ticks.
    pub(super) part: u64,
    /// All of it, in ticks.
    pub(super) all: u64,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = u128::from(self.all.max(1));
        let tenths = (u128::from(self.part) * 1000 + all / 2) / all;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

impl Trace {
    /// How much of the time of all physical CPUs a VM had.
    pub(super) fn share(&self, vm: &Vm) -> Share {
        Share {
            part: vm.split.guest + vm.split.vmm,
            all: self.until * self.pcpus as u64,
        }
    }

    /// How much of the time of all physical CPUs nobody had.
    pub(super) fn idle_share(&self) -> Share {
        Share {
            part: (0..self.pcpus).map(|pcpu| self.idle(pcpu)).sum(),
            all: self.until * self.pcpus as u64,
        }
    }
}
