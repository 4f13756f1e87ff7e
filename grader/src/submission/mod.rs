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
    /// A file of a kind that is not read: why.
    Unread(String),
    /// The roster names the student, and nothing was handed in.
    Missing,
}

/// The submissions in a folder, one entry each, sorted by name. A file
/// `NAME.giturl` holds the address of a repository in its first line.
///
/// # Errors
/// If the folder cannot be read, or two entries have the same name.
pub fn discover(folder: &Path) -> Result<Vec<Submission>, LabError> {
    let mut found = BTreeMap::new();
    for path in entries(folder)? {
        let Some(Submission { name, origin }) = recognise(&path) else {
            continue;
        };
        if found.insert(name.clone(), origin).is_some() {
            return Err(LabError::Usage(format!(
                "'{}' holds two submissions called '{name}': rename one",
                folder.display()
            )));
        }
    }
    let submission = |(name, origin)| Submission { name, origin };
    Ok(found.into_iter().map(submission).collect())
}

/// The files in a folder that [`discover`] passes over since nothing reads their
/// kind: each as a submission whose [origin](Origin::Unread) says so.
///
/// # Errors
/// If the folder cannot be read.
pub fn unread(folder: &Path) -> Result<Vec<Submission>, LabError> {
    let unread = |path: PathBuf| {
        let file = path.file_name()?.to_string_lossy();
        if file.starts_with('.') || recognise(&path).is_some() {
            return None;
        }
        let stem = path.file_stem()?.to_string_lossy();
        Some(Submission {
            name: name::harmless(stem.strip_suffix(".tar").unwrap_or(&stem)),
            origin: Origin::Unread(format!(
                "{}: neither a folder, nor .zip, .tar, .tar.gz, .tgz, .giturl",
                file.escape_debug()
            )),
        })
    };
    Ok(entries(folder)?.into_iter().filter_map(unread).collect())
}

/// What is in a folder, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let shown = folder.display();
    let failed = |error| LabError::Usage(format!("'{shown}' cannot be read: {error}"));
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// `name` without an ending, in whatever case it is written.
fn without<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    let (start, found) = name.split_at_checked(name.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(start)
}

/// The submission that a folder's entry is; `None` for a file of another kind.
fn recognise(path: &Path) -> Option<Submission> {
    let file_name = path.file_name()?.to_string_lossy().into_owned();
    if file_name.starts_with('.') {
        return None;
    }
    let called = |end: &str| without(&file_name, end).map(name::harmless);
    let path_buf = || path.to_path_buf();
    if path.is_dir() {
        let is_bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
        return Some(Submission {
            name: name::harmless(without(&file_name, ".git").unwrap_or(&file_name)),
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
        let taken = self.take_any()?;
        if !taken.files.is_empty() || !taken.notes.is_empty() {
            return Ok(taken);
        }
        let why = "nothing of stages/ in it: no file 'stages/VERSION/src/….rs'";
        Err(Untaken::Unreadable(String::from(why)))
    }

    fn take_any(&self) -> Result<Taken, Untaken> {
        match &self.origin {
            Origin::Folder(path) => take_folder(path),
            Origin::Zip(path) => archive::take_zip(path),
            Origin::Tar { path, gzip } => archive::take_tar(path, *gzip),
            Origin::Git(address) => git::take(address),
            Origin::Unread(why) => Err(Untaken::Unreadable(format!("not read: {why}"))),
            Origin::Missing => Err(Untaken::Missing),
        }
    }
}

/// Takes a folder, or if there is no source in it, the only archive that lies there:
/// course systems hand out a folder for each student, with what was uploaded.
fn take_folder(path: &Path) -> Result<Taken, Untaken> {
    let taken = folder::take(path)?;
    let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|data| data.is_file());
    let entries = match taken.files.is_empty() {
        true => entries(path).unwrap_or_default(),
        false => Vec::new(),
    };
    let submissions = entries.iter().filter(|path| is_file(path));
    let origins = submissions.filter_map(|path| Some(recognise(path)?.origin));
    let archives: Vec<_> = origins
        .filter(|origin| matches!(origin, Origin::Zip(_) | Origin::Tar { .. }))
        .collect();
    match &archives[..] {
        [Origin::Zip(path)] => archive::take_zip(path),
        [Origin::Tar { path, gzip }] => archive::take_tar(path, *gzip),
        _ => Ok(taken),
    }
}

#[cfg(test)]
mod tests;
