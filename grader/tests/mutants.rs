//! The bank of changes: plausible mistakes fail exactly the checks they are
//! listed with, every check is failed by one of them, and solutions that are
//! right but built differently pass.

mod support;

use lab::checks::Course;
use lab::grade::Grading;
use lab::verdict::Outcome;
use std::collections::BTreeSet;
use support::bank::{Change, changes};
use support::scratch::Scratch;
use support::{v1, workspace};

#[test]
fn each_change_fails_exactly_the_checks_it_is_listed_with() {
    let only = std::env::var("HEPTAVISOR_CHANGE").ok();
    let mut wrong = Vec::new();
    for change in changes(v1()) {
        if only.as_ref().is_none_or(|only| change.name.contains(only)) {
            wrong.extend(judge(&change));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with a change, if anything.
fn judge(change: &Change) -> Option<String> {
    let scratch = Scratch::of(&workspace());
    change.apply(v1(), &scratch);
    let verdict = Grading::of(vec![v1()])
        .run(&scratch.workspace, |_| {})
        .expect("a verdict");
    let stage = &verdict.stages[0];
    let failed: BTreeSet<_> = stage
        .checks
        .iter()
        .filter(|check| check.outcome != Outcome::Pass)
        .map(|check| check.name.to_string())
        .collect();
    let listed: BTreeSet<_> = change.fails.iter().cloned().collect();
    println!("{}: fails {failed:?}", change.name);
    for check in &stage.checks {
        if let Some(failure) = &check.failure {
            println!("  {}: {} | {}", check.name, failure.expected, failure.seen);
        }
    }
    if let Some(diagnostics) = &stage.diagnostics {
        return Some(format!("{} does not compile: {diagnostics}", change.name));
    }
    (failed != listed).then(|| format!("{}: failed {failed:?}, listed {listed:?}", change.name))
}

#[test]
fn every_check_is_failed_by_a_mutant_and_two_other_solutions_are_right() {
    let changes = changes(v1());
    let course = Course::of(v1()).expect("checks");
    for check in course.checks {
        let failed = changes
            .iter()
            .any(|change| change.fails.iter().any(|name| name == check.name));
        assert!(failed, "no mutant fails {}", check.name);
    }
    for name in changes.iter().flat_map(|change| &change.fails) {
        assert!(
            course.check(name).is_ok(),
            "a mutant fails {name}, which is no check"
        );
    }
    assert!(
        changes
            .iter()
            .filter(|change| change.fails.is_empty())
            .count()
            >= 2
    );
    assert!(
        changes
            .iter()
            .filter(|change| !change.fails.is_empty())
            .count()
            >= 10
    );
}

#[test]
fn mistakes_are_made_where_students_write() {
    let sources = support::sources(&workspace());
    for change in changes(v1())
        .iter()
        .filter(|change| !change.fails.is_empty())
    {
        assert!(
            change.stays_in_solutions(&sources),
            "{} changes given code",
            change.name
        );
    }
}
