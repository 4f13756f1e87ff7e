//! Where the student stands in a version: what is open, and what is known.

use super::paint::Paint;
use super::say;
use crate::checks::Course;
use crate::error::LabError;
use crate::exercises::{Exercise, Place, Sources};
use crate::grade::{Grading, Progress};
use crate::kept::Kept;
use crate::stages::Stage;
use crate::verdict::{CheckVerdict, FailureReport, Outcome, StageVerdict};
use crate::workspace::Workspace;

/// A version as it is now.
pub(super) struct Standing {
    pub(super) stage: &'static Stage,
    pub(super) course: Course,
    sources: Sources,
    /// What its checks say, if that is known.
    pub(super) verdict: Option<StageVerdict>,
}

impl Standing {
    /// What is known of a version without grading it; `None` if it has no checks.
    pub(super) fn known(
        workspace: &Workspace,
        kept: &Kept<'_>,
        stage: &'static Stage,
    ) -> Result<Option<Standing>, LabError> {
        let standing = Standing::of_sources(workspace, stage)?;
        Ok(standing.map(|standing| Standing {
            verdict: kept.verdict(stage),
            ..standing
        }))
    }

    /// The same without what its checks say.
    pub(super) fn of_sources(
        workspace: &Workspace,
        stage: &'static Stage,
    ) -> Result<Option<Standing>, LabError> {
        let Some(course) = Course::of(stage) else {
            return Ok(None);
        };
        let sources = Sources::read(stage, workspace).map_err(|error| {
            LabError::infrastructure("the stage's sources cannot be read", error)
        })?;
        Ok(Some(Standing {
            stage,
            course,
            sources,
            verdict: None,
        }))
    }

    /// Whether one of its exercises has been filled in.
    pub(super) fn is_begun(&self) -> bool {
        let mut exercises = self.course.exercises.iter();
        exercises.any(|exercise| !self.is_hole(exercise))
    }

    /// Whether one of them still has a hole.
    pub(super) fn has_holes(&self) -> bool {
        let mut exercises = self.course.exercises.iter();
        exercises.any(|exercise| self.is_hole(exercise))
    }

    /// Whether an exercise still has a hole.
    pub(super) fn is_hole(&self, exercise: &Exercise) -> bool {
        !self.sources.holes(exercise.name).is_empty()
    }

    /// The exercises that are not done, in order. Without a verdict nothing is.
    pub(super) fn open(&self) -> Vec<&'static Exercise> {
        let exercises = self.course.exercises.iter();
        let open: Vec<_> = exercises.filter(|one| !self.is_done(one)).collect();
        match self.course.exercises.last() {
            // All is written, and something of it does not compile.
            Some(last) if open.is_empty() && !self.compiles() => vec![last],
            _ => open,
        }
    }

    /// An exercise is done when no hole of it is left and no check fails because of
    /// it. What does not compile now may be right all the same.
    pub(super) fn is_done(&self, exercise: &Exercise) -> bool {
        let is_met = |check: &CheckVerdict| match &check.failure {
            Some(_) => self.suspect(check) != Some(exercise.name),
            None => check.outcome == Outcome::Pass,
        };
        let are_met = || !self.compiles() || self.decided_by(exercise).all(is_met);
        !self.is_hole(exercise) && self.verdict.is_some() && are_met()
    }

    fn compiles(&self) -> bool {
        self.verdict.as_ref().is_none_or(|verdict| verdict.compiles)
    }

    /// The exercise that is most likely the reason why a check fails: of those that
    /// may be, the last one that has been begun. The ones before it have checks of
    /// their own.
    fn suspect<'a>(&self, check: &'a CheckVerdict) -> Option<&'a str> {
        let places = &check.failure.as_ref()?.places;
        let is_begun = |name: &str| self.sources.holes(name).is_empty();
        let begun = places.iter().rev().find(|one| is_begun(&one.exercise));
        Some(&begun.or(places.last())?.exercise)
    }

    /// The check that an exercise decides and that fails because of what stands in
    /// its place, not because of what is missing. Of several it is the one that the
    /// fewest other exercises may be the reason of.
    pub(super) fn wrong(&self, exercise: &Exercise) -> Option<(&CheckVerdict, &FailureReport)> {
        let decided = self.decided_by(exercise);
        let wrong = decided.filter(|check| !check.is_not_yet() && blames(check, exercise));
        let failures = wrong.filter_map(|check| Some((check, check.failure.as_ref()?)));
        failures.min_by_key(|(_, failure)| failure.places.len())
    }

    fn decided_by(&self, exercise: &Exercise) -> impl Iterator<Item = &CheckVerdict> {
        let decides = |check: &&CheckVerdict| {
            let mut all = self.course.checks.iter();
            all.any(|one| one.name == check.name && one.exercises.contains(&exercise.name))
        };
        let checks = self.verdict.iter().flat_map(|verdict| &verdict.checks);
        checks.filter(decides)
    }

    /// Where an exercise stands in the sources.
    pub(super) fn places(&self, exercise: &Exercise) -> Vec<Place> {
        self.sources.places(exercise.name)
    }

    /// Grades it, and keeps what comes out.
    pub(super) fn grade(&mut self, workspace: &Workspace) -> Result<(), LabError> {
        let paint = Paint::stdout();
        let tell = |text: &str| {
            if paint.is_on() {
                say::piece(text);
            }
        };
        tell(&paint.faint(&format!("grading {} …", self.stage.name)));
        let graded = grade(workspace, self.stage, |_| {});
        tell("\r\x1b[K");
        self.verdict = Some(graded?);
        Ok(())
    }
}

/// Whether a check that is not met says that `exercise` decides it.
fn blames(check: &CheckVerdict, exercise: &Exercise) -> bool {
    let failure = check.failure.iter();
    let mut places = failure.flat_map(|failure| &failure.places);
    places.any(|decides| decides.exercise == exercise.name)
}

/// Grades a version as usual, and keeps the verdict.
pub(super) fn grade(
    workspace: &Workspace,
    stage: &'static Stage,
    watch: impl FnMut(Progress<'_>),
) -> Result<StageVerdict, LabError> {
    let kept = Kept::look(workspace)?;
    let grading = Grading::of(vec![stage]);
    let mut verdict = grading.run(workspace, watch)?;
    kept.keep(&verdict, &grading)?;
    Ok(verdict.stages.remove(0))
}

/// The version where the student is: the first in which something is open. One
/// without holes is graded now if nothing is known of it. `None` if all is done.
pub(super) fn here(workspace: &Workspace) -> Result<Option<Standing>, LabError> {
    let kept = Kept::look(workspace)?;
    for stage in Stage::all_in(workspace) {
        let Some(mut standing) = Standing::known(workspace, &kept, stage)? else {
            continue;
        };
        if standing.verdict.is_none() && !standing.has_holes() {
            standing.grade(workspace)?;
        }
        if !standing.open().is_empty() {
            return Ok(Some(standing));
        }
    }
    Ok(None)
}
