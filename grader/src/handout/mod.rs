//! Makes the student's tree: the workspace with stubs in the place of solutions.
//!
//! ```text
//!  reveal    which versions are handed out solved
//!  cut       takes a check out of the grader's sources
//!  hidden    which checks that are, and what is said of them
//!  manual    where the manual counts them
//!  vendor    puts the crates' sources along
//! ```
//!
//! Only the stages are marked up; everything else goes along as it is, but for
//! what would tell the solutions: the mutants, the other solutions, the tests of
//! the grader and the answers for instructors. What lies beside the project's own
//! folders (results, submissions, lists of students) never goes along.

mod cut;
mod hidden;
mod manual;
pub mod reveal;
mod vendor;

use crate::batch::config::Config;
use crate::error::LabError;
use crate::markers;
use crate::stages::{STAGES, Stage};
use crate::workspace::{Workspace, files_below};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What goes along, as far as it is not kept back.
const HANDED_OUT: [&str; 13] = [
    ".cargo/config.toml",
    ".gitattributes",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LABS.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "common",
    "grader",
    "guests",
    "stages",
];
/// What stays at home. Where one of these is missing, a tree is a handout itself.
const KEPT_BACK: [&str; 3] = [
    "grader/tests",
    "grader/mutants",
    "grader/beyond/course.json",
];
/// The manual.
const MANUAL: &str = "LABS.md";
/// What the student reads first, in place of the project's own.
const README: &str = include_str!("../../handout.md");

/// The files of a tree, by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// What to hand out.
#[derive(Clone, Debug, Default)]
pub struct Handout {
    /// The versions with the reference solutions filled in.
    pub revealed: Vec<&'static Stage>,
    /// The course's rules: of these, the hidden checks.
    pub config: Config,
    /// Whether the crates' sources go along.
    pub vendor: bool,
}

impl Handout {
    /// Makes the student's tree in `out`, and says how many files it has, crates
    /// apart.
    ///
    /// # Errors
    /// If `out` lies in the tree or has something in it, markers do not fit together, a check cannot
    /// be hidden, or files cannot be read or written. Only in the last case
    /// something is left in `out`.
    pub fn make(&self, workspace: &Workspace, out: &Path) -> Result<usize, LabError> {
        refuse_within(workspace, out)?;
        refuse_unless_empty(out)?;
        refuse_a_handout(workspace)?;
        let mut files = self.files(workspace)?;
        hidden::leave_out(&self.config, &mut files)?;
        for (name, bytes) in &files {
            write(&out.join(name), bytes).map_err(|error| failed(name, error))?;
        }
        if self.vendor {
            vendor::put_along(out)?;
        }
        Ok(files.len())
    }

    /// The lines of the manual in `out` that name sums in which hidden checks count.
    /// Only a person can say which of these are too high now.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sums(&self, out: &Path) -> Result<Vec<String>, LabError> {
        let text = std::fs::read_to_string(out.join(MANUAL));
        let text = text.map_err(|error| failed(MANUAL, error))?;
        let stages = STAGES.iter();
        let stages = stages.filter(|stage| self.config.hides_any(stage.name));
        Ok({ stages }
            .flat_map(|stage| manual::sums(&text, stage.number()))
            .collect())
    }

    /// All files that go along, as the student gets them.
    fn files(&self, workspace: &Workspace) -> Result<Files, LabError> {
        let paths = project_files(workspace)
            .map_err(|error| failed("the workspace cannot be read", error))?;
        let mut files = Files::new();
        for path in paths {
            let name = workspace.relative(&path);
            let bytes = std::fs::read(&path).map_err(|error| failed(&name, error))?;
            if let Some(bytes) = self.handed_out(&name, bytes)? {
                files.insert(name, bytes);
            }
        }
        Ok(files)
    }

    /// What the student gets of a file; `None` if it is left out.
    fn handed_out(&self, name: &str, bytes: Vec<u8>) -> Result<Option<Vec<u8>>, LabError> {
        let text = |bytes| String::from_utf8(bytes).map_err(|error| failed(name, error));
        match name {
            "README.md" => Ok(Some(README.into())),
            MANUAL => Ok(Some(without_answers(&text(bytes)?).into_bytes())),
            _ if name.starts_with("stages/") && name.ends_with(".rs") => {
                let solved = { self.revealed.iter() }
                    .any(|stage| Path::new(name).starts_with(stage.folder()));
                let made = match solved {
                    true => markers::solve(&text(bytes)?),
                    false => markers::strip(&text(bytes)?),
                };
                let made = made.map_err(|error| failed(name, error))?;
                Ok(made.map(String::into_bytes))
            }
            _ => Ok(Some(bytes)),
        }
    }
}

