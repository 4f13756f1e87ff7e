//! What a student sees of a submission while the course hides checks: neither their
//! outcomes nor a sum in which they stand, since a difference of sums tells as much.

use super::Entry;
use crate::batch::config::Config;
use crate::batch::record::StageRecord;
use crate::batch::score::grade;
use crate::checks::{Announced, Course};
use crate::stages::STAGES;
use crate::verdict::{Outcome, StageVerdict};

/// The submission without what is hidden. Each version announces how much that is,
/// and is worth so much less; what is not graded yet stays so.
pub(super) fn seen(entry: &Entry, config: &Config) -> Entry {
    let mut seen = entry.clone();
    let mut rules = config.clone();
    for stage in &mut seen.record.stages {
        let result = &mut stage.result;
        let hidden = hidden(result, config);
        if hidden.is_none() {
            continue;
        }
        let name = result.stage.to_string();
        let all = result.of;
        result.of = all.saturating_sub(hidden.points);
        let part = f64::from(result.of) / f64::from(all.max(1));
        rules
            .weights
            .insert(name.clone(), config.weight(&name) * part);
        result
            .checks
            .retain(|check| !config.hides(&name, &check.name));
        result.points = result.checks.iter().map(|check| check.points).sum();
        result.announced = hidden;
        // It was counted with all checks.
        stage.own = None;
    }
    let time = |stage: &StageRecord| {
        let mut whole = entry.grade.stages.iter();
        whole.find(|one| one.stage == stage.result.stage)?.time
    };
    seen.grade = grade(&seen.record, &rules, time);
    for (seen, whole) in seen.grade.stages.iter_mut().zip(&entry.grade.stages) {
        seen.score = seen.score.filter(|_| whole.score.is_some());
    }
    seen
}

/// How many checks of a version are hidden, and how many of its points that are.
fn hidden(result: &StageVerdict, config: &Config) -> Announced {
    let name = &*result.stage;
    let counts = |outcome| !result.compiles || outcome != Outcome::Skipped;
    let made = { result.checks.iter() }
        .filter(|check| config.hides(name, &check.name))
        .map(|check| if counts(check.outcome) { check.of } else { 0 });
    let mut points: Vec<u32> = made.collect();
    if result.checks.is_empty() {
        // Nothing was handed in: the list of checks says what there would be.
        let course = STAGES.iter().find(|stage| stage.name == name);
        let checks = { course.and_then(Course::of) }.map_or(&[][..], |course| course.checks);
        let hides = checks.iter().filter(|check| config.hides(name, check.name));
        points = hides.map(|check| check.points).collect();
    }
    Announced {
        checks: points.len() as u32,
        points: points.iter().sum(),
    }
}
