//! The bank: named textual changes of a version's reference solution.
//!
//! Each is a file `grader/mutants/VERSION/NAME.change`. Its first lines say why
//! somebody would write that, and which checks must fail (`none` for a solution
//! that is right but built differently); the rest are replacements in files of the
//! stage:
//!
//! ```text
//! why: takes a halt for the end of the work
//! fails: halt-is-no-success
//! ==== src/monitor.rs
//! old text, which stands in the file exactly once
//! ====
//! new text
//! ```
//!
//! A mistake that is a race may have a line `may: CHECK` behind `fails:`. It names a
//! check that lets real threads loose, which meet the race in one run and not in the
//! next; some other check must find it every time.
//!
//! The bank tells solutions, so a tree that was handed out has none.

use crate::error::LabError;
use crate::markers;
use crate::stages::Stage;
use crate::workspace::{Workspace, files_below};

/// A named change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The name of its file.
    pub name: String,
    /// Why somebody would write that.
    pub why: String,
    /// The checks that must fail, and no others.
    pub fails: Vec<String>,
    /// Checks with real threads, which may fail or not: the mistake is a race.
    pub may: Vec<String>,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
struct Edit {
    file: String,
    old: String,
    new: String,
}

/// All changes of a version, by name.
///
/// # Errors
/// If there is no bank, or a file of it cannot be read.
pub fn changes(stage: &Stage, workspace: &Workspace) -> Result<Vec<Change>, LabError> {
    let folder = workspace.root.join("grader/mutants").join(stage.name);
    let failed = |error| LabError::infrastructure(folder.display(), error);
    let files = files_below(&folder).map_err(failed)?;
    let change = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Change::parse(&name, &text)
    };
    files.iter().map(change).collect()
}

impl Change {
    fn parse(name: &str, text: &str) -> Result<Change, LabError> {
        let mut parts = text.split("==== ");
        let head = parts.next().unwrap_or_default();
        let field = |key: &str| head.lines().find_map(|line| line.strip_prefix(key));
        let needed = |key: &str| {
            let found = field(key).map(str::trim);
            found.ok_or_else(|| wrong(name, &format!("no line '{key}'")))
        };
        let names = |text: &str| text.trim().split(", ").map(str::to_string).collect();
        Ok(Change {
            name: name.to_string(),
            why: needed("why:")?.to_string(),
            fails: match needed("fails:")? {
                "none" => Vec::new(),
                listed => names(listed),
            },
            may: field("may:").map_or(Vec::new(), names),
            edits: parts
                .map(|part| edit(name, part))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The text of one of the stage's files, such as `src/lib.rs`, with this
    /// change made.
    ///
    /// # Errors
    /// If what is to be replaced does not stand there exactly once.
    pub fn edited(&self, file: &str, mut text: String) -> Result<String, LabError> {
        for Edit { old, new, .. } in self.edits.iter().filter(|edit| edit.file == file) {
            if text.matches(old.as_str()).count() != 1 {
                let problem = format!("the old text must stand once in {file}:\n{old}");
                return Err(wrong(&self.name, &problem));
            }
            text = text.replace(old.as_str(), new);
        }
        Ok(text)
    }

    /// Whether all its changes lie where students write: in solutions. (A line
    /// that marks one may stand there to tell it from another.)
    pub fn stays_in_solutions(&self, sources: &[(String, String)]) -> bool {
        self.edits.iter().all(|edit| {
            let source = sources.iter().find(|(name, _)| name.ends_with(&edit.file));
            let lines = source
                .map(|(_, text)| markers::solution_lines(text))
                .unwrap_or_default();
            let inside =
                |line: &str| lines.contains(&line.trim()) || markers::first_marker(line).is_some();
            edit.old.lines().all(inside)
        })
    }
}

fn edit(name: &str, part: &str) -> Result<Edit, LabError> {
    let halves = part.split_once('\n');
    let halves = halves.and_then(|(file, rest)| Some((file, rest.split_once("\n====\n")?)));
    let Some((file, (old, new))) = halves else {
        return Err(wrong(name, "no line '====' between old and new"));
    };
    let [file, old, new] = [file, old, new].map(|text| text.trim_end().to_string());
    Ok(Edit { file, old, new })
}

fn wrong(name: &str, problem: &str) -> LabError {
    LabError::Infrastructure(format!("the change '{name}' of the bank: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "why: too early\nfails: a, b\n==== src/lib.rs\nold\n====\nnew\n==== src/x.rs\n1\n====\n2\n";

    #[test]
    fn a_change_replaces_its_texts_in_its_files() {
        let change = Change::parse("early", TEXT).unwrap();
        assert_eq!((&*change.why, change.fails.len()), ("too early", 2));
        assert_eq!(
            change.edited("src/lib.rs", "an old 1".into()).unwrap(),
            "an new 1"
        );
        assert_eq!(
            change.edited("src/x.rs", "an old 1".into()).unwrap(),
            "an old 2"
        );
    }

    #[test]
    fn a_text_that_is_not_there_once_is_an_error() {
        let change = Change::parse("early", TEXT).unwrap();
        for text in ["none", "old old"] {
            let error = change.edited("src/lib.rs", text.into()).unwrap_err();
            assert!(error.to_string().contains("stand once in src/lib.rs"));
        }
    }

    #[test]
    fn a_change_without_what_it_needs_is_named() {
        for text in ["fails: a\n", "why: x\n", "why: x\nfails: a\n==== f\nold"] {
            let error = Change::parse("early", text).unwrap_err();
            assert!(error.to_string().contains("'early'"), "{error}");
        }
        assert!(
            Change::parse("right", "why: x\nfails: none\n")
                .unwrap()
                .fails
                .is_empty()
        );
    }
}