/// What lies in the tree would be taken for a part of it.
fn refuse_within(workspace: &Workspace, out: &Path) -> Result<(), LabError> {
    let real = |path: &Path| path.canonicalize().ok();
    let absolute = std::path::absolute(out).unwrap_or_else(|_| out.to_path_buf());
    // The folder itself may be still to come: the nearest that is there decides.
    let there = absolute.ancestors().find_map(real);
    match (there, real(&workspace.root)) {
        (Some(there), Some(root)) if there.starts_with(&root) => Err(LabError::Usage(format!(
            "'{}' lies in this tree itself: name a folder beside it, such as ../student",
            out.display()
        ))),
        _ => Ok(()),
    }
}

fn refuse_unless_empty(out: &Path) -> Result<(), LabError> {
    let shown = out.display();
    match std::fs::read_dir(out).map(|entries| entries.count()) {
        Ok(0) => Ok(()),
        Ok(_) => Err(LabError::Usage(format!(
            "'{shown}' is not empty, and nothing there shall be overwritten: name a new folder, or \
             empty this one"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(LabError::Usage(format!(
            "'{shown}' cannot be used: {error}. Name a new folder."
        ))),
    }
}

/// A tree without the graders' own files has been handed out already: what
/// stands in its exercises is a student's, and not marked.
fn refuse_a_handout(workspace: &Workspace) -> Result<(), LabError> {
    let complete = KEPT_BACK
        .iter()
        .all(|name| workspace.root.join(name).exists());
    match complete {
        true => Ok(()),
        false => Err(LabError::Usage(
            "this tree is a handout itself: nothing in it is marked as a solution. Make the \
             handout from the instructor's tree"
                .to_string(),
        )),
    }
}

/// The project's own files, without what stays at home.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn project_files(workspace: &Workspace) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for name in HANDED_OUT {
        let path = workspace.root.join(name);
        match path.is_dir() {
            true => paths.extend(files_below(&path)?),
            false if path.is_file() => paths.push(path),
            false => {}
        }
    }
    paths.retain(|path| {
        let name = workspace.relative(path);
        let mut kept_back = KEPT_BACK.iter();
        !kept_back.any(|part| Path::new(&name).starts_with(part))
    });
    Ok(paths)
}

/// The manual without what is for others, such as the answers to its questions:
/// from the line that says so to the next heading.
fn without_answers(manual: &str) -> String {
    let mut answers = false;
    let lines = manual.split_inclusive('\n').filter(|line| {
        answers = match line.trim_end() {
            "*For instructors.*" | "*In the whole project only.*" => true,
            line => answers && !line.starts_with('#'),
        };
        !answers
    });
    lines.collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}

fn failed(doing: &str, cause: impl std::fmt::Display) -> LabError {
    LabError::infrastructure(doing, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_the_project_stays_at_home() {
        let tree = tempfile::tempdir().unwrap();
        for name in [
            "Cargo.toml",
            "class.csv",
            "course.json",
            "grader/mutants/v1/halt.change",
            "results/submissions/ada.json",
            "stages/v1/src/lib.rs",
            "submissions/ada/stages/v1/src/lib.rs",
        ] {
            write(&tree.path().join(name), b"").unwrap();
        }
        let workspace = Workspace::at(tree.path());
        let paths = project_files(&workspace).unwrap();
        let names: Vec<_> = { paths.iter() }
            .map(|path| workspace.relative(path))
            .collect();
        assert_eq!(names, ["Cargo.toml", "stages/v1/src/lib.rs"]);
    }

    #[test]
    fn a_handout_within_the_tree_is_refused_and_one_beside_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        let workspace = Workspace::at(&tree);
        for within in ["", "student", "new/../student/v1"] {
            let error = refuse_within(&workspace, &tree.join(within)).unwrap_err();
            assert!(error.to_string().contains("beside it"), "{error}");
        }
        for beside in ["student", "tree-of-students/v1"] {
            refuse_within(&workspace, &folder.path().join(beside)).unwrap();
        }
    }

    #[test]
    fn the_manual_loses_its_answers_and_nothing_else() {
        let manual = "### Questions\n\n1. Why?\n\n*For instructors.*\n\n1. Because.\n\n### Back\n\
                      text\n*In the whole project only.*\nyes\n## Next\n";
        let left = "### Questions\n\n1. Why?\n\n### Back\ntext\n## Next\n";
        assert_eq!(without_answers(manual), left);
    }
}
