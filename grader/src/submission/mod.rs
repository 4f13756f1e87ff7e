//! What a student hands in, and what is taken of it.
//!
//! A submission is a folder, a zip or tar file, or a git repository. Of it only
//! the files `stages/PACKAGE/src/**/*.rs` are taken, as texts in memory: nothing
//! of a submission is ever unpacked, so no name in it can lead anywhere. Its
//! manifests, build scripts, settings, snapshots and tests stay where they are.
//!
//! Whatever is in a submission becomes a note or a sentence, never a crash.

mod archive;
mod collector;
mod folder;
mod git;
mod name;
mod place;
pub mod refusal;

pub use collector::Taken;
pub(crate) use name::harmless;

use crate::error::LabError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One student's submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What it is called: letters, digits, `.`, `_`, `-` and `@` only.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
}

/// Where a submission is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder with files.
    Folder(PathBuf),
    /// A zip file.
    Zip(PathBuf),
    /// A tar file; `gzip` if it is compressed.
    Tar {
        /// The file.
        path: PathBuf,
        /// Whether it is compressed.
        gzip: bool,
    },
    /// A repository that the program `git` can clone: a path or an address.
    Git(String),
    /// The roster names the student, and nothing was handed in.
    Missing,
}

/// The submissions in a folder, one entry each, sorted by name. A file
/// `NAME.giturl` holds the address of a repository in its first line.
///
/// # Errors
/// If the folder cannot be read, or two entries have the same name.
pub fn discover(folder: &Path) -> Result<Vec<Submission>, LabError> {
    let shown = folder.display();
    let failed = |error| LabError::Usage(format!("'{shown}' cannot be read: {error}"));
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(Submission { name, origin }) = recognise(&path) else {
            continue;
        };
        if found.insert(name.clone(), origin).is_some() {
            return Err(LabError::Usage(format!(
                "'{shown}' holds two submissions called '{name}': rename one"
            )));
        }
    }
    let submission = |(name, origin)| Submission { name, origin };
    Ok(found.into_iter().map(submission).collect())
}

/// The submission that a folder's entry is; `None` for a file of another kind.
fn recognise(path: &Path) -> Option<Submission> {
    let file_name = path.file_name()?.to_string_lossy().into_owned();
    if file_name.starts_with('.') {
        return None;
    }
    let called = |end: &str| file_name.strip_suffix(end).map(name::harmless);
    let path_buf = || path.to_path_buf();
    if path.is_dir() {
        let is_bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
        return Some(Submission {
            name: name::harmless(file_name.strip_suffix(".git").unwrap_or(&file_name)),
            origin: match is_bare {
                true => Origin::Git(path.to_string_lossy().into_owned()),
                false => Origin::Folder(path_buf()),
            },
        });
    }
    let tar = |gzip| Origin::Tar {
        path: path_buf(),
        gzip,
    };
    let (name, origin) = if let Some(name) = called(".zip") {
        (name, Origin::Zip(path_buf()))
    } else if let Some(name) = called(".tar") {
        (name, tar(false))
    } else if let Some(name) = called(".tar.gz").or_else(|| called(".tgz")) {
        (name, tar(true))
    } else {
        let name = called(".giturl")?;
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let address = text.lines().next().unwrap_or_default().trim();
        (name, Origin::Git(address.to_string()))
    };
    Some(Submission { name, origin })
}

/// Why nothing can be taken of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// There is none.
    Missing,
    /// It is not what it claims to be: a damaged archive, for example.
    Unreadable(String),
    /// The host failed; this says nothing about the student.
    Host(String),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Submission {
    /// Takes what may be taken.
    ///
    /// # Errors
    /// If nothing can be.
    pub fn take(&self) -> Result<Taken, Untaken> {
        match &self.origin {
            Origin::Folder(path) => folder::take(path),
            Origin::Zip(path) => archive::take_zip(path),
            Origin::Tar { path, gzip } => archive::take_tar(path, *gzip),
            Origin::Git(address) => git::take(address),
            Origin::Missing => Err(Untaken::Missing),
        }
    }
}

#[cfg(test)]
mod tests;
