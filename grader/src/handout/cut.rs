//! Takes checks out of the sources of one version's checks, with what nobody else
//! uses.
//!
//! It works on text, by the shape that rustfmt gives it: an entry of the list of
//! checks, a function or a constant at the left edge, an import. What does not
//! have the expected shape stays, which is always safe: at worst a helper is left
//! that nobody calls. Only an entry must be found, and exactly once.
//!
//! A private function or constant goes if no code of the version that is left names
//! it. Types, methods and what other versions share stay.

use std::collections::BTreeMap;

/// The sources of one version's checks, by the files' names in their folder.
pub(super) type Sources = BTreeMap<String, String>;

/// The file with the list of the version's checks. What is private there can be
/// used in the whole folder.
const LIST: &str = "mod.rs";

/// Cuts out the checks of these names, and names those of their functions that
/// went with them: one that another check or another version runs stays.
///
/// # Errors
/// If one does not stand in the list exactly once.
pub(super) fn cut(sources: &mut Sources, checks: &[&str]) -> Result<Vec<String>, String> {
    let list = sources.get_mut(LIST).ok_or("there is no list of checks")?;
    let mut functions = Vec::new();
    for check in checks {
        functions.push(cut_entry(list, check)?);
    }
    let gone: Vec<_> = unused(sources);
    for (file, item) in gone.iter().rev() {
        if let Some(text) = sources.get_mut(file) {
            text.replace_range(item.range.clone(), "");
        }
    }
    for text in sources.values_mut() {
        for (_, item) in &gone {
            *text = without_import(text, &item.name);
        }
        // No empty line at the end, where the last item was.
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    functions.retain(|function| gone.iter().any(|(_, item)| item.name == *function));
    Ok(functions)
}

/// Cuts a check's entry out of the list, and gives the name of its function.
fn cut_entry(list: &mut String, check: &str) -> Result<String, String> {
    const BEGIN: &str = "    Check {\n";
    const END: &str = "\n    },\n";
    let name = format!("\n        name: \"{check}\",\n");
    let [at] = list.match_indices(&name).collect::<Vec<_>>()[..] else {
        return Err(format!("'{check}' does not stand in the list exactly once"));
    };
    let odd = || format!("the entry of '{check}' does not have the shape of the others");
    let begin = list[..=at.0].strip_suffix(BEGIN).ok_or_else(odd)?.len();
    let length = list[begin..].find(END).ok_or_else(odd)? + END.len();
    let entry = &list[begin..begin + length];
    let run = entry.lines().find_map(|line| {
        let path = line.strip_prefix("        run: ")?.strip_suffix(',')?;
        path.rsplit("::").next()
    });
    let run = run.ok_or_else(odd)?.to_string();
    list.replace_range(begin..begin + length, "");
    Ok(run)
}

/// A function or a constant at the left edge, with its documentation and the
/// empty line behind it.
#[derive(Debug)]
struct Item {
    name: String,
    range: std::ops::Range<usize>,
    /// Whether other files of the version can use it.
    shared: bool,
}

/// The items that nothing uses, with their files, in the order in which they stand
/// there. Something is used if code that is used names it, in its file or, where
/// others can see it, in any; what is no item is used anyway.
fn unused(sources: &Sources) -> Vec<(String, Item)> {
    let mut used = Sources::new();
    let mut left = Vec::new();
    for (file, text) in sources {
        let mut rest = text.clone();
        let items = items(text);
        for item in items.iter().rev() {
            rest.replace_range(item.range.clone(), "");
        }
        used.insert(file.clone(), without_imports(&rest));
        left.extend(items.into_iter().map(|item| (file.clone(), item)));
    }
    loop {
        let is_used = |(file, item): &(String, Item)| {
            let everywhere = item.shared || file == LIST;
            let mut seen = used
                .iter()
                .filter(|(other, _)| everywhere || *other == file);
            seen.any(|(_, text)| mentions(text, &item.name))
        };
        let (found, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_used);
        left = rest;
        if found.is_empty() {
            return left;
        }
        for (file, item) in found {
            let text = &sources[&file][item.range];
            used.entry(file).or_default().push_str(text);
        }
    }
}

fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    // Where the documentation of what comes next begins, and where a line does.
    let (mut begin, mut at) = (0, 0);
    while let Some(line) = text[at..].split_inclusive('\n').next() {
        let header = Header::of(line);
        if let Some(header) = header
            && let Some(length) = header.length(&text[at..])
        {
            let end = at + length;
            let blank = usize::from(text[end..].starts_with('\n'));
            items.push(Item {
                name: header.name.to_string(),
                range: begin..end + blank,
                shared: header.shared,
            });
            at = end;
            begin = at;
            continue;
        }
        at += line.len();
        if !line.starts_with("///") && !line.starts_with("#[") {
            begin = at;
        }
    }
    items
}

