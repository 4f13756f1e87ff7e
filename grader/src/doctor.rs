//! What this host can do, what it cannot, and what to do about it.
//!
//! Two things are needed: a cargo, and a place for temporary files. All else is
//! optional, and is said to be.

use crate::engine::{lack, lacks_of_guests, probed};
use crate::stages::STAGES;
use crate::text::wrapped;
use kvm::{Ability, Lack, Report};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;

/// What was found on a host.
#[derive(Clone, Debug)]
pub struct Host {
    /// How cargo introduces itself, or why it is not needed; `None` if it does not
    /// run.
    pub cargo: Option<String>,
    /// Why no temporary file can be made, if so.
    pub no_temporary: Option<String>,
    /// How QEMU introduces itself, if it is here.
    pub qemu: Option<String>,
    /// What its KVM can do.
    pub kvm: Report,
    /// Whether there is a device of KVM's name at all.
    pub has_device: bool,
    /// What the kernel says of its CPUs; empty where it does not.
    pub cpus: String,
    /// What protects this host from submissions and is missing; empty if nothing
    /// is.
    pub unconfined: Vec<String>,
}

impl Host {
    /// Looks at this host. Where the runners are built already, no cargo is needed.
    pub fn look(has_runners: bool) -> Host {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let version = |program| first_line(Command::new(program).arg("--version").output());
        Host {
            cargo: match has_runners {
                true => Some("not needed: the runners are built".into()),
                false => version(cargo),
            },
            no_temporary: tempfile::tempdir().err().map(|error| error.to_string()),
            qemu: version("qemu-system-x86_64".into()),
            kvm: probed().clone(),
            has_device: Path::new("/dev/kvm").exists(),
            cpus: std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default(),
            unconfined: evidence::confine::lacks(),
        }
    }

    /// Whether the software CPU can be used: all that anybody needs.
    pub fn is_enough(&self) -> bool {
        self.cargo.is_some() && self.no_temporary.is_none()
    }

    /// What to know beyond KVM's own words, where there is none: why a host may
    /// have no `/dev/kvm`.
    fn why_no_kvm(&self) -> Option<&'static str> {
        let has = |flag: &str| self.cpus.split_whitespace().any(|word| word == flag);
        let virtualises = has("vmx") || has("svm");
        let is_told = self.has_device || self.kvm.has(Ability::Vm);
        match (is_told, self.cpus.is_empty(), virtualises) {
            (true, ..) | (_, true, _) => None,
            (_, _, true) => Some(
                "the cpu can virtualise (it says so in /proc/cpuinfo): the module is missing, or \
                 the permission",
            ),
            (_, _, false) if has("hypervisor") => Some(
                "this host is itself a virtual machine, and its cpu shows neither vmx nor svm: \
                 nested virtualisation is off, and only the owner of the machine below can \
                 switch it on",
            ),
            (_, _, false) => Some(
                "the cpu shows neither vmx nor svm: VT-x or SVM is switched off in the firmware, \
                 or not there",
            ),
        }
    }
}

fn first_line(output: io::Result<std::process::Output>) -> Option<String> {
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_string)
}

/// The whole report, for people.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "needed")?;
        match &self.cargo {
            Some(version) => row(f, "rust", version)?,
            None => {
                row(f, "rust", "no: cargo does not run")?;
                mend(f, "install Rust from https://rustup.rs")?;
            }
        }
        match &self.no_temporary {
            None => row(f, "temporary files", "yes")?,
            Some(why) => {
                row(f, "temporary files", &format!("no: {why}"))?;
                mend(f, "make room, or name another folder in TMPDIR")?;
            }
        }
        writeln!(f, "\noptional: a real machine to compare guests with")?;
        match &self.qemu {
            Some(version) => row(f, "qemu", version)?,
            None => {
                row(f, "qemu", "no: qemu-system-x86_64 does not run")?;
                mend(f, "install it (Debian: qemu-system-x86)")?;
            }
        }
        self.write_confinement(f)?;
        writeln!(f, "\noptional: the host's own CPU, by --engine kvm")?;
        self.write_versions(f)?;
        self.write_other_lacks(f)?;
        write!(f, "\n{}", wrapped("", self.summary()))
    }
}

