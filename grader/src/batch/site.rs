//! One submission laid over the clean tree, and built.
//!
//! A site is a temporary folder with the submission's sources where the clean
//! tree has the reference's. Nothing else of the student is in it, and nothing
//! of the reference: a file that was not handed in is missing.

use super::toolbox::{Toolbox, Use};
use crate::child::{self, Finished, How};
use crate::compile::{Compiled, Rejection};
use crate::error::LabError;
use crate::stages::{STAGES, Stage};
use crate::submission::Taken;
use crate::submission::refusal;
use crate::workspace::Workspace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// On which versions below a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The reference: a mistake costs points once.
    Reference,
    /// The student's own.
    Own,
}

/// How long the compiler may take, whatever else the host does. The processor
/// time that it may take is much less.
const PATIENCE: Duration = Duration::from_secs(600);

/// A place where a submission is built.
#[derive(Debug)]
pub(super) struct Site<'a> {
    toolbox: &'a Toolbox,
    taken: &'a Taken,
    folder: tempfile::TempDir,
    /// What the checks take for the tree: the submission's sources and the clean
    /// tree's snapshots.
    pub(super) workspace: Workspace,
}

/// A library or a program that was built, or why it was not.
type Built = Result<PathBuf, Rejection>;

impl<'a> Site<'a> {
    pub(super) fn new(toolbox: &'a Toolbox, taken: &'a Taken) -> Result<Site<'a>, LabError> {
        let failed = |error| LabError::infrastructure("a submission cannot be laid out", error);
        let folder = tempfile::Builder::new().prefix("heptavisor-").tempdir();
        let folder = folder.map_err(failed)?;
        lay_out(folder.path(), &toolbox.workspace, taken).map_err(failed)?;
        let mut workspace = Workspace::at(&folder.path().join("tree"));
        workspace.target = folder.path().join("built");
        Ok(Site {
            toolbox,
            taken,
            folder,
            workspace,
        })
    }

    /// Builds a version's runner.
    ///
    /// # Errors
    /// If that is not the student's fault.
    pub(super) fn build(&self, stage: &'static Stage, base: Base) -> Result<Compiled, LabError> {
        let library = match self.library(stage, stage, base)? {
            Ok(library) => library,
            Err(rejection) => return Ok(Compiled::Rejected(rejection)),
        };
        let settings = self.toolbox.settings(stage, stage.runner)?;
        let program = self.file(base, stage.runner);
        let mut command = self.compiler();
        command
            .args(&settings.flags)
            .args(["--crate-type=bin", "--crate-name", &settings.name])
            .arg("-o")
            .arg(&program);
        for used in self.toolbox.uses(stage, stage.runner) {
            let path = match used.package == stage.package {
                true => library.clone(),
                false => match self.below(stage, used, base)? {
                    Ok(path) => path,
                    Err(rejection) => return Ok(Compiled::Rejected(rejection)),
                },
            };
            command.arg("--extern").arg(with(&used.name, &path));
        }
        command.arg(&settings.source);
        let lead = format!(
            "{} compiles, but its public face has changed: the runner calls it with the names and \
             types that it was handed out with. Give these back, and change only what is inside.",
            stage.name
        );
        let built = self.compile(&mut command, program, lead)?;
        Ok(built.map_or_else(Compiled::Rejected, Compiled::Runner))
    }

    /// Builds the library of `stage`, as a part of `whole`.
    fn library(&self, whole: &Stage, stage: &Stage, base: Base) -> Result<Built, LabError> {
        let library = self.file(base, &format!("lib{}-{}.rlib", stage.name, whole.name));
        if library.is_file() {
            return Ok(Ok(library));
        }
        if let Some(rejection) = self.refused(stage) {
            return Ok(Err(rejection));
        }
        let settings = self.toolbox.settings(whole, stage.package)?;
        let mut command = self.compiler();
        command
            .args(&settings.flags)
            .args(["--crate-type=lib", "--crate-name", &settings.name])
            .args(["-Cmetadata=submission", "-Funsafe_code", "-Awarnings"])
            .arg("-o")
            .arg(&library);
        for used in self.toolbox.uses(whole, stage.package) {
            let path = match self.below(whole, used, base)? {
                Ok(path) => path,
                Err(rejection) => return Ok(Err(rejection)),
            };
            command.arg("--extern").arg(with(&used.name, &path));
        }
        command.arg(source(stage));
        let lead = format!(
            "{} does not compile{}, so nothing of it could be run. The compiler says where; begin \
             with its first message, since the others often follow from it.",
            stage.name,
            match base {
                Base::Reference => "",
                Base::Own => " on the versions below that were handed in with it",
            }
        );
        self.compile(&mut command, library, lead)
    }

    /// A library that something is built upon.
    fn below(&self, whole: &Stage, used: &Use, base: Base) -> Result<Built, LabError> {
        let stage = STAGES.iter().find(|stage| stage.package == used.package);
        match (stage, base) {
            (Some(stage), Base::Own) => self.library(whole, stage, base),
            _ => Ok(Ok(self.toolbox.library(whole, used)?.to_path_buf())),
        }
    }

    /// Why a version is not even compiled.
    fn refused(&self, stage: &Stage) -> Option<Rejection> {
        let missing = source(stage);
        if !self.taken.files.contains_key(&missing) {
            return Some(Rejection {
                lead: format!(
                    "{} is not complete: '{missing}' was not handed in, and without it nothing of \
                     {} can be compiled.",
                    stage.name, stage.name
                ),
                diagnostics: self.taken.notes.join("\n"),
            });
        }
        let refusals = refusal::refusals(self.taken.of(stage));
        (!refusals.is_empty()).then(|| Rejection {
            lead: format!(
                "{} was refused: it uses what code of a stage may not use. A version works \
                 on the machine that it is given, and needs nothing of the host.",
                stage.name
            ),
            diagnostics: refusals.join("\n"),
        })
    }

    fn file(&self, base: Base, name: &str) -> PathBuf {
        let folder = match base {
            Base::Reference => "reference",
            Base::Own => "own",
        };
        self.folder.path().join("built").join(folder).join(name)
    }

    /// The compiler, before it knows what to compile.
    fn compiler(&self) -> Command {
        let mut command = self.toolbox.compiler.command(self.folder.path());
        let search = format!("-Ldependency={}", self.toolbox.libraries().display());
        command
            .current_dir(&self.workspace.root)
            .args(["--color=never", "-Cdebuginfo=0", "-Cstrip=debuginfo"])
            .arg(search);
        for base in ["own", "reference"] {
            let built = self.folder.path().join("built").join(base);
            command.arg(format!("-Ldependency={}", built.display()));
        }
        command
    }

    fn compile(
        &self,
        command: &mut Command,
        made: PathBuf,
        lead: String,
    ) -> Result<Built, LabError> {
        let mut finished = child::run(command, PATIENCE, || {})?;
        if broke_down(finished.how) {
            finished = child::run(command, PATIENCE, || {})?;
        }
        let Finished { how, stderr, .. } = finished;
        let said = String::from_utf8_lossy(&stderr).into_owned();
        let rejected = |lead: String| {
            Ok(Err(Rejection {
                lead,
                diagnostics: said.clone(),
            }))
        };
        match how {
            How::Exited(0) if made.is_file() => Ok(Ok(made)),
            How::Exited(1) => rejected(lead),
            // The signal of a limit on processor time.
            How::Signal(24) => rejected(String::from(
                "the compiler was stopped: it worked on this code for longer than a minute",
            )),
            How::Flooded => rejected(String::from(
                "the compiler was stopped: it had too much to say about this code",
            )),
            how if broke_down(how) => rejected(format!(
                "the compiler breaks down on this code, twice in the same way ({how:?}), and not on \
                 the code of others: it nests too deeply, or takes more memory than there is"
            )),
            how => Err(LabError::Infrastructure(format!(
                "the compiler did not end by itself ({how:?}): {}",
                said.trim_end()
            ))),
        }
    }
}

/// Whether the compiler crashed: an internal error, an abort, a stack that is too
/// small. Whoever kills it from outside uses another signal.
fn broke_down(how: How) -> bool {
    matches!(how, How::Exited(101) | How::Signal(6 | 7 | 11))
}

fn source(stage: &Stage) -> String {
    format!("stages/{}/src/lib.rs", stage.package)
}

fn with(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn lay_out(folder: &Path, clean: &Workspace, taken: &Taken) -> io::Result<()> {
    for name in ["scratch", "built/own", "built/reference", "tree/grader"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let snapshots = "grader/snapshots";
    copy(
        &clean.root.join(snapshots),
        &folder.join("tree").join(snapshots),
    )?;
    for (name, text) in &taken.files {
        let path = folder.join("tree").join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}
