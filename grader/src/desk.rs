//! Where a runner finds what it is asked, and leaves what it saw.

use crate::child::{self, Finished};
use crate::error::LabError;
use evidence::seal::{Opener, Seal};
use evidence::search::{Report, Request};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A temporary folder for one runner. It vanishes with this value.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// An empty one.
    ///
    /// # Errors
    /// If the host gives no folder.
    pub(crate) fn new() -> Result<Desk, LabError> {
        let folder = tempfile::Builder::new().prefix("heptavisor-").tempdir();
        let folder = folder.map_err(|error| failed("a temporary folder cannot be made", error))?;
        Ok(Desk { folder })
    }

    /// Puts a file there, and gives its path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, LabError> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes)
            .map_err(|error| failed("a temporary file cannot be written", error))?;
        Ok(path)
    }

    /// The path of a file there.
    #[cfg(unix)]
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has `runner` run a scenario for at most `backstop`. `follow` gets the
    /// evidence piece by piece, as it grows; also what there is when this gives
    /// an error.
    ///
    /// # Errors
    /// If the run cannot be made, or on Ctrl-C.
    pub(crate) fn run(
        &self,
        runner: &Path,
        scenario: &impl Serialize,
        backstop: Duration,
        mut follow: impl FnMut(&[u8]),
    ) -> Result<Finished, LabError> {
        let text = serde_json::to_vec(scenario).unwrap_or_default();
        let asked = self.write("scenario.json", &text)?;
        let answer = self.folder.path().join("evidence");
        let mut opener = Opener::new(self.seal()?);
        let mut follow = |piece: &[u8]| follow(&opener.feed(piece));
        let mut tail = Tail::new(&answer);
        let mut command = Command::new(runner);
        command
            .args([&asked, &answer])
            .current_dir(self.folder.path())
            .env_clear();
        let finished = child::run(&mut command, backstop, || tail.more(&mut follow));
        tail.more(&mut follow);
        finished
    }
}

impl Desk {
    /// Has `runner` search through the orders of its threads for at most
    /// `backstop`.
    ///
    /// # Errors
    /// If the search cannot be made, or on Ctrl-C.
    pub(crate) fn search(
        &self,
        runner: &Path,
        request: &Request,
        backstop: Duration,
    ) -> Result<Searched, LabError> {
        let text = serde_json::to_vec(request).unwrap_or_default();
        let asked = self.write("request.json", &text)?;
        let answer = self.folder.path().join("report.json");
        let seal = self.seal()?;
        let mut command = Command::new(runner);
        command
            .arg("search")
            .args([&asked, &answer])
            .current_dir(self.folder.path())
            .env_clear();
        let finished = child::run(&mut command, backstop, || {})?;
        Ok(match std::fs::read(answer) {
            Ok(left) => Report::opened(&left, seal).map_or(Searched::Forged, Searched::Told),
            Err(_) => Searched::Nothing(finished),
        })
    }

    /// A key for the runner, and what opens what is sealed with it.
    fn seal(&self) -> Result<Seal, LabError> {
        Seal::leave(self.folder.path())
            .map_err(|error| failed("a temporary file cannot be written", error))
    }
}

/// What a search left behind.
pub(crate) enum Searched {
    /// Its report.
    Told(Report),
    /// Nothing; it ended like this.
    Nothing(Finished),
    /// Something that it did not write.
    Forged,
}

/// The runner left no evidence at all: that is not the student's doing.
pub(crate) fn did_not_begin(finished: &Finished) -> LabError {
    let said = String::from_utf8_lossy(&finished.stderr);
    failed("the runner did not begin", said.trim_end())
}

fn failed(doing: &str, cause: impl std::fmt::Display) -> LabError {
    LabError::infrastructure(doing, cause)
}

/// Reads a file while somebody else writes it.
struct Tail {
    path: PathBuf,
    file: Option<File>,
}

impl Tail {
    fn new(path: &Path) -> Tail {
        Tail {
            path: path.to_path_buf(),
            file: None,
        }
    }

    /// Reads on.
    fn more(&mut self, follow: &mut impl FnMut(&[u8])) {
        // A file that is not there yet, or not whole, shows in the evidence.
        let _ = self.read(follow);
    }

    fn read(&mut self, follow: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path)?),
        };
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                length => follow(&buffer[..length]),
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const REQUEST: Request = Request { seed: 1, orders: 1 };

    /// What comes of a search by a program that runs these lines of a shell.
    fn searched(lines: &str) -> Searched {
        let folder = tempfile::tempdir().unwrap();
        let runner = folder.path().join("runner");
        std::fs::write(&runner, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&runner, std::fs::Permissions::from_mode(0o755)).unwrap();
        let desk = Desk::new().unwrap();
        desk.search(&runner, &REQUEST, Duration::from_secs(60))
            .unwrap()
    }

    #[test]
    fn a_report_of_a_search_that_somebody_else_wrote_is_refused() {
        let forged = r#"{"orders":400,"failure":null}"#;
        let seal = "0123456789abcdef";
        for line in [forged.to_string(), format!("{forged}\\t{seal}\\n")] {
            let searched = searched(&format!("printf '{line}' > report.json"));
            assert!(matches!(searched, Searched::Forged), "{line}");
        }
        assert!(matches!(searched("true"), Searched::Nothing(_)));
    }
}
