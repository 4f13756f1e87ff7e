//! `cargo lab hint`: a nudge, not the answer.
//!
//! The best hint is how the student's own code fails: so that comes first, if it
//! does, and the general ones behind it.

use super::paint::Paint;
use super::say::say;
use super::standing::{self, Standing};
use crate::checks::Course;
use crate::cli::HintArguments;
use crate::error::LabError;
use crate::exercises::Exercise;
use crate::kept::Kept;
use crate::stages::Stage;
use crate::suggest;
use crate::workspace::Workspace;

/// Shows how an exercise fails now, and its hints up to the level asked for.
pub(super) fn show(workspace: &Workspace, arguments: &HintArguments) -> Result<u8, LabError> {
    let chosen = match &arguments.exercise {
        Some(name) => Some(named(workspace, name)?),
        None => next(workspace, arguments)?,
    };
    let Some((mut standing, exercise)) = chosen else {
        say!("Everything here is done: name the exercise that you want a hint about.");
        return Ok(0);
    };
    if !standing.is_hole(exercise) {
        grade_if_need_be(workspace, &mut standing, arguments)?;
    }
    say!("{} \"{}\"", exercise.name, exercise.title);
    for place in standing.places(exercise) {
        say!("  {place}");
    }
    say!("");
    say_how_it_is(&standing, exercise);
    let hints = exercise.hints.iter().enumerate();
    for (level, hint) in hints.take(arguments.level.into()) {
        say!("\n{}. {hint}", level + 1);
    }
    if arguments.level < 3 {
        let next = arguments.level + 1;
        say!("\nMore: cargo lab hint {} --level {next}", exercise.name);
    }
    Ok(0)
}

type Chosen = (Standing, &'static Exercise);

/// The next exercise: what is open first in the version where the student is.
fn next(workspace: &Workspace, arguments: &HintArguments) -> Result<Option<Chosen>, LabError> {
    let Some(mut here) = standing::here(workspace)? else {
        return Ok(None);
    };
    if here.is_begun() {
        grade_if_need_be(workspace, &mut here, arguments)?;
    }
    // Without a verdict, what has no hole may be right or wrong.
    let open = here.open();
    let hole = open.iter().find(|one| here.is_hole(one));
    let first = match here.verdict {
        Some(_) => open.first(),
        None => hole.or(open.first()),
    };
    Ok(first.copied().map(|exercise| (here, exercise)))
}

fn grade_if_need_be(
    workspace: &Workspace,
    standing: &mut Standing,
    arguments: &HintArguments,
) -> Result<(), LabError> {
    match standing.verdict.is_none() && !arguments.no_grade {
        true => standing.grade(workspace),
        false => Ok(()),
    }
}

/// How the student's sources do in this exercise.
fn say_how_it_is(standing: &Standing, exercise: &Exercise) {
    let paint = Paint::stdout();
    let stage = standing.stage.name;
    if let Some((check, failure)) = standing.wrong(exercise) {
        let name = paint.bad(&check.name);
        say!("{name} fails:");
        say!("  seen      {}", failure.seen);
        say!("  thought   {}", failure.thought);
        say!("  all       cargo lab grade {stage} --check {}", check.name);
    } else if standing.is_hole(exercise) {
        say!("It is still open.");
    } else {
        match &standing.verdict {
            None => say!("It is filled in; `cargo lab grade {stage}` says how it does."),
            Some(verdict) if !verdict.compiles => {
                say!(
                    "{stage} does not compile: mend that first. `cargo lab grade {stage}` says where."
                );
            }
            Some(verdict) if verdict.has_errors() => {
                say!("{stage} could not be graded: `cargo lab grade {stage}` says why.");
            }
            Some(_) if standing.is_done(exercise) => {
                say!(
                    "{}",
                    paint.good("It is done: no check has anything against it.")
                );
            }
            Some(_) => say!("It is filled in, and its checks wait for other exercises."),
        }
    }
}

fn named(workspace: &Workspace, name: &str) -> Result<Chosen, LabError> {
    let courses = Stage::all_in(workspace)
        .into_iter()
        .filter_map(|stage| Course::of(stage).map(|course| (stage, course)));
    let all: Vec<_> = courses
        .flat_map(|(stage, course)| course.exercises.iter().map(move |one| (stage, one)))
        .collect();
    let found = all
        .iter()
        .find(|(_, exercise)| exercise.name.eq_ignore_ascii_case(name));
    let unknown = || {
        let known: Vec<_> = all.iter().map(|(_, exercise)| exercise.name).collect();
        // Of the version that was meant, if one can be told.
        let of_version = |one: &&&str| {
            name.get(..2)
                .is_some_and(|version| one.starts_with(version))
        };
        let meant: Vec<_> = known.iter().filter(of_version).copied().collect();
        let known = if meant.is_empty() { known } else { meant };
        suggest::unknown("exercise", name, &known, "See `cargo lab list`.")
    };
    let (stage, exercise) = found.ok_or_else(unknown)?;
    let kept = Kept::look(workspace)?;
    let standing = Standing::known(workspace, &kept, stage)?.ok_or_else(unknown)?;
    Ok((standing, exercise))
}
