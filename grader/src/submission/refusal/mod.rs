//! Refuses stage code that reaches for the host.
//!
//! Safe Rust can touch nothing outside its own process but through the standard
//! library's doors: `std::fs`, `std::process`, `std::net` and their like, and the
//! macros that read files and variables while the code is compiled. So this looks
//! at the words of the code, not at its meaning: of `std` only modules on a list may
//! be named, and a few words may not stand there at all. A macro cannot get around
//! that, since the words must stand somewhere. (`core` has no such doors.)
//!
//! That there is no `unsafe` the compiler makes sure of once more (`-F
//! unsafe_code`); the process is confined besides. This is the lock that says why
//! it is shut.

mod lexer;

use lexer::{Token, Word, lex};

/// So many refusals are told, and no more.
const TOLD: usize = 10;

/// What of `std` may be named: what computes, and neither
/// reads nor changes anything outside.
const OPEN: &[&str] = &[
    "any",
    "array",
    "ascii",
    "assert",
    "assert_eq",
    "assert_ne",
    "borrow",
    "bool",
    "boxed",
    "cell",
    "char",
    "clone",
    "cmp",
    "collections",
    "column",
    "concat",
    "convert",
    "debug_assert",
    "debug_assert_eq",
    "default",
    "error",
    "f32",
    "f64",
    "fmt",
    "format",
    "hash",
    "hint",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "io",
    "isize",
    "iter",
    "line",
    "marker",
    "matches",
    "mem",
    "num",
    "ops",
    "option",
    "pin",
    "prelude",
    "primitive",
    "ptr",
    "rc",
    "result",
    "slice",
    "str",
    "string",
    "stringify",
    "sync",
    "thread",
    "time",
    "todo",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "unimplemented",
    "unreachable",
    "usize",
    "vec",
    "write",
    "writeln",
];

/// Words that may not stand in stage code, and why.
const SHUT: &[(&str, &str)] = &[
    (
        "unsafe",
        "a stage is safe code: what is not stands below it, in `common`",
    ),
    (
        "extern",
        "a stage uses the crates that its manifest names, and declares none",
    ),
    ("include", "a stage consists of its own files only"),
    ("include_str", "a stage consists of its own files only"),
    ("include_bytes", "a stage consists of its own files only"),
    (
        "env",
        "a stage does not depend on where it is compiled or run",
    ),
    (
        "option_env",
        "a stage does not depend on where it is compiled or run",
    ),
];

/// What is refused in the sources `(name, text)`: one sentence each, with file and
/// line.
pub fn refusals<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut all = Vec::new();
    for (file, text) in files {
        let tokens = lex(text);
        let found = refused(&tokens).into_iter();
        all.extend(found.map(|(line, what)| format!("{file}:{line}: {what}")));
    }
    all.truncate(TOLD);
    all
}

fn refused(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let what = match token.word {
            Word::Name(name) if !name.is_ascii() => Some(format!(
                "the name `{name}` is refused: names have ASCII letters only"
            )),
            Word::Name("std") => foreign(&tokens[at + 1..]),
            Word::Name(name) => SHUT
                .iter()
                .find(|(shut, _)| *shut == name)
                .map(|(_, why)| format!("the word `{name}` is refused: {why}")),
            Word::Mark('#') => attribute(&tokens[at + 1..]),
            Word::Mark(_) => None,
        };
        found.extend(what.map(|what| (token.line, what)));
    }
    found
}

/// What is wrong with the path that begins with `std` and goes on with `rest`.
fn foreign(rest: &[Token<'_>]) -> Option<String> {
    let words: Vec<_> = rest.iter().map(|token| token.word).take(200).collect();
    let [Word::Mark(':'), Word::Mark(':'), then @ ..] = &words[..] else {
        return Some(String::from(
            "`std` by itself is refused: write the whole path, such as `std::fmt`",
        ));
    };
    let shut = |name: &str| {
        Some(format!(
            "`std::{name}` is refused: a stage needs no files, processes, networks or settings \
             of the host"
        ))
    };
    match then {
        [Word::Name(name), ..] if OPEN.contains(name) => None,
        [Word::Name(name), ..] => shut(name),
        [Word::Mark('{'), group @ ..] => match first_shut(group) {
            Some(name) => shut(name),
            None => None,
        },
        _ => shut("*"),
    }
}

/// The first name in a group `{a::b, c::{d}}` that may not be named after `std`.
fn first_shut<'a>(group: &[Word<'a>]) -> Option<&'a str> {
    let mut depth = 0;
    let mut begins = true;
    for word in group {
        match word {
            Word::Mark('{') => depth += 1,
            Word::Mark('}') if depth == 0 => return None,
            Word::Mark('}') => depth -= 1,
            Word::Mark(',') if depth == 0 => begins = true,
            Word::Name(name) if begins && OPEN.contains(name) => begins = false,
            Word::Name(name) if begins => return Some(name),
            Word::Mark(_) if begins => return Some("*"),
            _ => {}
        }
    }
    Some("…") // it does not end
}