impl Host {
    fn write_versions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last: Option<&Lack> = None;
        for stage in STAGES {
            let name = format!("{} on kvm", stage.name);
            let lack = lack(&self.kvm, stage);
            match lack {
                None => row(f, &name, "yes")?,
                Some(lack) if last == Some(lack) => row(f, &name, "no, for the same reason")?,
                Some(lack) => {
                    row(f, &name, &format!("no: {lack}"))?;
                    mend(f, &lack.mend)?;
                    if let Some(why) = self.why_no_kvm() {
                        row(f, "", why)?;
                    }
                }
            }
            last = lack;
        }
        Ok(())
    }

    /// What keeps the code of submissions in.
    fn write_confinement(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\noptional: to grade other people's code, by cargo lab batch"
        )?;
        if self.unconfined.is_empty() {
            let both = "yes: landlock keeps it from files, seccomp from networks and processes";
            return row(f, "confinement", both);
        }
        for lack in &self.unconfined {
            row(f, "confinement", &format!("no {lack}"))?;
        }
        mend(
            f,
            "grade in a container or a virtual machine that you throw away, with --unsafe-host; \
             your own code needs none of this",
        )
    }

    /// What no version needs, and single guests do.
    fn write_other_lacks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lack in lacks_of_guests(&self.kvm) {
            row(f, "single guests", &lack.to_string())?;
        }
        if self.kvm.has(Ability::Interrupt) && !self.kvm.has(Ability::SystemCall) {
            row(
                f,
                "probably",
                "it has no VT-x or SVM below it, and traps and emulates as you do: see \"What PVM \
                 is\" in LABS.md",
            )?;
        }
        Ok(())
    }

    fn summary(&self) -> &'static str {
        match (self.is_enough(), self.kvm.lack(7)) {
            (false, _) => "Something that is needed is missing: see `mend` above.",
            (true, None) => "All is here, kvm too: try `cargo lab compare v2`.",
            (true, Some(_)) => {
                "All that is needed is here: every version runs on the software CPU, which is the \
                 default. Nobody needs kvm to do the labs."
            }
        }
    }
}

fn mend(f: &mut fmt::Formatter<'_>, how: &str) -> fmt::Result {
    row(f, "  mend", how)
}

/// A name, and beside it as many lines as the text takes.
fn row(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    f.write_str(&wrapped(&format!("  {name:16} "), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvm::Finding;

    /// A host on which all is well, but for one ability of its KVM.
    fn host(missing: Option<Ability>) -> Host {
        let finding = |ability: Ability| Finding {
            ability,
            found: match missing == Some(ability) {
                false => Ok(()),
                true => Err(Lack {
                    what: format!("this kvm cannot {ability}"),
                    mend: String::from("use another host"),
                }),
            },
        };
        let mut findings = Ability::ALL.map(finding).to_vec();
        if missing == Some(Ability::Vm) {
            findings.truncate(1);
        }
        Host {
            cargo: Some("cargo 1.95.0".into()),
            no_temporary: None,
            qemu: None,
            kvm: Report { findings },
            has_device: missing != Some(Ability::Vm),
            cpus: "flags : fpu hypervisor".into(),
            unconfined: Vec::new(),
        }
    }

    /// The report with single spaces for all white space.
    fn told(host: &Host) -> String {
        let text = host.to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_complete_host_says_yes_for_every_version() {
        let told = told(&host(None));
        for version in 1..=7 {
            assert!(told.contains(&format!("v{version} on kvm yes")), "{told}");
        }
        assert!(told.contains("kvm too"), "{told}");
    }

    #[test]
    fn a_kvm_without_system_calls_keeps_the_versions_that_need_none() {
        let host = host(Some(Ability::SystemCall));
        let told = told(&host);
        assert!(told.contains("v2 on kvm yes"), "{told}");
        let lack = "v3 on kvm no: this kvm cannot enter the guest's kernel on syscall mend use \
                    another host";
        assert!(told.contains(lack), "{told}");
        assert!(told.contains("v7 on kvm no, for the same reason"), "{told}");
        assert!(told.contains("What PVM is"), "{told}");
        assert!(host.is_enough());
    }

    #[test]
    fn a_virtual_machine_without_nested_virtualisation_is_told_so() {
        let mut host = host(Some(Ability::Vm));
        assert!(told(&host).contains("nested virtualisation is off"));
        host.cpus = "flags : fpu vmx".into();
        assert!(told(&host).contains("the module is missing"));
        host.cpus = "flags : fpu".into();
        assert!(told(&host).contains("in the firmware"));
        host.cpus.clear();
        assert!(!told(&host).contains("firmware"));
    }

    #[test]
    fn what_protects_from_submissions_is_told_and_what_to_do_without_it() {
        let mut host = host(None);
        assert!(told(&host).contains("confinement yes: landlock"));
        host.unconfined = vec![String::from(
            "landlock, which keeps a submission from files",
        )];
        let told = told(&host);
        assert!(told.contains("confinement no landlock, which"), "{told}");
        assert!(told.contains("mend grade in a container"), "{told}");
        assert!(host.is_enough());
    }

    #[test]
    fn only_what_is_needed_makes_it_fail() {
        let mut host = host(Some(Ability::Vm));
        assert!(host.is_enough());
        host.no_temporary = Some("no space".into());
        assert!(!host.is_enough());
        assert!(told(&host).contains("Something that is needed is missing"));
    }
}
