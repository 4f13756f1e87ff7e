//! Which engine a version is run on, and why.

use crate::cli::EngineName;
use crate::error::LabError;
use crate::stages::Stage;
use evidence::Engine;
use kvm::{Ability, Finding, Lack, Report};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

/// Much longer than any KVM needs for a handful of tiny guests.
const PATIENCE: Duration = Duration::from_secs(20);

/// What this host's KVM can do. It is tried once.
pub fn probed() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| within(PATIENCE, kvm::probe))
}

/// What `probe` finds out; or that it does not come back, as with a KVM that runs
/// a guest for ever.
fn within(patience: Duration, probe: impl FnOnce() -> Report + Send + 'static) -> Report {
    let (sender, found) = mpsc::channel();
    // It is left behind if it hangs, and then nobody listens any more.
    std::thread::spawn(move || drop(sender.send(probe())));
    found.recv_timeout(patience).unwrap_or_else(|_| {
        let lack = Lack {
            what: String::from("this kvm does not come back from a guest of a few bytes"),
            mend: String::from("use the software cpu (`--engine interp`)"),
        };
        Report {
            findings: vec![Finding {
                ability: Ability::Vm,
                found: Err(lack),
            }],
        }
    })
}

/// Why a version cannot run on the KVM of this report; `None` if it can.
pub fn lack<'a>(report: &'a Report, stage: &Stage) -> Option<&'a Lack> {
    report.lack(stage.number())
}

/// What is missing of an ability that was tried; `None` if it is there.
pub fn lack_of(report: &Report, ability: Ability) -> Option<&Lack> {
    let mut findings = report.findings.iter();
    let finding = findings.find(|finding| finding.ability == ability)?;
    finding.found.as_ref().err()
}

/// What is missing of the abilities that no version needs, and single guests do.
pub fn lacks_of_guests(report: &Report) -> Vec<&Lack> {
    let findings = report.findings.iter();
    let findings = findings.filter(|finding| finding.ability.first_version().is_none());
    findings
        .filter_map(|finding| finding.found.as_ref().err())
        .collect()
}

/// An engine, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub engine: Engine,
    /// Why, in one line, if the user has left it to us.
    pub why: Option<String>,
}

impl Choice {
    /// The engine for `stage`, on a host whose KVM can do what `report` says.
    /// Nobody asks for the report unless it is needed.
    ///
    /// # Errors
    /// What KVM lacks, if it is wanted and cannot run this version.
    pub fn of<'a>(
        wanted: EngineName,
        stage: &Stage,
        report: impl FnOnce() -> &'a Report,
    ) -> Result<Choice, &'a Lack> {
        let chosen = |engine, why| Ok(Choice { engine, why });
        if wanted == EngineName::Interp {
            return chosen(Engine::Interp, None);
        }
        match (wanted, lack(report(), stage)) {
            (EngineName::Auto, None) => {
                let why = format!("engine: kvm, as this host's KVM can run {}", stage.name);
                chosen(Engine::Kvm, Some(why))
            }
            (EngineName::Auto, Some(lack)) => {
                chosen(Engine::Interp, Some(format!("engine: interp, as {lack}")))
            }
            (_, None) => chosen(Engine::Kvm, None),
            (_, Some(lack)) => Err(lack),
        }
    }

    /// The same for a command that can do nothing else.
    ///
    /// # Errors
    /// That this host cannot, why, and what to do about it.
    pub fn or_error(wanted: EngineName, stage: &Stage) -> Result<Choice, LabError> {
        Choice::of(wanted, stage, probed).map_err(|lack| {
            LabError::Infrastructure(format!(
                "{} cannot run on the kvm of this host: {}",
                stage.name,
                with_mend(lack)
            ))
        })
    }
}

/// What is missing and what to do about it, in two sentences without the last
/// full stop.
pub fn with_mend(lack: &Lack) -> String {
    format!("{lack}. To mend it, {}", lack.mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    /// A KVM that lacks one ability.
    fn lacks(missing: Ability) -> Report {
        let found = |ability| match ability == missing {
            true => Err(Lack {
                what: format!("this kvm cannot {ability}"),
                mend: String::from("buy another"),
            }),
            false => Ok(()),
        };
        let finding = |ability| Finding {
            ability,
            found: found(ability),
        };
        Report {
            findings: Ability::ALL.map(finding).to_vec(),
        }
    }

    #[test]
    fn auto_takes_kvm_for_the_versions_that_it_can_run_and_says_why_not_for_the_others() {
        let report = lacks(Ability::SystemCall);
        let choose = |stage: &Stage| Choice::of(EngineName::Auto, stage, || &report).unwrap();
        let [second, third] = [&STAGES[1], &STAGES[2]].map(choose);
        assert_eq!(second.engine, Engine::Kvm);
        assert_eq!(third.engine, Engine::Interp);
        assert!(third.why.unwrap().contains("on syscall"));
    }

    #[test]
    fn kvm_is_never_replaced_in_silence() {
        let report = lacks(Ability::SystemCall);
        let choose = |stage: &Stage| Choice::of(EngineName::Kvm, stage, || &report);
        assert_eq!(choose(&STAGES[1]).unwrap().engine, Engine::Kvm);
        let lack = choose(&STAGES[2]).unwrap_err();
        assert!(with_mend(lack).ends_with("on syscall. To mend it, buy another"));
    }

    #[test]
    fn a_kvm_that_never_comes_back_is_told_so() {
        let report = within(Duration::from_millis(20), || {
            std::thread::sleep(Duration::from_secs(5));
            lacks(Ability::SystemCall)
        });
        let lack = lack(&report, &STAGES[0]).unwrap();
        assert!(lack.what.contains("does not come back"));
        let report = within(PATIENCE, || lacks(Ability::SystemCall));
        assert_eq!(super::lack(&report, &STAGES[0]), None);
    }

    #[test]
    fn the_software_cpu_needs_no_kvm() {
        let report = || unreachable!("nobody has asked for kvm");
        let choice = Choice::of(EngineName::Interp, &STAGES[6], report).unwrap();
        assert_eq!(choice.engine, Engine::Interp);
    }
}
