//! `cargo lab selftest`, as people and scripts see it.
//!
//! What it runs takes minutes, so here another program stands in for cargo, and
//! says what cargo would say.
#![cfg(unix)]

mod support;

use lab::commands::selftest::{CLAIMS, TOLD};
use lab::handout::Handout;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use support::workspace;

/// `cargo lab selftest v1` in a tree, with a shell script for cargo.
fn selftest(tree: &Path, script: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a program");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["selftest", "v1"]).current_dir(tree);
    command
        .env("CARGO", &cargo)
        .output()
        .expect("the lab command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Says of each test program what libtest says when all that was asked for passed.
fn all_pass() -> String {
    let cases = CLAIMS.iter().map(|claim| {
        let (last, passed) = (claim.tests[0], claim.tests.len());
        format!("*{last}*) echo '{TOLD}so far'; echo 'test result: ok. {passed} passed;';;")
    });
    format!("case \"$*\" in {} esac", cases.collect::<String>())
}

#[test]
fn every_test_that_it_names_is_there() {
    for claim in CLAIMS {
        let path = workspace().root.join("grader/tests").join(claim.program);
        let text = fs::read_to_string(path.with_extension("rs")).expect("a test program");
        for test in claim.tests {
            let head = format!("#[test]\nfn {test}()");
            assert!(text.contains(&head), "{} has no test {test}", claim.program);
        }
    }
}

#[test]
fn when_all_tests_pass_it_says_what_holds() {
    let output = selftest(&workspace().root, &all_pass());
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("so far").count(), CLAIMS.len(), "{said}");
    assert_eq!(said.matches("  yes ").count(), CLAIMS.len(), "{said}");
    assert!(
        said.ends_with("the grader can be trusted with v1\n"),
        "{said}"
    );
}

#[test]
fn a_test_that_fails_is_told_in_its_own_words_with_the_way_to_repeat_it() {
    let seeds = "case \"$*\" in *'--test seeds -- '*) echo 'v1: one byte' >&2; exit 101;; esac";
    let output = selftest(&workspace().root, &format!("{seeds}\n{}", all_pass()));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("    v1: one byte\n"), "{said}");
    assert!(
        said.contains("again: cargo test -p lab --test seeds -- --exact every_seed"),
        "{said}"
    );
    assert!(said.contains("do not grade v1 yet: 1 of"), "{said}");
}

#[test]
fn a_test_that_was_not_run_proves_nothing() {
    let output = selftest(&workspace().root, "echo 'test result: ok. 0 passed;'");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn tests_that_do_not_build_are_the_hosts_affair() {
    let output = selftest(&workspace().root, "echo 'no linker' >&2; exit 101");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("no linker"), "{output:?}");
}

#[test]
fn in_a_handout_it_says_why_it_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let student = folder.path().join("student");
    let made = Handout::default().make(&workspace(), &student);
    made.expect("a handout");
    let output = selftest(&folder.path().join("student"), "exit 101");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        text(&output.stderr).contains("instructor's tree"),
        "{output:?}"
    );
}
