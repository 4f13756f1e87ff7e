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
    /// The version called `name`, if this workspace has it.
    ///
    /// # Errors
    /// If there is no such version, or not yet.
    pub fn find(name: &str, workspace: &Workspace) -> Result<&'static Stage, LabError> {
        let here = Stage::all_in(workspace);
        let bare = name.trim_start_matches(['v', 'V']);
        if let Some(stage) = here.iter().find(|stage| stage.name[1..] == *bare) {
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
