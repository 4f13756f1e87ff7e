//! A class, graded: each gets a record, nothing is graded twice, and no failure
//! stops the rest.

mod support;

use lab::batch::config::Config;
use lab::batch::record::{Record, State};
use lab::batch::{Batch, News, Toolbox};
use lab::cli::EngineName;
use lab::grade::{Grading, SEED};
use lab::markers;
use lab::submission::{Origin, Submission, discover};
use lab::verdict::CheckVerdict;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::{changes, stage, workspace};

fn submit(class: &Path, name: &str, version: &str, edit: impl Fn(&str, String) -> String) {
    for (file, text) in support::sources(stage(version), &workspace()) {
        let path = class.join(name).join(&file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, edit(&file, text)).expect("a source");
    }
}

fn as_it_is(_: &str, text: String) -> String {
    text
}

fn batch(out: &Path, versions: &[&str]) -> Batch {
    let stages: Vec<_> = versions.iter().map(|name| stage(name)).collect();
    let toolbox = Toolbox::prepare(&workspace(), &stages).expect("the clean tree");
    Batch {
        toolbox: toolbox
            .confined_by(env!("CARGO_BIN_EXE_lab").into())
            .expect("a trial"),
        stages,
        seed: SEED,
        engine: EngineName::Interp,
        out: out.to_path_buf(),
        jobs: 2,
        own: true,
    }
}

fn lab(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).env("NO_COLOR", "1");
    // Paths are relative to the class; the tree is the one that lab was built in.
    command
        .current_dir(folder)
        .output()
        .expect("the lab command")
}

fn verdicts(out: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(out.join("verdicts")).expect("verdicts");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    files
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect()
}

#[test]
fn equal_stages_are_graded_once_and_a_second_batch_grades_only_what_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path();
    submit(class, "ada", "v1", as_it_is);
    submit(class, "bob", "v1", as_it_is);
    let out = tempfile::tempdir().expect("a folder");
    let mut batch = batch(out.path(), &["v1"]);
    batch.jobs = 1;
    let submissions = discover(class).expect("the class");
    let first = batch.run(&submissions, |_| {}).expect("records");
    assert!(
        first
            .iter()
            .all(|record| record.stages[0].result.points == 100)
    );
    let graded = verdicts(out.path());
    assert_eq!(graded.len(), 1, "two equal submissions");

    // A verdict that was kept is taken as it is: here, one that somebody changed.
    let kept = out
        .path()
        .join("verdicts")
        .join(graded.first().expect("one"));
    let text = fs::read_to_string(&kept).expect("a verdict");
    fs::write(&kept, text.replacen("\"points\": 100", "\"points\": 99", 1)).expect("a file");
    submit(class, "bob", "v1", |_, text| text + "\n// changed\n");
    let known = std::sync::Mutex::new(Vec::new());
    let hear = |news: News<'_>| {
        if let News::Done(record, is_known) = news {
            let mut known = known.lock().expect("one thread");
            known.push((record.submission.clone(), is_known));
        }
    };
    let second = batch.run(&submissions, hear).expect("records");
    let known = known.into_inner().expect("one thread");
    let expected = [("ada", true), ("bob", false)].map(|(name, is)| (name.to_string(), is));
    assert_eq!(known, expected);
    let points: Vec<_> = second
        .iter()
        .map(|record| record.stages[0].result.points)
        .collect();
    assert_eq!(points, [99, 100], "ada's was kept, bob's was graded");
    assert_eq!(Record::read_all(out.path()).expect("records"), second);
}

