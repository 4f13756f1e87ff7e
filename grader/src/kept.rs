//! What is known of this workspace's versions, by what is in its files.
//!
//! A verdict is kept under a fingerprint of everything that it depends on: the
//! version's sources and those of the versions below, the machine, the guests, the
//! grader, the workspace's settings, and this very program. So it cannot be out of
//! date: whoever changes a byte of these has another fingerprint, and whoever takes
//! the change back has the old verdict again.
//!
//! Only whole versions with the usual seed on the software CPU are kept.

use crate::cache::Cache;
use crate::cli::EngineName;
use crate::error::LabError;
use crate::fingerprint;
use crate::grade::{Grading, SEED};
use crate::stages::{STAGES, Stage};
use crate::verdict::{StageVerdict, Verdict};
use crate::workspace::Workspace;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

/// How many verdicts of a version are kept: who goes back and forth between two
/// ways to do it finds both.
const NEWEST: usize = 16;

/// What a verdict depends on beside the versions. The compiler is not among it:
/// with another one cargo builds this program anew, too.
const GROUND: [&str; 7] = [
    "common",
    "guests",
    "grader",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "rust-toolchain.toml",
];

/// The verdicts that hold for the files as they were at one moment.
#[derive(Debug)]
pub struct Kept<'a> {
    workspace: &'a Workspace,
    /// By the name of the version. Empty if runners are used that somebody else
    /// built: then nobody knows from what.
    keys: BTreeMap<&'static str, String>,
}

