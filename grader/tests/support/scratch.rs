//! A copy of the workspace that may be changed and built.
//!
//! There is one, in `target/grader-tests`, with a target folder of its own: what
//! does not change from use to use is built once. Whoever holds a [`Scratch`]
//! has it alone.

use lab::workspace::{Workspace, files_below};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub struct Scratch {
    pub workspace: Workspace,
    _lock: File,
}

impl Scratch {
    /// Makes the scratch tree equal to the one in `from`. Files that are equal
    /// already stay untouched, so that cargo builds only what changed.
    pub fn of(from: &Workspace) -> Scratch {
        let folder = super::workspace().target.join("grader-tests");
        fs::create_dir_all(&folder).expect("a folder for the scratch tree");
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("the scratch tree for this test alone");
        let workspace = Workspace {
            root: folder.join("tree"),
            target: folder.join("target"),
            runners: None,
        };
        make_equal(from, &workspace.root);
        let scratch = Scratch {
            workspace,
            _lock: lock,
        };
        scratch.write(".cargo/config.toml", SETTINGS);
        scratch
    }

    /// Writes one file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.workspace.root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file of the scratch tree");
    }
}

/// Nobody debugs what is built here.
const SETTINGS: &str = "[profile.dev]\ndebug = 0\n";

fn make_equal(from: &Workspace, to: &Path) {
    let wanted = tree(&from.root);
    for stale in tree(to).difference(&wanted) {
        let stale = to.join(stale);
        fs::remove_file(&stale).expect("a stale file removed");
        // A member of the workspace without a manifest would be a mistake.
        let folders = stale.ancestors().skip(1).take_while(|path| *path != to);
        folders.for_each(|folder| drop(fs::remove_dir(folder)));
    }
    for name in &wanted {
        let bytes = fs::read(from.root.join(name)).expect("a file of the workspace");
        let path = to.join(name);
        if fs::read(&path).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, bytes).expect("a file of the scratch tree");
        }
    }
}

/// The files that matter for a build, relative to `root`.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    let files = files_below(root).unwrap_or_default();
    let relative = files.iter().filter_map(|path| path.strip_prefix(root).ok());
    relative
        .filter(|path| !path.starts_with("target") && !path.starts_with("grader/mutants"))
        .map(Path::to_path_buf)
        .collect()
}