/// The first line of a function or a constant.
struct Header<'a> {
    name: &'a str,
    shared: bool,
    is_function: bool,
}

impl Header<'_> {
    fn of(line: &str) -> Option<Header<'_>> {
        let private = line.strip_prefix("pub(super) ");
        let shared = private.is_some();
        let rest = private.unwrap_or(line);
        let function = rest.strip_prefix("const ").unwrap_or(rest);
        let function = function.strip_prefix("fn ");
        let name = function.or_else(|| rest.strip_prefix("const "))?;
        let end = name.find(|one: char| !is_of_word(one))?;
        Some(Header {
            name: &name[..end],
            shared,
            is_function: function.is_some(),
        })
    }

    /// How long the item is that `text` begins with.
    fn length(&self, text: &str) -> Option<usize> {
        let first = text.split_inclusive('\n').next()?;
        let end = match self.is_function {
            true if first.ends_with("}\n") => return Some(first.len()),
            true => "\n}\n",
            false if first.ends_with(";\n") => return Some(first.len()),
            // The value stands in the next line, and ends at the same distance.
            false if first.ends_with("=\n") => return value(text, first.len(), "    "),
            false => return value(text, first.len(), ""),
        };
        text.find(end).map(|at| at + end.len())
    }
}

/// Where a value ends that goes on behind `begin`: at the first line that stands
/// no further in and closes it.
fn value(text: &str, begin: usize, indentation: &str) -> Option<usize> {
    let mut end = begin;
    for line in text[begin..].split_inclusive('\n') {
        end += line.len();
        let inside = line.strip_prefix(indentation)?.starts_with(' ');
        if !inside && line.ends_with(";\n") {
            return Some(end);
        }
    }
    None
}

/// Whether a name occurs in a text as a word.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    text.split(|one: char| !is_of_word(one))
        .any(|word| word == name)
}

fn is_of_word(one: char) -> bool {
    one.is_ascii_alphanumeric() || one == '_'
}

/// The ranges of a text's imports at the left edge.
fn imports(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(line) = text[at..].split_inclusive('\n').next() {
        let length = match line.starts_with("use ") {
            true => text[at..].find(";\n").map_or(line.len(), |end| end + 2),
            false => line.len(),
        };
        if line.starts_with("use ") {
            ranges.push(at..at + length);
        }
        at += length;
    }
    ranges
}

/// A text without its imports, those apart that give a name another one.
fn without_imports(text: &str) -> String {
    let mut text = text.to_string();
    for range in imports(&text).into_iter().rev() {
        if !text[range.clone()].contains(" as ") {
            text.replace_range(range, "");
        }
    }
    text
}

/// A text in which no import names `name` any more.
fn without_import(text: &str, name: &str) -> String {
    let mut text = text.to_string();
    for range in imports(&text).into_iter().rev() {
        let import = &text[range.clone()];
        if mentions(import, name) {
            let kept = trimmed(import, name);
            text.replace_range(range, &kept);
        }
    }
    text
}

/// An import without one of its names; nothing if that was all.
fn trimmed(import: &str, name: &str) -> String {
    let is_word = |at: usize| {
        let (before, behind) = (&import[..at], &import[at + name.len()..]);
        !before.ends_with(is_of_word) && !behind.starts_with(is_of_word)
    };
    let places = import.match_indices(name).map(|(at, _)| at);
    let Some(at) = { places }.find(|at| is_word(*at)) else {
        return import.to_string();
    };
    let (before, behind) = (&import[..at], &import[at + name.len()..]);
    match (before.ends_with("::"), behind) {
        (true, ";\n") => return String::new(),
        // A path within a list: now it leads to nothing.
        (true, _) => return format!("{before}{{}}{behind}"),
        (false, "};\n") if before.ends_with('{') => return String::new(),
        _ => {}
    }
    match (behind.strip_prefix(','), before.strip_suffix(", ")) {
        (Some(behind), _) => format!("{before}{}", behind.trim_start()),
        (None, Some(before)) => format!("{before}{behind}"),
        (None, None) => format!("{before}{behind}"),
    }
}

#[cfg(test)]
mod tests;
