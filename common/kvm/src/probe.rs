//! Finds out what the KVM of this host can do, by letting it do it: each ability
//! has a guest of a few bytes. Names and versions prove nothing.

use crate::{Ability, Lack};

/// What was found out about one ability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The ability.
    pub ability: Ability,
    /// Whether it is there; if not, what happened instead.
    pub found: Result<(), Lack>,
}

/// What this host's KVM can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`Ability::ALL`]. After the first that is missing without
    /// which nothing else can be tried, the others are left out.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether this KVM has the ability.
    pub fn has(&self, ability: Ability) -> bool {
        let looked_for = |finding: &&Finding| finding.ability == ability;
        let finding = self.findings.iter().find(looked_for);
        finding.is_some_and(|finding| finding.found.is_ok())
    }

    /// Why `version` (1 to 7) cannot run on this KVM; `None` if it can.
    pub fn lack(&self, version: u8) -> Option<&Lack> {
        let first = |finding: &&Finding| finding.ability.first_version();
        let needed = |finding: &&Finding| first(finding).is_some_and(|first| first <= version);
        let mut needed = self.findings.iter().filter(needed);
        needed.find_map(|finding| finding.found.as_ref().err())
    }
}

/// Looks what the KVM of this host can do. It takes some milliseconds; and for each
/// ability a few seconds at most, if the KVM has something else in its place.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn probe() -> Report {
    use crate::hardware::{DEVICE, trial};
    trial::probe(DEVICE)
}

/// Says that there is no KVM on this kind of host.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn probe() -> Report {
    let lack = Lack {
        what: String::from("kvm is not on this host: it is a part of linux, here for x86-64"),
        mend: String::from("use the software cpu, or linux on an x86-64 machine"),
    };
    Report {
        findings: vec![Finding {
            ability: Ability::Vm,
            found: Err(lack),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missing: Ability) -> Report {
        let lack = |ability: Ability| Lack {
            what: ability.to_string(),
            mend: String::new(),
        };
        let finding = |ability| Finding {
            ability,
            found: if ability == missing {
                Err(lack(ability))
            } else {
                Ok(())
            },
        };
        Report {
            findings: Ability::ALL.map(finding).to_vec(),
        }
    }

    #[test]
    fn a_version_lacks_what_it_or_an_earlier_one_needs() {
        let report = report(Ability::SystemCall);
        assert_eq!(report.lack(2), None);
        assert!(report.lack(3).is_some() && report.lack(7).is_some());
    }
}
