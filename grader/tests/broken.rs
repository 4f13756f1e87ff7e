//! Stages that cannot be run at all get a verdict, too.

mod support;

use lab::grade::Grading;
use lab::verdict::{Outcome, Verdict};
use support::scratch::Scratch;
use support::{stage, workspace};

/// The verdict on version 1 with `old` replaced by `new` in one of its files.
fn verdict_with(file: &str, old: &str, new: &str) -> Verdict {
    let scratch = Scratch::of(&workspace());
    let name = stage("v1")
        .folder()
        .join(file)
        .to_string_lossy()
        .into_owned();
    let text = std::fs::read_to_string(scratch.workspace.root.join(&name)).expect("a source");
    assert!(text.contains(old), "{file} has no '{old}'");
    scratch.write(&name, &text.replacen(old, new, 1));
    let grading = Grading::of(vec![stage("v1")]);
    grading.run(&scratch.workspace, |_| {}).expect("a verdict")
}

fn is_skipped_whole(verdict: &Verdict) -> &str {
    let stage = &verdict.stages[0];
    assert!(!stage.compiles);
    assert_eq!((stage.points, stage.of, verdict.exit_code()), (0, 100, 1));
    let skipped = |outcome| outcome == Outcome::Skipped;
    assert!(stage.checks.iter().all(|check| skipped(check.outcome)));
    stage.diagnostics.as_deref().expect("the compiler's words")
}

#[test]
fn a_stage_that_does_not_compile_is_told_in_the_compilers_words() {
    let verdict = verdict_with("src/prepare.rs", "boot.entry", "boot.entrance");
    let said = is_skipped_whole(&verdict);
    assert!(said.starts_with("v1 does not compile"), "{said}");
    assert!(said.contains("no field `entrance`"), "{said}");
    assert!(
        said.contains("stages/v1-kernel-only/src/prepare.rs"),
        "{said}"
    );
}

#[test]
fn a_stage_whose_public_face_has_changed_is_told_so() {
    let verdict = verdict_with("src/monitor.rs", "pub fn run<", "pub fn run_guest<");
    let said = is_skipped_whole(&verdict);
    assert!(said.contains("its public face has changed"), "{said}");
}

/// Nothing stops at a comment, so the check fails like a wrong one.
#[test]
fn a_check_that_an_open_comment_decides_is_not_yet_met() {
    let hole = "boot.root; // TODO v1-E1: where does the guest begin?\n    let _ = boot.entry;";
    let verdict = verdict_with("src/prepare.rs", "boot.entry;", hole);
    let checks = &verdict.stages[0].checks;
    let prepared = checks
        .iter()
        .find(|check| check.name == "context-is-prepared");
    let failure = prepared.and_then(|check| check.failure.as_ref());
    let not_yet = failure.and_then(|failure| failure.not_yet.as_deref());
    assert_eq!(not_yet, Some("v1-E1"));
}
