//! The seven versions, and where in the workspace each of them is.

use crate::error::LabError;
use crate::suggest;
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};

/// One version of the hypervisor.
#[derive(Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What its VM can do that the one before could not.
    pub title: &'static str,
    /// Its folder in `stages/`, and its package.
    pub package: &'static str,
    /// Its runner's package and program.
    pub runner: &'static str,
}

/// All versions, in order. Those without sources or runner are still to come.
pub const STAGES: &[Stage] = &[
    stage("v1", "kernel only", "v1-kernel-only", "run-v1"),
    stage("v2", "timer IRQ", "v2-timer-irq", "run-v2"),
    stage("v3", "user thread", "v3-user-thread", "run-v3"),
    stage("v4", "user threads", "v4-user-threads", "run-v4"),
    stage("v5", "many VMs", "v5-many-vms", "run-v5"),
    stage("v6", "many pCPUs", "v6-many-pcpus", "run-v6"),
    stage("v7", "many vCPUs", "v7-many-vcpus", "run-v7"),
];

const fn stage(
    name: &'static str,
    title: &'static str,
    package: &'static str,
    runner: &'static str,
) -> Stage {
    Stage {
        name,
        title,
        package,
        runner,
    }
}

impl Stage {
    /// The versions of these names, each once and in their order; all that are in the
    /// workspace if none is named.
    ///
    /// # Errors
    /// If one is not there.
    pub fn named_or_all(
        names: &[String],
        workspace: &Workspace,
    ) -> Result<Vec<&'static Stage>, LabError> {
        if names.is_empty() {
            return Ok(Stage::all_in(workspace));
        }
        let named = names.iter().map(|name| Stage::find(name, workspace));
        let mut named = named.collect::<Result<Vec<_>, _>>()?;
        named.sort_by_key(|stage| stage.name);
        named.dedup();
        Ok(named)
    }

    /// The version called `name`, if this workspace has it.
    ///
    /// # Errors
    /// If there is no such version, or not yet.
    pub fn find(name: &str, workspace: &Workspace) -> Result<&'static Stage, LabError> {
        let here = Stage::all_in(workspace);
        let number = name.strip_prefix(['v', 'V']).unwrap_or(name);
        if let Some(stage) = here.iter().find(|stage| stage.name[1..] == *number) {
            return Ok(stage);
        }
        let known: Vec<_> = here.iter().map(|stage| stage.name).collect();
        Err(match STAGES.iter().find(|stage| stage.name == name) {
            Some(later) => LabError::Usage(format!(
                "version '{name}' ({}) is not in this workspace yet: there is {}. \
                 See `cargo lab list`.",
                later.title,
                known.join(", ")
            )),
            None => suggest::unknown("version", name, &known, "See `cargo lab list`."),
        })
    }

    /// The versions that this workspace has.
    pub fn all_in(workspace: &Workspace) -> Vec<&'static Stage> {
        STAGES
            .iter()
            .filter(|stage| stage.sources(workspace).join("lib.rs").is_file())
            .filter(|stage| {
                workspace
                    .root
                    .join("grader/runners")
                    .join(stage.name)
                    .is_dir()
            })
            .collect()
    }

    /// Its number, from 1.
    pub fn number(&self) -> u8 {
        let digits = self.name.trim_start_matches('v');
        digits.parse().expect("a version is called v and a number")
    }

    /// Whether it runs a set of VMs, from version 5 on, and not a single one.
    pub fn has_many_vms(&self) -> bool {
        self.name >= "v5"
    }

    /// The folder with its sources.
    pub fn sources(&self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.folder()).join("src")
    }

    /// Its folder, relative to the workspace.
    pub fn folder(&self) -> PathBuf {
        Path::new("stages").join(self.package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn here() -> Workspace {
        let grader = Path::new(env!("CARGO_MANIFEST_DIR"));
        Workspace::at(grader.parent().unwrap())
    }

    #[test]
    fn a_version_is_found_by_its_number_with_and_without_the_letter() {
        for name in ["v2", "V2", "2"] {
            assert_eq!(Stage::find(name, &here()).unwrap().name, "v2");
        }
        for name in ["", "v", "vv2", "v22", "x2"] {
            assert!(Stage::find(name, &here()).is_err(), "{name}");
        }
    }

    #[test]
    fn of_the_versions_named_each_is_taken_once_and_without_names_all() {
        let named = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            let stages = Stage::named_or_all(&names, &here()).unwrap();
            stages.iter().map(|stage| stage.name).collect::<Vec<_>>()
        };
        assert_eq!(named(&["v3", "v1", "v3"]), ["v1", "v3"]);
        assert_eq!(named(&[]).len(), STAGES.len());
    }
}
