//! A class made up: many ways to be right, the mistakes of the bank, and what else
//! comes in on the last evening.

use lab::bank::{self, Change};
use lab::error::LabError;
use lab::markers;
use lab::stages::Stage;
use lab::workspace::{Workspace, files_below};
use std::fs;
use std::io;
use std::path::Path;

/// What a submission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Right, and unlike every other one.
    Variation,
    /// A mistake of the bank in each version, else as a variation.
    Mistake,
    /// The same as another one.
    Copy,
    /// Nothing done yet.
    Starter,
    /// Does not compile.
    Broken,
}

impl Kind {
    /// What the submission of a number is: of twenty eleven are variations, five
    /// have mistakes, two are copies.
    pub fn of(number: usize) -> Kind {
        match number % 20 {
            1 | 5 | 9 | 13 | 17 => Kind::Mistake,
            3 | 11 => Kind::Copy,
            7 => Kind::Starter,
            15 => Kind::Broken,
            _ => Kind::Variation,
        }
    }
}

/// The sources of one version: what they are made from.
pub struct Original {
    /// Names, as in the workspace, and texts.
    files: Vec<(String, String)>,
    folder: String,
    mistakes: Vec<Change>,
}

impl Original {
    /// Reads a version.
    ///
    /// # Errors
    /// If its sources or the bank cannot be read.
    pub fn read(stage: &Stage, workspace: &Workspace) -> Result<Original, LabError> {
        let failed = |error| LabError::infrastructure("a version's sources", error);
        let mut files = Vec::new();
        for path in files_below(&stage.sources(workspace)).map_err(failed)? {
            let text = fs::read_to_string(&path).map_err(failed)?;
            files.push((workspace.relative(&path), text));
        }
        let mut mistakes = bank::changes(stage, workspace)?;
        mistakes.retain(|change| !change.fails.is_empty());
        Ok(Original {
            files,
            folder: format!("{}/", stage.folder().display()),
            mistakes,
        })
    }

    /// Writes what the submission of a number has of this version.
    ///
    /// # Errors
    /// If that cannot be written, or the bank does not fit the sources.
    pub fn write(&self, number: usize, to: &Path) -> Result<(), LabError> {
        let mistake = &self.mistakes[number / 4 % self.mistakes.len()];
        for (name, text) in &self.files {
            let text = text.clone();
            let text = match Kind::of(number) {
                Kind::Variation => Some(varied(&text, number)),
                Kind::Mistake => {
                    let file = name.trim_start_matches(&self.folder);
                    Some(mistake.edited(file, text)?)
                }
                Kind::Copy => Some(text),
                Kind::Starter => {
                    markers::strip(&text).map_err(|error| LabError::infrastructure(name, error))?
                }
                Kind::Broken => Some(format!(
                    "{text}\nfn forgotten_{number}() -> u8 {{ \"\" }}\n"
                )),
            };
            let written = text.map_or(Ok(()), |text| write(&to.join(name), &text));
            written.map_err(|error| LabError::infrastructure(name, error))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, text)
}

/// The same program written in another way: other names for what is local, the
/// items in another order, a comment.
fn varied(text: &str, number: usize) -> String {
    let mut items = items(text);
    let begin = items.iter().take_while(|item| stays_first(item)).count();
    let moved = items.len() - begin;
    items[begin..].rotate_left(number % moved.max(1));
    let mut varied = items.join("\n\n");
    for name in locals(text) {
        varied = renamed(&varied, &name, &format!("{name}_{number}"));
    }
    format!("{varied}\n\n// handed in by student {number}\n")
}

/// A file in pieces at its empty lines, where a new item begins.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for piece in text.trim_end().split("\n\n") {
        match items.last_mut() {
            Some(item) if piece.starts_with([' ', '}']) || !item.ends_with(['}', ';']) => {
                item.push_str("\n\n");
                item.push_str(piece);
            }
            _ => items.push(piece.to_string()),
        }
    }
    items
}

/// What belongs at the head of a file.
fn stays_first(item: &str) -> bool {
    ["//!", "#!", "use ", "mod ", "pub mod ", "pub use "]
        .iter()
        .any(|start| item.starts_with(start))
}

/// Names that are bound by `let`, and that can be no field, argument or function.
fn locals(text: &str) -> Vec<String> {
    let bound = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("let ")?;
        let name = rest.trim_start_matches("mut ").split_once(" = ")?.0;
        let is_name = name.len() > 1
            && name
                .chars()
                .all(|one| one.is_ascii_lowercase() || one == '_');
        is_name.then(|| name.to_string())
    });
    let mut names: Vec<_> = bound.filter(|name| is_only_local(text, name)).collect();
    names.sort();
    names.dedup();
    names
}

fn is_only_local(text: &str, name: &str) -> bool {
    places(text, name).all(|at| {
        let before = text[..at].trim_end();
        let after = &text[at + name.len()..];
        let beside = after.trim_start();
        !before.ends_with(['.', '{', ',', '"', '|', '/'])
            && !before.ends_with("fn")
            && !after.starts_with([':', '!'])
            && !beside.starts_with([',', '}', '|'])
    })
}

fn renamed(text: &str, name: &str, other: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut done = 0;
    for at in places(text, name) {
        renamed += &text[done..at];
        renamed += other;
        done = at + name.len();
    }
    renamed + &text[done..]
}

/// Where a name stands as a whole word.
fn places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let in_word = |one: char| one.is_alphanumeric() || one == '_';
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(in_word) && !after.is_some_and(in_word)
        })
}
