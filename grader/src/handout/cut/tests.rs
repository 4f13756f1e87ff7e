use super::*;
use crate::checks::Course;
use crate::stages::STAGES;
use std::path::Path;

const LIST_TEXT: &str = r#"//! Checks.

mod one;

pub const COURSE: &[Check] = CHECKS;

const CHECKS: &[Check] = &[
    Check {
        name: "kept",
        points: 1,
        run: one::kept,
    },
    Check {
        name: "gone",
        points: 2,
        run: one::gone,
    },
];

/// Both use it.
fn guest() -> u8 {
    1
}

/// One uses it.
const NEVER: u64 =
    1 << 40;
"#;

const ONE: &str = r#"//! One.

use super::{NEVER, guest};
use crate::Bench;

pub(super) fn kept(bench: &Bench) {
    judge(bench, guest());
}

fn judge(_: &Bench, _: u8) {}

/// A long
/// story.
pub(super) fn gone(
    bench: &Bench,
) {
    helper(guest(), NEVER);
}

/// It and `again` call each other.
fn helper(one: u8, limit: u64) {
    judge(one);
    if limit > LIMIT {
        again(one, limit - 1);
    }
}

fn again(one: u8, limit: u64) {
    helper(one, limit);
}

/// Only the helper knows it.
const LIMIT: u64 = 3;
"#;

fn small() -> Sources {
    [(LIST, LIST_TEXT), ("one.rs", ONE)]
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .into()
}

#[test]
fn a_check_goes_with_all_that_only_it_uses() {
    let mut sources = small();
    assert_eq!(cut(&mut sources, &["gone"]).unwrap(), ["gone"]);
    let left = "//! One.\n\nuse super::{guest};\nuse crate::Bench;\n\npub(super) fn kept(bench: \
                &Bench) {\n    judge(bench, guest());\n}\n\nfn judge(_: &Bench, _: u8) {}\n";
    assert_eq!(sources["one.rs"], left);
    let list = &sources[LIST];
    assert!(
        list.contains("fn guest") && list.contains("\"kept\""),
        "{list}"
    );
    assert!(!list.contains("NEVER") && !list.contains("gone"), "{list}");
}

#[test]
fn a_function_that_another_check_runs_stays() {
    let mut sources = small();
    let list = sources.get_mut(LIST).unwrap();
    *list = list.replace("one::kept", "one::gone");
    assert_eq!(cut(&mut sources, &["gone"]).unwrap(), [""; 0]);
    assert!(sources["one.rs"].contains("fn gone"));
}

#[test]
fn a_check_that_is_not_in_the_list_once_is_an_error() {
    assert!(cut(&mut small(), &["lost"]).unwrap_err().contains("'lost'"));
    let mut sources = small();
    let list = sources.get_mut(LIST).unwrap();
    *list = list.replace("\"kept\"", "\"gone\"");
    assert!(cut(&mut sources, &["gone"]).is_err());
}

#[test]
fn imports_lose_one_name_and_keep_the_others() {
    for (import, kept) in [
        ("use super::a;\n", ""),
        ("use super::{a, b};\n", "use super::{b};\n"),
        ("use super::{b, a};\n", "use super::{b};\n"),
        ("use super::{a};\n", ""),
        (
            "use super::{\n    aa, a,\n};\n",
            "use super::{\n    aa, };\n",
        ),
        ("use super::{x::{b, a}, c};\n", "use super::{x::{b}, c};\n"),
        ("use super::{x::{a}, c};\n", "use super::{x::{}, c};\n"),
        ("use super::{x::a, c};\n", "use super::{x::{}, c};\n"),
        ("use super::{c, x::a};\n", "use super::{c, x::{}};\n"),
        ("use super::b;\n", "use super::b;\n"),
    ] {
        assert_eq!(trimmed(import, "a"), kept);
    }
}

/// The names of all functions and constants that stand at the left edge.
fn names(sources: &Sources) -> Vec<String> {
    let mut names = Vec::new();
    for text in sources.values() {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        names.extend(file.items.iter().filter_map(|item| match item {
            syn::Item::Fn(function) => Some(function.sig.ident.to_string()),
            syn::Item::Const(constant) => Some(constant.ident.to_string()),
            _ => None,
        }));
    }
    names
}

/// Whoever writes a new check finds out here whether it can be hidden.
#[test]
fn every_check_of_the_course_can_be_cut_alone_and_the_rest_still_parses() {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
    for stage in STAGES {
        let mut whole = Sources::new();
        for path in crate::workspace::files_below(&checks.join(stage.name)).unwrap() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            whole.insert(name, std::fs::read_to_string(path).unwrap());
        }
        assert!(unused(&whole).is_empty(), "{} has unused code", stage.name);
        let before = names(&whole);
        for check in Course::of(stage).unwrap().checks {
            let mut sources = whole.clone();
            let functions = cut(&mut sources, &[check.name]).unwrap();
            let left = names(&sources);
            let list = &sources[LIST];
            assert!(!list.contains(check.name), "{}", check.name);
            // What all versions share is not in this folder, and stays.
            let shared = "        run: super::";
            let is_shared = whole[LIST].matches(shared).count() > list.matches(shared).count();
            assert_eq!(functions.len(), usize::from(!is_shared), "{}", check.name);
            for function in functions {
                assert!(before.contains(&function) && !left.contains(&function));
            }
            assert!(left.iter().all(|name| before.contains(name)));
        }
    }
}
