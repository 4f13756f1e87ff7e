//! Takes a submission from a git repository: what its main branch holds now.
//!
//! The program `git` makes a clone without history into a temporary folder, and
//! the sources are taken from there. No hook, submodule or helper program that
//! the repository names is run.

use super::{Taken, Untaken, folder};
use crate::child::{self, How};
use crate::error::LabError;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a clone may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes what may be taken of the repository at `address`.
pub(super) fn take(address: &str) -> Result<Taken, Untaken> {
    if address.is_empty() || address.starts_with('-') {
        let why = format!("'{address}' is no address of a git repository");
        return Err(Untaken::Unreadable(why));
    }
    let place = tempfile::Builder::new().prefix("heptavisor-").tempdir();
    let place = place.map_err(|error| Untaken::Host(error.to_string()))?;
    let clone = place.path().join("clone");
    let mut command = git();
    command
        .args(["clone", "--quiet", "--depth", "1", "--no-tags"])
        .args(["--template=", "--no-recurse-submodules", "--"])
        .arg(address)
        .arg(&clone);
    run(&mut command)?;
    let mut taken = folder::take(&clone)?;
    taken.time = commit_time(&clone);
    Ok(taken)
}

fn git() -> Command {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "protocol.ext.allow=never",
        ])
        .args(["-c", "core.fsmonitor=false"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LFS_SKIP_SMUDGE", "1");
    command
}

fn run(command: &mut Command) -> Result<Vec<u8>, Untaken> {
    let finished = child::run(command, PATIENCE, || {});
    let finished = finished.map_err(|error| match error {
        LabError::Interrupted => Untaken::Interrupted,
        error => Untaken::Host(error.to_string()),
    })?;
    match finished.how {
        How::Exited(0) => Ok(finished.stdout),
        How::TimedOut => Err(Untaken::Host(String::from("git took too long"))),
        // A network that is down and a repository that is not there look alike.
        _ => {
            let said = String::from_utf8_lossy(&finished.stderr);
            Err(Untaken::Host(format!("git failed: {}", said.trim_end())))
        }
    }
}

/// When the commit was made, says the commit. (Its author can set that clock.)
fn commit_time(clone: &Path) -> Option<String> {
    let mut command = git();
    command
        .arg("-C")
        .arg(clone)
        .args(["log", "-1", "--format=%cI"]);
    let said = run(&mut command).ok()?;
    let said = String::from_utf8(said).ok()?;
    Some(said.trim().to_string()).filter(|time| !time.is_empty())
}