impl Kept<'_> {
    /// Looks at the workspace's files.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn look(workspace: &Workspace) -> Result<Kept<'_>, LabError> {
        let keys = match workspace.runners {
            Some(_) => BTreeMap::new(),
            None => keys(workspace)
                .map_err(|error| LabError::infrastructure("the tree cannot be read", error))?,
        };
        Ok(Kept { workspace, keys })
    }

    /// The verdict on a version, if it is known.
    pub fn verdict(&self, stage: &Stage) -> Option<StageVerdict> {
        let verdict = self.cache(stage.name).ok()?.get(self.keys.get(stage.name)?);
        verdict.filter(|verdict| verdict.stage == stage.name)
    }

    /// Keeps what came out of a grading that was begun after [`Kept::look`], but for
    /// versions whose files were changed since. What cannot be written is not kept,
    /// and will be graded again.
    ///
    /// # Errors
    /// If a file of the workspace cannot be read.
    pub fn keep(&self, verdict: &Verdict, grading: &Grading) -> Result<(), LabError> {
        if !grading.is_usual() {
            return Ok(());
        }
        let now = Kept::look(self.workspace)?;
        for verdict in &verdict.stages {
            let name = &*verdict.stage;
            match (self.keys.get(name), self.cache(name)) {
                (Some(key), Ok(cache)) if now.keys.get(name) == Some(key) => {
                    let _ = cache.put(key, verdict);
                    cache.keep_newest(NEWEST);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn cache(&self, stage: &str) -> Result<Cache, LabError> {
        Cache::in_folder(self.workspace.target.join("lab/verdicts").join(stage))
    }
}

/// The key of each version: it goes on from the one of the version below.
fn keys(workspace: &Workspace) -> io::Result<BTreeMap<&'static str, String>> {
    let ground = fingerprint::of_files(workspace, GROUND)?;
    let seed = SEED.to_string();
    let engine = EngineName::Interp.name();
    let mut key = fingerprint::of_texts([&*ground, &program()?, engine, &seed]);
    let mut keys = BTreeMap::new();
    for stage in STAGES {
        let sources = fingerprint::of_files(workspace, inputs(stage))?;
        key = fingerprint::of_texts([&key, &sources]);
        keys.insert(stage.name, key.clone());
    }
    Ok(keys)
}

/// What a version is built from.
fn inputs(stage: &Stage) -> [PathBuf; 2] {
    ["Cargo.toml", "src"].map(|name| stage.folder().join(name))
}

/// Tells this program from any other build of it.
/// It is looked at once: later another build may lie in its place.
fn program() -> io::Result<String> {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    let file = std::env::current_exe()?.metadata()?;
    let program = format!("{} {:?}", file.len(), file.modified()?);
    Ok(PROGRAM.get_or_init(|| program).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::record::tests::record;

    /// A workspace with a file in each part, in a folder that is removed with it.
    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            target: folder.path().join("target"),
            root: folder.path().to_path_buf(),
            runners: None,
        };
        for stage in STAGES {
            write(
                &workspace,
                &format!("{}/src/lib.rs", stage.folder().display()),
            );
        }
        for name in [
            "common/a.rs",
            "guests/a.rs",
            "grader/snapshots/v1/a.snap",
            "Cargo.lock",
        ] {
            write(&workspace, name);
        }
        (folder, workspace)
    }

    fn write(workspace: &Workspace, name: &str) {
        let path = workspace.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, before + "x").unwrap();
    }

    /// Verdicts on these versions, which nobody reached.
    fn verdict(stages: &[&str]) -> Verdict {
        let stages: Vec<_> = stages.iter().map(|stage| (*stage, 50)).collect();
        let records = record("ada", &stages).stages.into_iter();
        Verdict {
            schema: crate::verdict::SCHEMA,
            engine: "interp",
            seed: SEED,
            stages: records.map(|record| record.result).collect(),
        }
    }

    fn usual() -> Grading {
        Grading::of(STAGES.iter().collect())
    }

    fn known(workspace: &Workspace) -> Vec<&'static str> {
        let kept = Kept::look(workspace).unwrap();
        let known = STAGES.iter().filter(|stage| kept.verdict(stage).is_some());
        known.map(|stage| stage.name).collect()
    }

    #[test]
    fn a_verdict_holds_until_something_changes_that_it_depends_on() {
        for (changed, holds) in [
            ("README.md", &["v1", "v2", "v3"][..]),
            ("stages/v4-user-threads/src/lib.rs", &["v1", "v2", "v3"]),
            ("stages/v2-timer-irq/src/new.rs", &["v1"]),
            ("stages/v1-kernel-only/Cargo.toml", &[]),
            ("common/a.rs", &[]),
            ("guests/a.rs", &[]),
            ("grader/snapshots/v1/a.snap", &[]),
            ("Cargo.lock", &[]),
        ] {
            let (_folder, workspace) = workspace();
            let kept = Kept::look(&workspace).unwrap();
            kept.keep(&verdict(&["v1", "v2", "v3"]), &usual()).unwrap();
            assert_eq!(known(&workspace), ["v1", "v2", "v3"]);
            write(&workspace, changed);
            assert_eq!(known(&workspace), holds, "{changed}");
        }
    }

    #[test]
    fn a_verdict_on_files_that_changed_meanwhile_is_not_kept() {
        let (_folder, workspace) = workspace();
        let before = Kept::look(&workspace).unwrap();
        write(&workspace, "stages/v2-timer-irq/src/lib.rs");
        before.keep(&verdict(&["v1", "v2"]), &usual()).unwrap();
        assert_eq!(known(&workspace), ["v1"]);
    }

    #[test]
    fn nothing_is_known_of_runners_that_somebody_else_built() {
        let (_folder, mut workspace) = workspace();
        workspace.runners = Some(workspace.root.join("runners"));
        let kept = Kept::look(&workspace).unwrap();
        kept.keep(&verdict(&["v1"]), &usual()).unwrap();
        workspace.runners = None;
        assert!(known(&workspace).is_empty());
    }

    #[test]
    fn a_part_of_the_checks_and_another_seed_say_nothing_of_the_whole() {
        let (_folder, workspace) = workspace();
        let kept = Kept::look(&workspace).unwrap();
        let check = Some(String::from("halt-is-no-success"));
        let part = Grading { check, ..usual() };
        let other = Grading { seed: 2, ..usual() };
        let hardware = Grading {
            engine: EngineName::Kvm,
            ..usual()
        };
        for grading in [part, other, hardware] {
            kept.keep(&verdict(&["v1"]), &grading).unwrap();
            assert!(known(&workspace).is_empty());
        }
    }
}
