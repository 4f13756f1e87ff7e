//! The bank of changes: plausible mistakes fail exactly the checks they are
//! listed with, every check is failed by one of them, and solutions that are
//! right but built differently pass.

mod support;

use lab::bank::Change;
use lab::batch::Shard;
use lab::checks::Course;
use lab::stages::Stage;
use lab::verdict::{Outcome, StageVerdict};
use std::collections::BTreeSet;
use support::scratch::Scratch;
use support::variant::{Variant, grade_all};
use support::{changes, graded, tell, workspace};

/// The bank, or what is asked for: with `HEPTAVISOR_CHANGE=v2/sti` those whose version
/// and name say so, with `HEPTAVISOR_BANK=1/3` this part of them.
fn asked_for() -> Vec<(&'static Stage, Change)> {
    let asked = |name| std::env::var(name).ok();
    let only = asked("HEPTAVISOR_CHANGE").unwrap_or_default();
    let part = asked("HEPTAVISOR_BANK").map_or(Ok(Shard::ALL), |part| part.parse());
    let of_stage = |stage: &'static Stage| {
        let changes = changes(stage).into_iter();
        changes.map(move |change| (stage, change))
    };
    let all = graded().into_iter().flat_map(of_stage);
    let named = all.filter(|(stage, one)| format!("{}/{}", stage.name, one.name).contains(&only));
    part.expect("HEPTAVISOR_BANK").select(named.collect())
}

#[test]
fn each_change_fails_exactly_the_checks_it_is_listed_with() {
    let scratch = Scratch::of(&workspace());
    let asked_for = asked_for();
    let place = |(stage, change): &(&'static Stage, Change)| {
        let edit = |file: &str, text| Some(change.edited(file, text).expect("a change"));
        Variant::place(&scratch, stage, &change.name, edit)
    };
    let variants: Vec<_> = asked_for.iter().map(place).collect();
    let changes_made: Vec<_> = asked_for.into_iter().map(|(_, change)| change).collect();
    let all = variants.len();
    let verdicts = grade_all(&scratch, &variants, |index, verdict| {
        let change = &changes_made[index];
        let as_listed = if judge(change, verdict).is_none() {
            "as listed"
        } else {
            "WRONG"
        };
        let done = index + 1;
        tell(&format!(
            "{done}/{all} {}/{}: {as_listed}",
            verdict.stage, change.name
        ));
    });
    let judged = changes_made.iter().zip(&verdicts);
    let wrong: Vec<_> = judged
        .inspect(|(one, verdict)| show(one, verdict))
        .filter_map(|(one, verdict)| judge(one, verdict))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with a change, if anything.
fn judge(change: &Change, verdict: &StageVerdict) -> Option<String> {
    let name = format!("{}/{}", verdict.stage, change.name);
    if let Some(diagnostics) = &verdict.diagnostics {
        return Some(format!("{name} does not compile: {diagnostics}"));
    }
    let failed = failed(verdict);
    let listed: BTreeSet<_> = change.fails.iter().cloned().collect();
    let as_listed = failed.iter().filter(|check| !change.may.contains(check));
    let is_right = as_listed.collect::<BTreeSet<_>>() == listed.iter().collect();
    (!is_right).then(|| format!("{name}: failed {failed:?}, listed {listed:?}"))
}

/// The checks that were not passed.
fn failed(verdict: &StageVerdict) -> BTreeSet<String> {
    let checks = verdict.checks.iter();
    let failed = checks.filter(|check| check.outcome != Outcome::Pass);
    failed.map(|check| check.name.to_string()).collect()
}

/// What was said of a change, for whoever reads on.
fn show(change: &Change, verdict: &StageVerdict) {
    println!(
        "{}/{}: fails {:?}",
        verdict.stage,
        change.name,
        failed(verdict)
    );
    for check in &verdict.checks {
        if let Some(failure) = &check.failure {
            println!("  {}: {} | {}", check.name, failure.expected, failure.seen);
        }
    }
}

#[test]
fn every_check_is_failed_by_a_mutant_and_two_other_solutions_are_right() {
    for stage in graded() {
        let changes = changes(stage);
        let course = Course::of(stage).expect("checks");
        let fails = |name: &str| {
            let mut names = changes.iter().flat_map(|change| &change.fails);
            names.any(|failed| failed == name)
        };
        for check in course.checks {
            assert!(
                fails(check.name),
                "{}: no mutant fails {}",
                stage.name,
                check.name
            );
        }
        let named = |change: &Change| [change.fails.clone(), change.may.clone()].concat();
        for change in changes.iter().filter(|change| !change.may.is_empty()) {
            let name = &change.name;
            assert!(
                !change.fails.is_empty(),
                "{}/{name}: only by luck",
                stage.name
            );
        }
        for name in changes.iter().flat_map(named) {
            assert!(
                course.check(&name).is_ok(),
                "{}: {name} is no check",
                stage.name
            );
        }
        let right = changes.iter().filter(|change| change.fails.is_empty());
        let right = right.count();
        assert!(right >= 2, "{}: other solutions", stage.name);
        assert!(changes.len() - right >= 8, "{}: mutants", stage.name);
        tell(&format!(
            "{}: {} checks, {} mistakes, {right} other solutions",
            stage.name,
            course.checks.len(),
            changes.len() - right
        ));
    }
}

#[test]
fn mistakes_are_made_where_students_write() {
    for stage in graded() {
        let sources = support::sources(stage, &workspace());
        for change in changes(stage) {
            assert!(
                change.fails.is_empty() || change.stays_in_solutions(&sources),
                "{}/{} changes given code",
                stage.name,
                change.name
            );
        }
    }
}
