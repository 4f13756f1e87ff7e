//! The bank: named textual changes of a version's reference solution.
//!
//! Each is a file `NAME.change`. Its first lines say why somebody would write
//! that, and which checks must fail (`none` for a solution that is right but
//! built differently); the rest are replacements in files of the stage:
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

use lab::markers;
use lab::stages::Stage;
use std::path::Path;

pub struct Change {
    pub name: String,
    pub why: String,
    /// The checks that must fail, and no others.
    pub fails: Vec<String>,
    /// Checks with real threads, which may fail or not: the mistake is a race.
    pub may: Vec<String>,
    edits: Vec<Edit>,
}

struct Edit {
    file: String,
    old: String,
    new: String,
}

/// All changes of a version, by name.
pub fn changes(stage: &Stage) -> Vec<Change> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("mutants")
        .join(stage.name);
    let files = lab::workspace::files_below(&folder).expect("the bank");
    files
        .iter()
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(path).expect("a change");
            parse(&name, &text)
        })
        .collect()
}

fn parse(name: &str, text: &str) -> Change {
    let mut parts = text.split("==== ");
    let head = parts.next().unwrap_or_default();
    let field = |key: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(key));
        found
            .unwrap_or_else(|| panic!("{name} has no line '{key}'"))
            .trim()
    };
    let fails = field("fails:").split(", ").filter(|check| *check != "none");
    let may = head.lines().find_map(|line| line.strip_prefix("may:"));
    let may = may.into_iter().flat_map(|names| names.trim().split(", "));
    Change {
        name: name.to_string(),
        why: field("why:").to_string(),
        fails: fails.map(str::to_string).collect(),
        may: may.map(str::to_string).collect(),
        edits: parts.map(|part| edit(name, part)).collect(),
    }
}

fn edit(name: &str, part: &str) -> Edit {
    let (file, rest) = part.split_once('\n').expect("a file name");
    let (old, new) = rest
        .split_once("\n====\n")
        .unwrap_or_else(|| panic!("{name}: no line '====' between old and new"));
    let [file, old, new] = [file, old, new].map(|text| text.trim_end().to_string());
    Edit { file, old, new }
}

impl Change {
    /// The text of one of the stage's files with this change made.
    pub fn edited(&self, file: &str, mut text: String) -> String {
        for Edit { old, new, .. } in self.edits.iter().filter(|edit| edit.file == file) {
            assert_eq!(
                text.matches(old.as_str()).count(),
                1,
                "{}: the old text must stand once in {file}:\n{old}",
                self.name
            );
            text = text.replace(old.as_str(), new);
        }
        text
    }

    /// Whether all its changes lie where students write: in solutions. (A line
    /// that marks one may stand there to tell it from another.)
    pub fn stays_in_solutions(&self, solutions: &[(String, String)]) -> bool {
        self.edits.iter().all(|edit| {
            let source = solutions
                .iter()
                .find(|(name, _)| name.ends_with(&edit.file));
            let lines = source
                .map(|(_, text)| markers::solution_lines(text))
                .unwrap_or_default();
            let inside =
                |line: &str| lines.contains(&line.trim()) || markers::first_marker(line).is_some();
            edit.old.lines().all(inside)
        })
    }
}
