//! `next:` what to do after a grading. It says one thing only, the one that comes
//! first: a mistake before a hole, and the version below before this one.

use super::grade::places;
use super::paint::Paint;
use crate::checks::is_of_the_versions_below;
use crate::kept::Kept;
use crate::stages::STAGES;
use crate::verdict::{CheckVerdict, Outcome, StageVerdict};

/// The version on which a version stands.
pub(super) struct Below {
    /// Such as `v1`; `None` below version 1.
    name: Option<&'static str>,
    /// Whether it is known to pass all its checks.
    is_right: bool,
}

impl Below {
    /// What is known of the version below the graded one.
    pub(super) fn of(graded: &StageVerdict, kept: &Kept<'_>) -> Below {
        let at = STAGES.iter().position(|stage| stage.name == graded.stage);
        let below = at.and_then(|at| STAGES.get(at.checked_sub(1)?));
        let verdict = below.and_then(|below| kept.verdict(below));
        let passes = |check: &CheckVerdict| check.outcome == Outcome::Pass;
        Below {
            name: below.map(|below| below.name),
            is_right: verdict.is_some_and(|verdict| verdict.checks.iter().all(passes)),
        }
    }

    /// The version below, if a mistake in it may be why `check` fails.
    pub(super) fn suspect(&self, check: &CheckVerdict) -> Option<&'static str> {
        let may_be = is_of_the_versions_below(&check.name) && !self.is_right;
        self.name.filter(|_| may_be)
    }
}

/// The checks that fail for another reason than a hole, the one to begin with first.
pub(super) fn mistakes<'a>(stage: &'a StageVerdict, below: &Below) -> Vec<&'a CheckVerdict> {
    let is_wrong = |check: &&CheckVerdict| check.outcome == Outcome::Fail && !check.is_not_yet();
    let mut wrong: Vec<_> = stage.checks.iter().filter(is_wrong).collect();
    wrong.sort_by_key(|check| below.suspect(check).is_none());
    wrong
}

/// The lines that say what comes next; none if nothing does.
pub(super) fn next(paint: Paint, stage: &StageVerdict, below: &Below) -> Vec<String> {
    if let Some(wrong) = mistakes(stage, below).first() {
        let name = &wrong.name;
        return match below.suspect(wrong) {
            Some(below) => vec![
                format!("next: {name} fails, which a mistake in {below} may be the reason of"),
                format!("      cargo lab grade {below}"),
            ],
            None => vec![format!("next: mend {name} (see its report above)")],
        };
    }
    next_hole(paint, stage)
}

/// The next hole, once for all the checks that wait for it.
fn next_hole(paint: Paint, stage: &StageVerdict) -> Vec<String> {
    let waiting = || stage.checks.iter().filter(|check| check.is_not_yet());
    let failures = || waiting().filter_map(|check| check.failure.as_ref());
    // Code may run into a later hole before an earlier one.
    let first = stage.first_hole.as_ref().map(|hole| &hole.exercise);
    let reached = failures().filter_map(|failure| failure.not_yet.as_ref());
    let Some(exercise) = reached
        .min()
        .map(|reached| first.unwrap_or(reached).min(reached))
    else {
        return match stage.points {
            100 => vec![String::from("next: `cargo lab` shows where you are")],
            _ => Vec::new(),
        };
    };
    let shown = paint.open(exercise);
    if !exercise.starts_with(&*stage.stage) {
        let below = exercise.split('-').next().unwrap_or_default();
        return vec![
            format!("next: {shown} first, in the version below"),
            format!("      cargo lab grade {below}"),
        ];
    }
    let decides = failures()
        .flat_map(|failure| &failure.places)
        .chain(&stage.first_hole)
        .find(|decides| decides.exercise == *exercise);
    let place = decides
        .map(|decides| places(&decides.places))
        .unwrap_or_default();
    vec![
        format!("next: {shown} {place}"),
        format!("      cargo lab hint {exercise}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::testing;

    /// What is said of version 2 when these checks fail, or wait for an exercise.
    fn said(checks: &[(&'static str, Option<&str>)], is_right: bool) -> String {
        let name = Some("v1");
        let checks = checks.iter();
        let checks = checks.map(|(name, not_yet)| testing::check(name, Outcome::Fail, *not_yet));
        let stage = testing::stage("v2", checks.collect());
        next(Paint::plain(), &stage, &Below { name, is_right }).join("\n")
    }

    const OLDER: (&str, Option<&str>) = ("version-1-still-runs", None);
    const NEWER: (&str, Option<&str>) = ("handler-is-reached", None);

    #[test]
    fn a_mistake_that_shows_in_older_guests_is_looked_for_in_the_version_below_first() {
        let said = said(&[NEWER, OLDER], false);
        assert!(
            said.starts_with("next: version-1-still-runs fails"),
            "{said}"
        );
        assert!(said.ends_with("cargo lab grade v1"), "{said}");
    }

    #[test]
    fn a_version_below_that_is_known_to_be_right_is_not_suspected() {
        let said = said(&[NEWER, OLDER], true);
        assert_eq!(said, "next: mend handler-is-reached (see its report above)");
    }

    #[test]
    fn older_guests_that_only_wait_for_a_hole_do_not_come_first() {
        let waiting = ("version-1-still-runs", Some("v2-E6"));
        let said = said(&[NEWER, waiting], false);
        assert_eq!(said, "next: mend handler-is-reached (see its report above)");
    }
}
