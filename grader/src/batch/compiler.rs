//! The compiler, and what it is kept in while it works on a submission.
//!
//! It must not read what it does not need: code that came past the check of its
//! words could compile a file of the host into itself.

use crate::error::LabError;
use evidence::confine;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A compiler.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Its own program and libraries.
    sysroot: PathBuf,
    /// What keeps it in; `None` for no protection of the host.
    fence: Option<Fence>,
}

/// What keeps a compiler in.
#[derive(Clone, Debug)]
struct Fence {
    /// The program that confines itself before it becomes the compiler.
    launcher: PathBuf,
    /// What may be read.
    read: Vec<PathBuf>,
}

impl Compiler {
    /// The compiler in `sysroot`, kept in by nothing.
    pub(super) fn of(sysroot: PathBuf) -> Compiler {
        let fence = None;
        Compiler { sysroot, fence }
    }

    /// The same, kept in by `launcher`. It may read itself, the host's programs and
    /// libraries, and what `read` names: above all no home folder. On a host that
    /// keeps its linker elsewhere, it may read everything, since it does not work
    /// with less.
    ///
    /// # Errors
    /// If it cannot be tried.
    pub(super) fn confined_by(
        &self,
        launcher: PathBuf,
        read: Vec<PathBuf>,
    ) -> Result<Compiler, LabError> {
        let programs = confine::PROGRAMS.iter().map(PathBuf::from);
        let read = programs.chain(read).chain([self.sysroot.clone()]);
        let confined = |read| {
            let launcher = launcher.clone();
            let fence = Some(Fence { launcher, read });
            let sysroot = self.sysroot.clone();
            Compiler { sysroot, fence }
        };
        let narrow = confined(read.collect());
        match narrow.works() {
            Ok(true) => Ok(narrow),
            Ok(false) => Ok(confined(vec![PathBuf::from("/")])),
            Err(error) => Err(LabError::infrastructure(
                "the compiler cannot be tried",
                error,
            )),
        }
    }

    /// Whether it may read all files of the host.
    pub fn reads_everything(&self) -> bool {
        let is_all = |fence: &Fence| fence.read.iter().any(|path| path == Path::new("/"));
        self.fence.as_ref().is_none_or(is_all)
    }

    /// Whether it compiles and links an empty program.
    fn works(&self) -> io::Result<bool> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("trial.rs");
        fs::create_dir(folder.path().join("scratch"))?;
        fs::write(&source, "fn main() {}\n")?;
        let mut command = self.command(folder.path());
        command.arg("-o").arg(folder.path().join("trial"));
        let output = command.arg(source).stdin(Stdio::null()).output()?;
        Ok(output.status.success())
    }

    /// The compiler before it knows what to compile. It writes into `folder` only,
    /// in which there is a folder `scratch`.
    pub fn command(&self, folder: &Path) -> Command {
        let rustc = self.sysroot.join("bin/rustc");
        let mut command = match &self.fence {
            None => Command::new(rustc),
            Some(fence) => {
                let mut command = Command::new(&fence.launcher);
                command.arg("confined");
                for path in &fence.read {
                    command.arg("--read").arg(path);
                }
                command.arg(folder).arg(rustc);
                command
            }
        };
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", folder.join("scratch"));
        command
    }
}
