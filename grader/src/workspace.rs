//! The tree that holds the machine, the guests and the stages.

use crate::error::LabError;
use std::io;
use std::path::{Path, PathBuf};

/// A source tree and the folder that its build goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The folder with the runners, if none are to be built.
    pub runners: Option<PathBuf>,
}

impl Workspace {
    /// The workspace that the current folder is in; failing that, the one that
    /// this program was built from.
    ///
    /// # Errors
    /// If neither is there.
    pub fn find() -> Result<Workspace, LabError> {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let current = std::env::current_dir().ok();
        let around = current.iter().flat_map(|folder| folder.ancestors());
        around
            .chain(built_from)
            .find(|folder| folder.join("Cargo.toml").is_file() && folder.join("stages").is_dir())
            .map(Workspace::at)
            .ok_or_else(|| {
                LabError::Infrastructure(String::from(
                    "no Heptavisor workspace here: go to the folder that holds `stages/` and try again",
                ))
            })
    }

    /// The workspace in `root`, built where cargo builds it by default.
    pub fn at(root: &Path) -> Workspace {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(elsewhere) => root.join(elsewhere),
            None => root.join("target"),
        };
        Workspace {
            root: root.to_path_buf(),
            target,
            runners: None,
        }
    }

    /// A path as a person in the workspace's root would type it.
    pub fn relative(&self, path: &Path) -> String {
        let short = path.strip_prefix(&self.root).unwrap_or(path);
        short.to_string_lossy().replace('\\', "/")
    }
}

/// All files below `folder`, sorted, those in folders named `target` or with a
/// leading dot left out. Links are not followed.
///
/// # Errors
/// If a folder cannot be read.
pub fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let hidden = name.to_string_lossy().starts_with('.') || name == "target";
            match entry.file_type()? {
                kind if kind.is_dir() && !hidden => folders.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