/// What is wrong with the attribute that follows a `#`.
fn attribute(rest: &[Token<'_>]) -> Option<String> {
    let mut words = rest.iter().map(|token| token.word).peekable();
    words.next_if_eq(&Word::Mark('!'));
    words.next_if_eq(&Word::Mark('['))?;
    let mut depth = 1;
    while depth > 0 {
        match words.next()? {
            Word::Mark('[') => depth += 1,
            Word::Mark(']') => depth -= 1,
            Word::Mark('$') => {
                return Some(String::from(
                    "an attribute that a macro makes up is refused: write it out",
                ));
            }
            Word::Name("path") if words.peek() == Some(&Word::Mark('=')) => {
                return Some(String::from(
                    "the attribute `path` is refused: a stage consists of its own files only",
                ));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        refusals([("a.rs", text)].into_iter())
    }

    #[test]
    fn every_door_to_the_host_is_shut_and_the_line_is_named() {
        for text in [
            "unsafe { }",
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "use std::{fmt::{self}, net};",
            "use ::std::process::Command;",
            "use std as s;",
            "use std::*;",
            "use std::{self as s};",
            "let x = r#std::env::vars();",
            "m!(std, fs);",
            "extern crate std as s;",
            "extern \"C\" { fn fork(); }",
            "include!(\"/etc/passwd\");",
            "const A: &str = include_str!(\"../../x\");",
            "const A: &str = env!(\"HOME\");",
            "use env as e;",
            "#[path = \"/x.rs\"] mod x;",
            "#[cfg_attr(all(), path = \"/x.rs\")] mod x;",
            "macro_rules! m { ($a:meta) => { #[$a] mod x; } }",
            "std::path::Path::new(\"/\").exists()",
            "std :: /* a comment */ fs :: read(x)",
            "fn ſtd() {}",
        ] {
            let said = of(&format!("// a line\n{text}\n"));
            assert!(!said.is_empty(), "{text} is let through");
            assert!(said[0].starts_with("a.rs:2: "), "{said:?}");
        }
    }

    #[test]
    fn what_computes_is_let_through() {
        for text in [
            "use std::fmt;",
            "use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};",
            "use core::mem::{replace, take}; let core = self.core;",
            "impl std::io::Write for Console {}",
            "// unsafe std::fs\n/* unsafe /* std::fs */ unsafe */",
            "let s = \"unsafe std::fs\"; let r = r#\"unsafe \" std::fs\"#;",
            "let c = '\\''; let d = '\"'; let l: &'static str = b\"unsafe\\\"\";",
            "#[derive(Clone)] #[cfg(test)] #[doc = \"path = x\"] struct A;",
            "let path = 1; macro_rules! m { ($a:ident) => { $a } }",
            "let x = 0..10; let y = 1.0e5_f64; let z = a.0.1;",
        ] {
            assert_eq!(of(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_word_cannot_hide_behind_a_quote() {
        for text in [
            "let a = 'x'; unsafe {}",
            "fn f<'a>(x: &'a str) { unsafe {} }",
            "let a = '\\u{27}'; unsafe {}",
            "let a = b'\\''; unsafe {}",
            "let a = r\"\\\"; unsafe {}",
            "let a = br##\"\"#\"##; unsafe {}",
            "let a = c\"x\"; unsafe {}",
            "/* /* */ */ unsafe {}",
            "'label: loop { unsafe {} }",
            "let a = \"\\\\\"; unsafe {}",
        ] {
            assert_eq!(of(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn only_the_first_few_are_told() {
        assert_eq!(of(&"unsafe ".repeat(50)).len(), TOLD);
    }
}
