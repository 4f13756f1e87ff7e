//! The sources of a version, as far as they can be counted.

use crate::stages::Stage;
use crate::workspace::{Workspace, files_below};
use serde::Serialize;
use std::io;

/// A version's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its modules, in the order of their names, the crate itself first.
    pub modules: Vec<Module>,
}

/// A file of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Module {
    /// Its name, such as `delivery`; `lib` for the crate itself.
    pub name: String,
    /// What it is for: the first sentence of its documentation.
    pub about: String,
    /// Lines of code: without comments, blank lines and tests.
    pub lines: usize,
    /// The lines themselves.
    #[serde(skip)]
    pub code: Vec<String>,
}

impl Source {
    /// Reads the sources of `stage`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(stage: &Stage, workspace: &Workspace) -> io::Result<Source> {
        let folder = stage.sources(workspace);
        let mut modules = Vec::new();
        for path in files_below(&folder)? {
            let name = path
                .strip_prefix(&folder)
                .unwrap_or(&path)
                .with_extension("");
            let name = name.to_string_lossy().replace(['/', '\\'], "::");
            let is_test = ["tests", "testing"].iter().any(|end| name.ends_with(end));
            if path.extension().is_some_and(|end| end == "rs") && !is_test {
                modules.push(Module::new(&name, &std::fs::read_to_string(&path)?));
            }
        }
        modules.sort_by_key(|module| (module.name != "lib", module.name.clone()));
        Ok(Source { modules })
    }

    /// Lines of code of all modules.
    pub fn lines(&self) -> usize {
        self.modules.iter().map(|module| module.lines).sum()
    }

    /// Names that others can use: items at the outermost level of a file.
    pub fn names(&self) -> Vec<&str> {
        let code = self.modules.iter().flat_map(|module| &module.code);
        code.filter_map(|line| public_name(line)).collect()
    }

    /// What it uses of another version, by the paths behind that one's name.
    pub fn uses_of(&self, other: &str) -> Vec<String> {
        let mut all: Vec<String> = self
            .modules
            .iter()
            .flat_map(|module| paths(&module.code.join("\n"), other))
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Module {
    /// A file of this name with this text.
    fn new(name: &str, text: &str) -> Module {
        let code = code(text);
        Module {
            name: name.to_string(),
            about: about(text),
            lines: code.len(),
            code,
        }
    }
}

/// The first sentence of a file's documentation.
fn about(text: &str) -> String {
    let docs = text.lines().map_while(|line| line.strip_prefix("//!"));
    let first: Vec<_> = docs
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let first = first.join(" ");
    let end = first.find(". ").unwrap_or(first.len());
    first[..end].trim_end_matches('.').to_string()
}

/// The lines that are neither blank, nor comment, nor test.
fn code(text: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if bare == "#[cfg(test)]" {
            // The item ends on its own line, or with a brace in the same column.
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            if lines.next().is_some_and(|item| item.ends_with('{')) {
                lines.by_ref().find(|line| *line == end);
            }
        } else if !bare.is_empty() && !bare.starts_with("//") {
            kept.push(line.to_string());
        }
    }
    kept
}

/// The name of an item that others can use.
fn public_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = rest.strip_prefix("const fn ").map_or(rest, |name| name);
    let kinds = [
        "fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "mod ",
    ];
    let name = kinds
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))
        .unwrap_or(rest);
    let end = name.find(|letter: char| !is_of_a_name(letter));
    let name = &name[..end.unwrap_or(name.len())];
    (name != "use" && !name.is_empty()).then_some(name)
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The paths behind `other::` in a text, such as `delivery::Gate`; of a list in
/// braces each.
fn paths(text: &str, other: &str) -> Vec<String> {
    let lead = format!("{other}::");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&lead) {
        if text[..at].ends_with(is_of_a_name) {
            continue; // the end of a longer name
        }
        let rest = &text[at + lead.len()..];
        let end = rest.find(|letter| !is_of_a_name(letter) && letter != ':');
        let (path, rest) = rest.split_at(end.unwrap_or(rest.len()));
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => {
                let names = list
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                let name = |name: &str| name.split(" as ").next().unwrap_or(name).to_string();
                found.extend(names.map(|one| path.to_string() + &name(one)));
            }
            None => found.push(path.trim_end_matches(':').to_string()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! Who waits. Given: nothing
//! to do here.
//!
//! More.

use v1::{Emulate, virtual_cpu::Next as N};

/// A thing.
pub struct Thing {
    // BEGIN SOLUTION
    pub part: v1::Part,
    // END SOLUTION
}

#[cfg(test)]
mod testing;
pub const fn make() -> Thing {
    rev1::x()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it() {
    }
}
";

    #[test]
    fn comments_blank_lines_and_tests_are_no_code() {
        let code = code(TEXT);
        assert_eq!(code.len(), 7, "{code:#?}");
        assert!(!code.iter().any(|line| line.contains("test")), "{code:#?}");
    }

    #[test]
    fn the_purpose_is_the_first_sentence() {
        assert_eq!(about(TEXT), "Who waits");
        assert_eq!(
            about("//! One that\n//! goes on.\n//!\n//! No more."),
            "One that goes on"
        );
        assert_eq!(about("fn main() {}"), "");
    }

    #[test]
    fn public_names_are_those_of_the_outermost_level() {
        let module = Module::new("thing", TEXT);
        let source = Source {
            modules: vec![module],
        };
        assert_eq!(source.names(), ["Thing", "make"]);
    }

    #[test]
    fn what_is_used_of_another_version_is_found_in_lists_and_in_paths() {
        let source = Source {
            modules: vec![Module::new("thing", TEXT)],
        };
        assert_eq!(
            source.uses_of("v1"),
            ["Emulate", "Part", "virtual_cpu::Next"]
        );
        assert!(source.uses_of("v2").is_empty());
    }
}