#[test]
fn a_version_stands_on_the_reference_and_beside_that_on_the_students_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path();
    let changes = changes(stage("v1"));
    let named = |name: &str| {
        let found = changes.iter().find(|change| change.name == name);
        found.expect("a change of the bank")
    };
    let wrong = named("writes-are-doubled");
    for name in ["right", "wrong-below", "broken-below", "nothing-below"] {
        submit(class, name, "v2", as_it_is);
    }
    submit(class, "right", "v1", |_, text| text + "\n// mine\n");
    submit(class, "wrong-below", "v1", |file, text| {
        let file = file.trim_start_matches("stages/v1-kernel-only/");
        wrong.edited(file, text).expect("a change")
    });
    submit(class, "broken-below", "v1", |_, text| {
        text + "\nfn f() -> u8 { \"\" }\n"
    });
    let out = tempfile::tempdir().expect("a folder");
    let submissions = discover(class).expect("the class");
    let records = batch(out.path(), &["v1", "v2"]).run(&submissions, |_| {});
    let [broken, nothing, right, wrong] = &records.expect("records")[..] else {
        panic!("four records");
    };
    for record in [broken, nothing, right, wrong] {
        let second = &record.stages[1];
        assert_eq!(second.result.points, 100, "{}", record.submission);
    }
    let own = |record: &Record| record.stages[1].own.clone().expect("a report");
    assert_eq!(
        (own(right).points, own(right).differs.len()),
        (Some(100), 0)
    );
    assert!(wrong.stages[0].result.points < 100);
    assert!(own(wrong).points.is_some_and(|points| points < 100));
    assert!(!own(wrong).differs.is_empty());
    assert!(
        own(broken)
            .reason
            .expect("why")
            .contains("v1 does not compile")
    );
    assert!(
        own(nothing)
            .reason
            .expect("why")
            .contains("v1 was not handed in")
    );
}

#[test]
fn what_fails_stops_nobody_and_a_failure_of_the_host_is_no_grade() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path();
    submit(class, "ada", "v1", as_it_is);
    fs::write(class.join("damaged.zip"), "no zip").expect("a file");
    fs::write(class.join("gone.giturl"), "/no/such/repository\n").expect("a file");
    let mut submissions = discover(class).expect("the class");
    submissions.push(Submission {
        name: String::from("nobody"),
        origin: Origin::Missing,
    });
    let out = tempfile::tempdir().expect("a folder");
    let records = batch(out.path(), &["v1"]).run(&submissions, |_| {});
    let records = records.expect("records");
    let states: Vec<_> = records.iter().map(|record| record.state).collect();
    assert_eq!(
        states,
        [
            State::Graded,
            State::Unreadable,
            State::Error,
            State::Missing
        ]
    );
    assert_eq!(records[0].stages[0].result.points, 100);
    let errors: Vec<_> = records.iter().map(Record::has_errors).collect();
    assert_eq!(errors, [false, false, true, false]);
}

#[test]
fn versions_that_are_due_one_after_the_other_are_graded_into_one_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = |version: &str| folder.path().join(version);
    submit(&class("v1"), "ada", "v1", as_it_is);
    submit(&class("v2"), "ada", "v2", as_it_is);
    let out = tempfile::tempdir().expect("a folder");
    let graded = |version: &str, seed| {
        let mut batch = batch(out.path(), &[version]);
        (batch.seed, batch.own) = (seed, false);
        let submissions = discover(&class(version)).expect("the class");
        let dropped = std::sync::Mutex::new(Vec::new());
        let hear = |news: News<'_>| {
            if let News::Dropped(_, versions) = news {
                let mut dropped = dropped.lock().expect("one thread");
                dropped.extend(versions.iter().map(|name| name.to_string()));
            }
        };
        let records = batch.run(&submissions, hear).expect("records");
        assert_eq!(Record::read_all(out.path()).expect("records"), records);
        let stages = records[0].stages.iter();
        let points = stages.map(|stage| (stage.result.stage.to_string(), stage.result.points));
        (
            points.collect::<Vec<_>>(),
            dropped.into_inner().expect("one thread"),
        )
    };
    let full = |version: &str| (String::from(version), 100);
    assert_eq!(graded("v1", SEED), (vec![full("v1")], vec![]));
    assert_eq!(graded("v2", SEED), (vec![full("v1"), full("v2")], vec![]));
    let dropped = vec![String::from("v1")];
    assert_eq!(graded("v2", SEED + 1), (vec![full("v2")], dropped));
}

