//! Leaves the course's hidden checks out of the student's tree, and announces
//! them there: how many they are and what they are worth, not what they are.

use super::{Files, MANUAL, cut, failed, manual};
use crate::batch::config::Config;
use crate::checks::{Announced, Check, Course};
use crate::error::LabError;
use crate::stages::{STAGES, Stage};
use std::collections::BTreeMap;

/// Where the announcement stands, by version.
const ANNOUNCED: &str = "grader/announced.json";

/// What becomes of warnings in the tree.
const LIBRARY: &str = "grader/src/lib.rs";
const ALLOWED: &str = "
// Some checks come later: what only they use stays here, and waits for them.
#![allow(dead_code, unused_imports)]
";

/// Takes the checks that the course hides out of `files`.
///
/// # Errors
/// If a text beside the checks tells of one of them, or an exercise would be left
/// without a check.
pub(super) fn leave_out(config: &Config, files: &mut Files) -> Result<(), LabError> {
    let mut announced = BTreeMap::new();
    for stage in STAGES {
        let Some(course) = Course::of(stage) else {
            continue;
        };
        let checks: Vec<_> = { course.checks.iter() }
            .filter(|check| config.hides(stage.name, check.name))
            .collect();
        if checks.is_empty() {
            continue;
        }
        refuse_unchecked_exercises(stage, course, &checks)?;
        let functions = cut_checks(stage, &checks, files)?;
        refuse_what_is_told(stage, &checks, &functions, files)?;
        announced.insert(
            stage.name,
            Announced {
                checks: checks.len() as u32,
                points: checks.iter().map(|check| check.points).sum(),
            },
        );
    }
    if !announced.is_empty() {
        let text = serde_json::to_string_pretty(&announced)
            .map_err(|error| failed("the announcement", error))?;
        files.insert(ANNOUNCED.into(), (text + "\n").into_bytes());
        if let Some(bytes) = files.get_mut(MANUAL) {
            let text = String::from_utf8_lossy(bytes);
            *bytes = manual::announce(&text, &announced).into_bytes();
        }
        allow_what_is_left(files)?;
    }
    Ok(())
}

/// Nothing would tell a student that such an exercise is done.
fn refuse_unchecked_exercises(
    stage: &Stage,
    course: Course,
    hidden: &[&Check],
) -> Result<(), LabError> {
    let is_hidden = |check: &Check| hidden.iter().any(|one| one.name == check.name);
    let left = |name: &str| {
        let mut checks = course.checks.iter().filter(|check| !is_hidden(check));
        checks.any(|check| check.exercises.contains(&name))
    };
    match course.exercises.iter().find(|one| !left(one.name)) {
        None => Ok(()),
        Some(exercise) => Err(LabError::Usage(format!(
            "with these checks hidden no other is left that says whether {} is done: show a check \
             of {} that decides it (see `cargo lab list`)",
            exercise.name, stage.name
        ))),
    }
}

/// Cuts the checks out of the version's sources, and names their functions that
/// went with them.
fn cut_checks(
    stage: &Stage,
    checks: &[&Check],
    files: &mut Files,
) -> Result<Vec<String>, LabError> {
    let folder = format!("grader/src/checks/{}/", stage.name);
    let mut sources = cut::Sources::new();
    for (name, bytes) in files.iter() {
        if let Some(file) = name.strip_prefix(&folder) {
            let text = String::from_utf8(bytes.clone()).map_err(|error| failed(name, error))?;
            sources.insert(file.to_string(), text);
        }
    }
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    let functions = cut::cut(&mut sources, &names).map_err(|why| failed(&folder, why))?;
    for (file, text) in sources {
        files.insert(folder.clone() + &file, text.into_bytes());
    }
    Ok(functions)
}

/// What is left of the tree must not tell of a check. Its name might stand in the
/// manual, with what a solution must do for it: only a person can word that anew.
fn refuse_what_is_told(
    stage: &Stage,
    checks: &[&Check],
    functions: &[String],
    files: &Files,
) -> Result<(), LabError> {
    for (name, bytes) in files {
        let Ok(text) = std::str::from_utf8(bytes) else {
            continue;
        };
        let code = name.starts_with("grader/");
        for line in text.lines() {
            let told = checks.iter().map(|check| check.name);
            let told = { told }.find(|check| line.contains(check));
            let functions = functions.iter().filter(|_| code);
            let called = { functions }.find(|function| cut::mentions(line, function));
            if let Some(word) = told.or(called.map(String::as_str)) {
                return Err(LabError::Usage(format!(
                    "'{word}' of {} cannot be hidden: {name} names it, where it says \"{}\". Take \
                     it out there, or hide another check",
                    stage.name,
                    line.trim()
                )));
            }
        }
    }
    Ok(())
}

/// What only a hidden check uses is no mistake of the student's.
fn allow_what_is_left(files: &mut Files) -> Result<(), LabError> {
    let bytes = files.get(LIBRARY).cloned().unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|error| failed(LIBRARY, error))?;
    let head = text
        .split_inclusive('\n')
        .take_while(|line| line.starts_with("//!"))
        .map(str::len)
        .sum();
    let (head, rest) = text.split_at(head);
    files.insert(
        LIBRARY.into(),
        format!("{head}{ALLOWED}{rest}").into_bytes(),
    );
    Ok(())
}
