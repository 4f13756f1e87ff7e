use super::*;
use crate::checks::Announced;
use crate::verdict::{CheckVerdict, FailureReport, Outcome};

/// A made-up record: versions with the points reached, half of which one check
/// gives and half another, as far as they go.
pub(crate) fn record(name: &str, stages: &[(&str, u32)]) -> Record {
    Record {
        schema: SCHEMA.to_string(),
        submission: name.to_string(),
        tree: String::from("0123"),
        engine: String::from("interp"),
        seed: 1,
        state: State::Graded,
        reason: None,
        time: None,
        notes: Vec::new(),
        stages: stages
            .iter()
            .map(|(stage, points)| stage_record(stage, *points))
            .collect(),
    }
}

fn stage_record(stage: &str, points: u32) -> StageRecord {
    let first = points.min(50);
    StageRecord {
        fingerprint: String::from("4567"),
        handed_in: true,
        time: None,
        result: StageVerdict {
            stage: stage.to_string().into(),
            title: "a title".into(),
            engine: "interp".into(),
            compiles: true,
            diagnostics: None,
            points,
            of: 100,
            skipped: 0,
            checks: vec![check("first", first), check("second", points - first)],
            first_hole: None,
            announced: Announced::default(),
        },
        own: None,
    }
}

fn check(name: &str, points: u32) -> CheckVerdict {
    let passes = points == 50;
    CheckVerdict {
        name: name.to_string().into(),
        tests: format!("the {name} thing <happens> & \"more\"").into(),
        points,
        of: 50,
        outcome: if passes { Outcome::Pass } else { Outcome::Fail },
        reason: None,
        failure: (!passes).then(|| FailureReport {
            expected: String::from("a <tick>"),
            seen: String::from("=none & \u{1b}[31m]]>"),
            ..FailureReport::default()
        }),
    }
}

#[test]
fn a_record_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let written = record("ada", &[("v1", 80)]);
    written.write(folder.path()).unwrap();
    assert_eq!(Record::read_all(folder.path()).unwrap(), [written]);
}

#[test]
fn a_folder_without_results_and_one_of_another_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Record::read_all(folder.path()).is_err());
    let mut other = record("ada", &[]);
    other.schema = String::from("heptavisor/submission/v9");
    other.write(folder.path()).unwrap();
    let error = Record::read_all(folder.path()).unwrap_err().to_string();
    assert!(error.contains("submission/v9"), "{error}");
}

#[test]
fn on_the_students_own_versions_what_differs_is_named() {
    let reference = stage_record("v2", 100).result;
    let own = Own::beside(&reference, &stage_record("v2", 50).result);
    assert_eq!(
        (own.points, own.differs),
        (Some(50), vec![String::from("second")])
    );
}

#[test]
fn a_record_is_completed_with_the_versions_that_it_lacks() {
    let mut first = record("ada", &[("v1", 80), ("v2", 10)]);
    first.time = Some(String::from("2026-10-01T00:00:00Z"));
    let mut second = record("ada", &[("v2", 90)]);
    second.complete(&first);
    let points = second.stages.iter().map(|stage| stage.result.points);
    assert_eq!(points.collect::<Vec<_>>(), [80, 90]);
    assert_eq!(second.stages[0].time, first.time);
    assert_eq!(second.stages[1].time, None);
}

#[test]
fn a_version_counts_though_another_is_missing_and_an_error_stays_one() {
    let not_graded = |why: Option<&str>, state| {
        let stage = &crate::stages::STAGES[1];
        let mut record = record("ada", &[]);
        let why = why.map(String::from);
        record.stages = vec![StageRecord::without_sources(stage, why)];
        record.state = state;
        record.complete(&super::tests::record("ada", &[("v1", 80)]));
        record
    };
    let missing = not_graded(Some("not handed in"), State::Missing);
    assert_eq!(missing.state, State::Graded);
    let mut failed = not_graded(None, State::Error);
    assert_eq!(failed.state, State::Error);
    let mut again = record("ada", &[("v2", 90)]);
    again.complete(&failed);
    assert_eq!(again.state, State::Graded, "the second try has mended it");
    failed.stages.remove(0);
    let mut first = record("ada", &[("v1", 90)]);
    first.complete(&failed);
    assert!(first.has_errors(), "version 2 is still not known");
}

#[test]
fn a_record_of_nobody_in_the_class_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ada", "ada.l", "bob"] {
        record(name, &[]).write(folder.path()).unwrap();
    }
    let class = ["ada", "bob", "eve"].map(|name| Submission {
        name: String::from(name),
        origin: crate::submission::Origin::Missing,
    });
    let strangers = Record::strangers(folder.path(), &class);
    assert_eq!(strangers, [folder.path().join("submissions/ada.l.json")]);
}
