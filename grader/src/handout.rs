//! Makes the student's tree: the workspace with stubs in the place of solutions.
//!
//! Only the stages are marked up; everything else goes along as it is, but for
//! what would tell the solutions: the mutants, the other solutions and the
//! tests of the grader.

use crate::error::LabError;
use crate::markers;
use crate::workspace::{Workspace, files_below};
use std::io;
use std::path::{Path, PathBuf};

/// What stays at home.
const KEPT_BACK: [&str; 2] = ["grader/tests", "grader/mutants"];
/// What the student reads first, in place of the project's own.
const README: &str = include_str!("../handout.md");
/// What goes along although its name begins with a dot.
const DOTTED: [&str; 3] = [".cargo/config.toml", ".gitignore", ".gitattributes"];

/// Makes the student's tree in `out`, and says how many files it has.
///
/// # Errors
/// If `out` has something in it, markers do not fit together, or files cannot
/// be read or written.
pub fn make(workspace: &Workspace, out: &Path) -> Result<usize, LabError> {
    refuse_unless_empty(out)?;
    refuse_a_handout(workspace)?;
    let files =
        files(workspace, out).map_err(|error| failed("the workspace cannot be read", error))?;
    let mut made = 0;
    for file in files {
        let name = workspace.relative(&file);
        let bytes = match &*name {
            "README.md" => README.into(),
            _ => std::fs::read(&file).map_err(|error| failed(&name, error))?,
        };
        if let Some(bytes) = handed_out(&name, bytes)? {
            write(&out.join(&name), &bytes).map_err(|error| failed(&name, error))?;
            made += 1;
        }
    }
    Ok(made)
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
        .all(|folder| workspace.root.join(folder).is_dir());
    match complete {
        true => Ok(()),
        false => Err(LabError::Usage(
            "this tree is a handout itself: nothing in it is marked as a solution. Make the \
             handout from the instructor's tree"
                .to_string(),
        )),
    }
}

/// The files that go along, `out` itself left out should it lie within.
fn files(workspace: &Workspace, out: &Path) -> io::Result<Vec<PathBuf>> {
    let out = std::path::absolute(out)?;
    let mut files = files_below(&workspace.root)?;
    files.retain(|path| {
        let name = workspace.relative(path);
        let dotted = name.starts_with('.') && !DOTTED.contains(&&*name);
        let kept_back = KEPT_BACK
            .iter()
            .any(|folder| Path::new(&name).starts_with(folder));
        // What the instructor has predicted would give the answers away.
        let answers = name.starts_with("predictions/");
        !dotted
            && !kept_back
            && !answers
            && !path.starts_with(&out)
            && !path.starts_with(&workspace.target)
    });
    for name in DOTTED {
        let path = workspace.root.join(name);
        if path.is_file() && !files.contains(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// What the student gets of a file; `None` if it is left out.
fn handed_out(name: &str, bytes: Vec<u8>) -> Result<Option<Vec<u8>>, LabError> {
    if !(name.starts_with("stages/") && name.ends_with(".rs")) {
        return Ok(Some(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|error| failed(name, error))?;
    let stripped = markers::strip(&text).map_err(|error| failed(name, error))?;
    Ok(stripped.map(String::into_bytes))
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
