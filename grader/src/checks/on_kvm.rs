//! Which checks are made on kvm, and why the others are not.
//!
//! There the host's CPU does what the student's virtual CPU does elsewhere. So
//! what can be graded is what stands above it: the monitor and the schedulers, by
//! what guests print, how they end, and by exits within bounds. Nothing may depend
//! on how fast the host is, or on what else it does.

use crate::engine::lack_of;
use kvm::{Ability, Report};

/// Whether a check is made on kvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnKvm {
    /// It is.
    Made,
    /// It is, if this KVM has an ability that no version needs, and its guests do.
    Needs(Ability),
    /// It is not, and this is why, in one clause.
    Skipped(&'static str),
}

impl OnKvm {
    /// For a check whose guests sleep until a single interrupt: should it come
    /// between `sti` and `hlt`, nothing ever wakes them.
    pub const SLEEPS: OnKvm = OnKvm::Needs(Ability::Shadow);

    /// Why a check is not made on the KVM of this report, in one clause; `None` if
    /// it is.
    pub fn reason(self, report: &Report) -> Option<&str> {
        match self {
            OnKvm::Made => None,
            OnKvm::Needs(ability) => lack_of(report, ability).map(|lack| lack.what.as_str()),
            OnKvm::Skipped(why) => Some(why),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use kvm::{Finding, Lack};

    #[test]
    fn a_check_whose_guests_need_what_this_kvm_lacks_is_skipped_in_kvms_words() {
        let found = Err(Lack {
            what: String::from("this kvm loses the shadow"),
            mend: String::new(),
        });
        let ability = Ability::Shadow;
        let findings = vec![Finding { ability, found }];
        let report = Report { findings };
        let lost = Some("this kvm loses the shadow");
        assert_eq!(OnKvm::SLEEPS.reason(&report), lost);
        assert_eq!(OnKvm::Needs(Ability::Timer).reason(&report), None);
        assert_eq!(OnKvm::Made.reason(&report), None);
        assert_eq!(OnKvm::Skipped(TIME).reason(&report), Some(TIME));
    }
}
