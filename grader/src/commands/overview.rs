//! `cargo lab` alone: where you stand, and what is next.

use super::paint::{Paint, bar};
use super::say::say;
use crate::checks::Course;
use crate::error::LabError;
use crate::exercises::{Exercise, Place, Sources};
use crate::grade::Grading;
use crate::stages::{STAGES, Stage};
use crate::verdict::{Outcome, StageVerdict};
use crate::workspace::Workspace;

/// The next thing to do.
struct Next {
    stage: &'static Stage,
    exercise: &'static Exercise,
    place: Option<Place>,
}

/// Shows every version with its exercises and points, and the next step. What
/// is shown was graded just now: it cannot be out of date.
pub(super) fn show(workspace: &Workspace) -> Result<u8, LabError> {
    let paint = Paint::stdout();
    say!("Heptavisor: a hypervisor in seven versions\n");
    let here = Stage::all_in(workspace);
    let mut next = None;
    for stage in STAGES {
        match Course::of(stage).filter(|_| here.contains(&stage)) {
            Some(course) => {
                let found = show_stage(paint, workspace, stage, course)?;
                next = next.or(found);
            }
            None => say!(
                "  {}  {:14} {}",
                stage.name,
                stage.title,
                paint.faint("to come")
            ),
        }
    }
    match next {
        Some(next) => show_next(&next),
        None => {
            say!("\nEverything here is done. See `cargo lab list` for guests to play with.")
        }
    }
    Ok(0)
}

fn show_stage(
    paint: Paint,
    workspace: &Workspace,
    stage: &'static Stage,
    course: Course,
) -> Result<Option<Next>, LabError> {
    let sources = Sources::read(stage, workspace)
        .map_err(|error| LabError::infrastructure("the stage's sources cannot be read", error))?;
    let verdict = Grading::of(vec![stage]).run(workspace, |_| {})?;
    let verdict = &verdict.stages[0];
    let open: Vec<_> = course
        .exercises
        .iter()
        .filter(|exercise| !is_done(exercise, course, verdict, &sources))
        .collect();
    let all = course.exercises.len() as u32;
    let done = all - open.len() as u32;
    let points = match verdict.compiles {
        true if verdict.announced.is_none() => format!("{:>3} points", verdict.points),
        true => format!("{:>3} points; {}", verdict.points, verdict.announced),
        false => paint.bad("does not compile"),
    };
    say!(
        "  {}  {:14} {}  {done}/{all}  {points}",
        stage.name,
        stage.title,
        bar(done, all)
    );
    Ok(open.first().map(|exercise| Next {
        stage,
        exercise,
        place: sources.places(exercise.name).into_iter().next(),
    }))
}

/// An exercise is done when no hole of it is left and no check that it decides
/// fails for another reason than somebody else's hole.
fn is_done(exercise: &Exercise, course: Course, verdict: &StageVerdict, sources: &Sources) -> bool {
    let decided = course
        .checks
        .iter()
        .filter(|check| check.exercises.contains(&exercise.name));
    let blames = |name: &str| {
        let check = verdict.checks.iter().find(|check| check.name == name);
        check.is_some_and(|check| match (&check.failure, check.outcome) {
            (Some(failure), _) => failure
                .places
                .iter()
                .any(|one| one.exercise == exercise.name),
            (None, outcome) => outcome != Outcome::Pass,
        })
    };
    let mut decided = decided.peekable();
    decided.peek().is_some()
        && sources.holes(exercise.name).is_empty()
        && !decided.any(|check| blames(check.name))
}

fn show_next(next: &Next) {
    let Next {
        stage,
        exercise,
        place,
    } = next;
    let place = place
        .as_ref()
        .map(|place| format!(", {place}"))
        .unwrap_or_default();
    say!("\nNext: {} \"{}\"{place}", exercise.name, exercise.title);
    let command = |what: String, why: &str| say!("      cargo lab {what:18} {why}");
    command(format!("grade {}", stage.name), "see what it does now");
    command(format!("hint {}", exercise.name), "a nudge, not the answer");
    command(format!("run {} --trace", stage.name), "watch the guest");
}
