//! The student's tree: it compiles, scores zero, and tells no solution.

mod support;

use lab::grade::Grading;
use lab::handout::{Handout, reveal};
use lab::markers;
use lab::stages::{STAGES, Stage};
use lab::verdict::{StageVerdict, Verdict};
use lab::workspace::{Workspace, files_below};
use std::collections::BTreeSet;
use support::scratch::Scratch;
use support::variant::{Variant, grade_all};
use support::{graded, tell, workspace};

fn made(handout: &Handout) -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("student");
    handout.make(&workspace(), &out).expect("a handout");
    let tree = Workspace {
        root: out.clone(),
        target: out.join("target"),
        runners: None,
    };
    (folder, tree)
}

fn revealing(versions: &str) -> Handout {
    Handout {
        revealed: reveal::parse(versions, &workspace()).expect("versions"),
        ..Handout::default()
    }
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
    let verdict = graded_as_it_is(&Handout::default());
    for stage in &verdict.stages {
        scores_zero(stage, "v");
    }
    assert_eq!(verdict.exit_code(), 1);
}

#[test]
fn what_is_revealed_scores_all_points_and_what_is_not_scores_zero() {
    let handout = revealing("v1..v3");
    for stage in &graded_as_it_is(&handout).stages {
        let revealed = { handout.revealed.iter() }.any(|one| one.name == stage.stage);
        match revealed {
            true => assert_eq!((stage.points, stage.of), (100, 100), "{stage:?}"),
            // It may come to a hole of a version below that is not revealed either.
            false => scores_zero(stage, "v"),
        }
    }
}

fn graded_as_it_is(handout: &Handout) -> Verdict {
    let (_folder, student) = made(handout);
    let scratch = Scratch::of(&student);
    let verdict = Grading::of(graded()).run(&scratch.workspace, |_| {});
    verdict.expect("a verdict")
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
    for handout in [Handout::default(), revealing("v1..v3"), revealing("v2,v7")] {
        let (_folder, student) = made(&handout);
        for stage in graded() {
            let revealed = handout.revealed.contains(&stage);
            has_the_lines_it_should_have(stage, revealed, &student);
        }
        tells_no_secret_anywhere(&handout, &student);
    }
}

#[test]
fn the_graders_own_files_are_kept_back_and_the_rest_is_there() {
    let (_folder, student) = made(&Handout::default());
    for name in [
        "grader/mutants",
        "grader/tests",
        "grader/beyond/course.json",
        "target",
        ".git",
    ] {
        assert!(!student.root.join(name).exists(), "{name} is handed out");
    }
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "README.md",
    ] {
        assert!(student.root.join(file).is_file(), "{file} is missing");
    }
    let manual = std::fs::read_to_string(student.root.join("LABS.md")).expect("the manual");
    assert!(manual.contains("### Questions") && !manual.contains("*For instructors.*"));
    assert!(!manual.contains("*In the whole project only.*"));
}

/// The lines of a text without the white space around them.
fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().map(str::trim).collect()
}

/// A version has the reference's solutions if it is revealed, and else none of
/// them; and never a marker or a stub that is not needed.
fn has_the_lines_it_should_have(stage: &Stage, revealed: bool, student: &Workspace) {
    let reference = support::sources(stage, &workspace());
    for (name, text) in support::sources(stage, student) {
        assert_eq!(markers::first_marker(&text), None, "{name} has a marker");
        let (_, original) = reference
            .iter()
            .find(|(same, _)| *same == name)
            .expect("a source");
        let given = markers::strip(original).expect("markers").expect("a file");
        let (kept, given) = (lines(&text), lines(&given));
        for line in markers::solution_lines(original) {
            let tells = kept.contains(line) && !given.contains(line);
            assert!(tells == revealed || given.contains(line), "{name}: {line}");
        }
        let is_stub = |line: &str| line.contains("todo!(\"v") || line.contains("// TODO v");
        let stub = text.lines().find(|line| is_stub(line));
        assert!(!revealed || stub.is_none(), "{name} has a stub: {stub:?}");
    }
}

/// What the manual tells on purpose: how `v6-E6` does not work.
const TOLD_ON_PURPOSE: &str = "if place.state == State::Running {";

/// The places where `count` lines follow each other that say something together,
/// each as one text. White space around lines and the signs of a comment are
/// left out.
fn pieces<'a>(lines: impl Iterator<Item = &'a str>, count: usize) -> BTreeSet<String> {
    const SHORTEST: usize = 28;
    let bare = |line: &'a str| line.trim().trim_start_matches(['/', '!', ' ']);
    let lines: Vec<_> = lines.map(bare).collect();
    let pieces = lines.windows(count).map(|lines| lines.join("\n"));
    pieces.filter(|piece| piece.len() >= SHORTEST).collect()
}

/// What stands in solutions that are not revealed, and nowhere else in the
/// stages.
fn secrets(handout: &Handout, count: usize) -> BTreeSet<String> {
    let mut secret = BTreeSet::new();
    let mut public = BTreeSet::from([String::from(TOLD_ON_PURPOSE)]);
    for stage in STAGES {
        for (_, text) in support::sources(stage, &workspace()) {
            let shown = match handout.revealed.contains(&stage) {
                true => markers::solve(&text),
                false => markers::strip(&text),
            };
            let shown = shown.expect("markers").expect("a file");
            public.extend(pieces(shown.lines(), count));
            let solution = markers::solution_lines(&text).into_iter();
            secret.extend(pieces(solution, count));
        }
    }
    secret.difference(&public).cloned().collect()
}

/// Neither in the manual nor in a snapshot stands a line of a solution. In code,
/// tests and comments a line may be the same by chance, but not four in a row.
fn tells_no_secret_anywhere(handout: &Handout, student: &Workspace) {
    let [lines, passages] = [1, 4].map(|count| secrets(handout, count));
    assert!(lines.len() > 100, "{} lines are secret", lines.len());
    let mut told = Vec::new();
    for path in files_below(&student.root).expect("the handout") {
        let name = student.relative(&path);
        let bytes = std::fs::read(&path).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        let secrets: Vec<_> = match name.ends_with(".rs") {
            true => pieces(text.lines(), 4)
                .intersection(&passages)
                .cloned()
                .collect(),
            false => lines
                .iter()
                .filter(|line| text.contains(*line))
                .cloned()
                .collect(),
        };
        told.extend(secrets.iter().map(|secret| format!("{name}: {secret}")));
    }
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mine"), "precious").expect("a file");
    let made = Handout::default().make(&workspace(), folder.path());
    let error = made.expect_err("a refusal");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .count(),
        1
    );
}
