//! `cargo lab hint`: a nudge, not the answer.

use super::say::say;
use crate::checks::Course;
use crate::cli::HintArguments;
use crate::error::LabError;
use crate::exercises::{Exercise, Sources};
use crate::stages::Stage;
use crate::suggest;
use crate::workspace::Workspace;

/// Shows the hints of an exercise up to the level asked for.
pub(super) fn show(workspace: &Workspace, arguments: &HintArguments) -> Result<u8, LabError> {
    let (stage, exercise) = find(workspace, &arguments.exercise)?;
    let sources = Sources::read(stage, workspace)
        .map_err(|error| LabError::infrastructure("the stage's sources cannot be read", error))?;
    say!("{} \"{}\"", exercise.name, exercise.title);
    for place in sources.places(exercise.name) {
        say!("  {place}");
    }
    for (level, hint) in exercise
        .hints
        .iter()
        .enumerate()
        .take(arguments.level.into())
    {
        say!("\n{}. {hint}", level + 1);
    }
    if arguments.level < 3 {
        let next = arguments.level + 1;
        say!("\nMore: cargo lab hint {} --level {next}", exercise.name);
    }
    Ok(0)
}

fn find(
    workspace: &Workspace,
    name: &str,
) -> Result<(&'static Stage, &'static Exercise), LabError> {
    let courses = Stage::all_in(workspace)
        .into_iter()
        .filter_map(|stage| Course::of(stage).map(|course| (stage, course)));
    let all: Vec<_> = courses
        .flat_map(|(stage, course)| course.exercises.iter().map(move |one| (stage, one)))
        .collect();
    let found = all
        .iter()
        .find(|(_, exercise)| exercise.name.eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|(_, exercise)| exercise.name).collect();
        suggest::unknown("exercise", name, &known, "See `cargo lab list`.")
    })
}
