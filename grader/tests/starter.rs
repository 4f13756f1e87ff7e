//! The student's tree: it compiles, scores zero, and tells no solution.

mod support;

use lab::grade::Grading;
use lab::workspace::Workspace;
use lab::{handout, markers};
use std::collections::BTreeSet;
use support::scratch::Scratch;
use support::{v1, workspace};

fn made() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("student");
    handout::make(&workspace(), &out).expect("a handout");
    let tree = Workspace {
        root: out.clone(),
        target: out.join("target"),
    };
    (folder, tree)
}

#[test]
fn the_starter_compiles_and_scores_zero() {
    let (_folder, student) = made();
    let scratch = Scratch::of(&student);
    let verdict = Grading::of(vec![v1()])
        .run(&scratch.workspace, |_| {})
        .expect("a verdict");
    let stage = &verdict.stages[0];
    assert!(stage.compiles, "{:?}", stage.diagnostics);
    assert_eq!(stage.points, 0);
    for check in &stage.checks {
        assert!(
            check.is_not_yet(),
            "{} is not just not yet: {check:?}",
            check.name
        );
    }
    assert_eq!(verdict.exit_code(), 1);
}

#[test]
fn no_marker_and_no_solution_is_left() {
    let (_folder, student) = made();
    let reference = support::sources(&workspace());
    for (name, text) in support::sources(&student) {
        assert_eq!(markers::first_marker(&text), None, "{name} has a marker");
        let (_, original) = reference
            .iter()
            .find(|(same, _)| *same == name)
            .expect("a source");
        let kept: BTreeSet<&str> = text.lines().map(str::trim).collect();
        let given = markers::strip(original).expect("markers").expect("a file");
        let given: BTreeSet<&str> = given.lines().map(str::trim).collect();
        for line in markers::solution_lines(original) {
            assert!(
                given.contains(line) || !kept.contains(line),
                "{name} tells {line}"
            );
        }
    }
    for folder in ["grader/mutants", "grader/tests", "target", ".git"] {
        assert!(
            !student.root.join(folder).exists(),
            "{folder} is handed out"
        );
    }
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "README.md",
    ] {
        assert!(student.root.join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mine"), "precious").expect("a file");
    let error = handout::make(&workspace(), folder.path()).expect_err("a refusal");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .count(),
        1
    );
}
