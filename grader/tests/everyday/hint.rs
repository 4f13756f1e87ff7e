//! `hint` says how it fails.

use super::support::{changes, sources};
use super::*;
use std::path::Path;

/// The reference with a mistake.
fn mistaken(version: &str, mistake: &str) -> Scratch {
    let stage = stage(version);
    let changes = changes(stage);
    let change = changes.iter().find(|change| change.name == mistake);
    let change = change.expect("a mistake of the bank");
    let scratch = Scratch::of(&workspace());
    for (name, text) in sources(stage, &workspace()) {
        let folder = stage.folder();
        let file = Path::new(&name).strip_prefix(folder).expect("a source");
        let changed = change.edited(&file.to_string_lossy(), text.clone());
        let changed = changed.expect("a change");
        if changed != text {
            scratch.write(&name, &changed);
        }
    }
    scratch
}

/// What `cargo lab hint EXERCISE` says first about the reference with a mistake.
fn hint_with(mistake: &str, exercise: &str) -> String {
    let (version, _) = exercise.split_once('-').expect("an exercise");
    let scratch = mistaken(version, mistake);
    let (code, hint, said) = run(&mut lab(&scratch, &["hint", exercise]));
    assert_eq!(code, Some(0), "{said}");
    let (how, general) = hint.split_once("\n1. ").expect("a general hint");
    println!("{mistake}:\n{how}");
    assert!(how.contains("fails:") && !general.is_empty(), "{hint}");
    let thought = how.lines().find(|line| line.contains("thought"));
    thought.expect("a thought").to_string()
}

#[test]
fn different_mistakes_in_one_exercise_get_different_hints() {
    for (exercise, one, other) in [
        ("v1-E4", "writes-are-doubled", "reads-give-nothing"),
        (
            "v2-E4",
            "tick-is-not-acknowledged",
            "tick-is-acknowledged-first",
        ),
        (
            "v2-E4",
            "tick-is-not-acknowledged",
            "window-is-never-asked-for",
        ),
        ("v2-E2", "shadow-is-ignored", "injects-while-closed"),
    ] {
        assert_ne!(
            hint_with(one, exercise),
            hint_with(other, exercise),
            "{exercise}: {one}, {other}"
        );
    }
}

#[test]
fn the_hint_for_an_open_exercise_says_so_and_builds_nothing() {
    let scratch = handed_out();
    let (code, hint, said) = run_without_cargo(&mut lab(&scratch, &["hint", "v2-E4"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.contains("It is still open."), "{hint}");
    let (code, next, said) = run_without_cargo(&mut lab(&scratch, &["hint"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(next.starts_with("v1-E1 "), "{next}");
}

#[test]
fn the_hint_for_a_finished_exercise_says_so() {
    let scratch = handed_out();
    scratch.write(PREPARE, &solved(PREPARE));
    let arguments = ["hint", "v1-E1", "--no-grade"];
    let (_, unknown, _) = run_without_cargo(&mut lab(&scratch, &arguments));
    assert!(unknown.contains("It is filled in"), "{unknown}");
    let (code, hint, said) = run(&mut lab(&scratch, &["hint", "v1-E1"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.contains("It is done"), "{hint}");
    let (_, next, _) = run_without_cargo(&mut lab(&scratch, &["hint"]));
    assert!(next.starts_with("v1-E2 "), "{next}");
}

/// Without its ports working no guest gets far, so that checks of earlier exercises
/// fail with it.
#[test]
fn the_next_exercise_is_the_one_with_the_mistake_and_none_before_it() {
    let scratch = mistaken("v1", "out-is-executed-again");
    let (code, hint, said) = run(&mut lab(&scratch, &["hint"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.starts_with("v1-E4 "), "{hint}");
}

/// What the guest computes behind such a mistake is nonsense, and tells nothing.
#[test]
fn a_guest_that_goes_on_beside_an_instruction_is_seen_where_it_does() {
    let scratch = mistaken("v1", "out-is-skipped-too-far");
    let (_, hint, said) = run(&mut lab(&scratch, &["hint", "v1-E4"]));
    assert!(hint.contains("fails:"), "{hint}{said}");
    assert!(hint.contains("and that instruction ends at"), "{hint}");
}

#[test]
fn a_mistake_below_that_shows_in_older_guests_is_looked_for_below() {
    let scratch = mistaken("v1", "out-is-skipped-too-far");
    let (code, shown, said) = run(&mut lab(&scratch, &["grade", "v2"]));
    assert_eq!(code, Some(1), "{said}");
    let (_, next) = shown.split_once("next: ").expect("what is next");
    assert!(next.starts_with("version-1-still-runs fails"), "{shown}");
    assert!(next.trim_end().ends_with("cargo lab grade v1"), "{shown}");
    let (_, report) = shown.split_once("v2 · ").expect("a report");
    assert!(report.starts_with("version-1-still-runs"), "{shown}");
}