#[test]
fn from_submissions_in_two_parts_to_a_gradebook() {
    let folder = tempfile::tempdir().expect("a folder");
    submit(&folder.path().join("class"), "ada", "v1", as_it_is);
    let roster = "student_id,last_name\nada,Lovelace\nbob,=1+1\ncarl,\n";
    fs::write(folder.path().join("class/kim.rar"), "packed").expect("a file");
    fs::write(folder.path().join("class.csv"), roster).expect("a roster");
    for part in ["1/2", "2/2"] {
        let out = format!("part-{}", &part[..1]);
        let output = lab(
            folder.path(),
            &[
                "batch",
                "class",
                "--out",
                &out,
                "--shard",
                part,
                "--roster",
                "class.csv",
                "--stages",
                "v1",
                "--unsafe-host",
            ],
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("not read: kim.rar: neither"), "{said}");
        assert!(
            !output.stdout.contains(&b'\r'),
            "no bar where nobody watches"
        );
    }
    let output = lab(folder.path(), &["merge", "part-1", "--out", "half"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("part 2/2 (v1) is missing"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    let output = lab(
        folder.path(),
        &["merge", "part-1", "part-2", "--out", "all"],
    );
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 graded, 2 missing"), "{said}");
    let arguments = [
        "export",
        "csv",
        "all",
        "--out",
        "grades.csv",
        "--roster",
        "class.csv",
    ];
    assert_eq!(lab(folder.path(), &arguments).status.code(), Some(0));
    let table = fs::read_to_string(folder.path().join("grades.csv")).expect("a gradebook");
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(
        rows,
        [
            "v1,,,ada,Lovelace,,,100,0,100,100",
            "v1,,,bob,'=1+1,,,0,0,0,100",
            "v1,,,carl,,,,0,0,0,100",
        ]
    );
}

#[test]
fn who_is_of_nobody_in_the_class_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    submit(&folder.path().join("class"), "ada", "v1", as_it_is);
    submit(&folder.path().join("class"), "zoe", "v1", as_it_is);
    fs::write(folder.path().join("list.csv"), "student_id\nada\n").expect("a roster");
    let graded = |roster: &[&str]| {
        let command = ["batch", "class", "--out", "results", "--stages", "v1"];
        let output = lab(folder.path(), &[&command, roster].concat());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let with = graded(&["--roster", "list.csv"]);
    assert!(with.contains("not on the roster: zoe\n"), "{with}");
    assert!(!with.contains("not on the roster: ada"), "{with}");

    fs::remove_dir_all(folder.path().join("class/zoe")).expect("a submission");
    let left = graded(&[]);
    assert!(left.contains("zoe.json' is of no entry here"), "{left}");
    let left = graded(&["--roster", "list.csv"]);
    assert!(
        left.contains("zoe.json' is of nobody in this class"),
        "{left}"
    );
}

#[test]
fn results_that_are_not_there_are_named_with_what_makes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = lab(
        folder.path(),
        &["export", "csv", "nowhere", "--out", "x.csv"],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("'nowhere'") && said.contains("cargo lab batch"),
        "{said}"
    );
}

#[test]
fn the_example_of_a_courses_rules_is_right() {
    let example = workspace().root.join("grader/beyond/course.json");
    let config = Config::read(&example).expect("the course's rules");
    assert_eq!(config.weights.values().sum::<f64>(), 100.0);
    assert!(!config.hidden.is_empty());
}

/// Confined, a version has all that a right one needs, and no more than outside.
#[test]
fn reference_and_starter_get_the_points_that_they_get_outside_the_confinement() {
    let versions = ["v1", "v2", "v3", "v4"];
    let folder = tempfile::tempdir().expect("a folder");
    let strip = |_: &str, text: String| markers::strip(&text).expect("markers").expect("a file");
    for version in versions {
        submit(folder.path(), "reference", version, as_it_is);
        submit(folder.path(), "starter", version, strip);
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut batch = batch(out.path(), &versions);
    batch.own = false;
    let submissions = discover(folder.path()).expect("the class");
    let records = batch.run(&submissions, |_| {}).expect("records");
    let [reference, starter] = &records[..] else {
        panic!("two records");
    };
    let outside = Grading::of(versions.map(stage).to_vec()).run(&workspace(), |_| {});
    for (index, outside) in outside.expect("a verdict").stages.iter().enumerate() {
        let points = |record: &Record| {
            let checks = record.stages[index].result.checks.iter();
            checks
                .map(|check| (check.name.clone(), check.points))
                .collect::<Vec<_>>()
        };
        let expected = |points: fn(&CheckVerdict) -> u32| {
            let checks = outside.checks.iter();
            checks
                .map(|check| (check.name.clone(), points(check)))
                .collect::<Vec<_>>()
        };
        assert_eq!(points(reference), expected(|check| check.points));
        assert_eq!(points(starter), expected(|_| 0));
        let mut made = starter.stages[index].result.checks.iter();
        let is_open = |check: &CheckVerdict| {
            { check.failure.as_ref() }.is_some_and(|failure| failure.not_yet.is_some())
        };
        assert!(made.all(is_open), "{}", outside.stage);
    }
}
