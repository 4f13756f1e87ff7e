//! The student's tree: it compiles, scores zero, and tells no solution.

mod support;

use lab::grade::Grading;
use lab::stages::Stage;
use lab::verdict::StageVerdict;
use lab::workspace::Workspace;
use lab::{handout, markers};
use std::collections::BTreeSet;
use support::scratch::Scratch;
use support::variant::{Variant, grade_all};
use support::{graded, tell, workspace};

fn made() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("student");
    handout::make(&workspace(), &out).expect("a handout");
    let tree = Workspace {
        root: out.clone(),
        target: out.join("target"),
        runners: None,
    };
    (folder, tree)
}

/// Each version's starter stands on the reference of the versions before, as for
/// a class that gets them one by one.
#[test]
fn each_starter_compiles_and_scores_zero_on_the_versions_before() {
    let scratch = Scratch::of(&workspace());
    let strip = |_: &str, text: String| markers::strip(&text).expect("markers");
    let place = |stage| Variant::place(&scratch, stage, "starter", strip);
    let variants: Vec<_> = graded().into_iter().map(place).collect();
    for verdict in grade_all(&scratch, &variants, |_, _| {}) {
        scores_zero(&verdict, &format!("{}-", verdict.stage));
    }
}

/// All starters together, as the handout has them: there version 1 comes first.
#[test]
fn the_handout_compiles_and_scores_zero() {
    let (_folder, student) = made();
    let scratch = Scratch::of(&student);
    let verdict = Grading::of(graded())
        .run(&scratch.workspace, |_| {})
        .expect("a verdict");
    for stage in &verdict.stages {
        scores_zero(stage, "v");
    }
    assert_eq!(verdict.exit_code(), 1);
}

/// Every check ends at a hole of an exercise whose name begins so.
fn scores_zero(stage: &StageVerdict, exercise: &str) {
    assert!(stage.compiles, "{:?}", stage.diagnostics);
    assert_eq!(stage.points, 0);
    for check in &stage.checks {
        let failure = check.failure.as_ref();
        let hole = failure.and_then(|failure| failure.not_yet.as_deref());
        println!("{} {}: {hole:?}", stage.stage, check.name);
        assert!(
            hole.is_some_and(|hole| hole.starts_with(exercise)),
            "{} is not just not yet: {check:?}",
            check.name
        );
    }
    tell(&format!(
        "{}: 0 points, {} checks not yet met",
        stage.stage,
        stage.checks.len()
    ));
}

#[test]
fn no_marker_and_no_solution_is_left() {
    let (_folder, student) = made();
    for stage in graded() {
        tells_nothing(stage, &student);
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

fn tells_nothing(stage: &Stage, student: &Workspace) {
    let reference = support::sources(stage, &workspace());
    for (name, text) in support::sources(stage, student) {
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
