//! Hidden checks: they are not in the student's tree, which says only how many
//! there are.

mod support;

use lab::batch::config::Config;
use lab::checks::Course;
use lab::handout::{Handout, reveal};
use lab::workspace::{Workspace, files_below};
use std::path::Path;
use std::process::{Command, Output};
use support::scratch::Scratch;
use support::{graded, stage, workspace};

/// Checks of every version, in files of their own and in files with others, and
/// the functions that they run.
const HIDDEN: &[(&str, &str)] = &[
    (
        "v1/runaway-guests-are-stopped",
        "runaway_guests_are_stopped",
    ),
    ("v1/fresh-guests", "fresh_guests"),
    ("v2/masked-tick-is-not-lost", "masked_tick_is_not_lost"),
    (
        "v2/idle-sleeps-until-the-tick",
        "idle_sleeps_until_the_tick",
    ),
    ("v3/segment-bases-follow", "segment_bases_follow"),
    ("v4/nobody-starves", "nobody_starves"),
    (
        "v5/nobody-is-paid-for-sleeping",
        "nobody_is_paid_for_sleeping",
    ),
    ("v6/affinity-is-kept", "affinity_is_kept"),
    ("v7/no-yield-for-nothing", "no_yield_for_nothing"),
];

fn hiding<'a>(checks: impl IntoIterator<Item = &'a str>) -> Handout {
    let hidden = checks.into_iter().map(String::from).collect();
    Handout {
        config: Config {
            hidden,
            ..Config::default()
        },
        ..Handout::default()
    }
}

fn all_hidden() -> Handout {
    hiding(HIDDEN.iter().map(|(check, _)| *check))
}

fn made(handout: &Handout, folder: &Path) -> Workspace {
    let out = folder.join("student");
    handout.make(&workspace(), &out).expect("a handout");
    Workspace::at(&out)
}

#[test]
fn neither_the_name_nor_the_code_of_a_hidden_check_is_anywhere_in_the_handout() {
    let folder = tempfile::tempdir().expect("a folder");
    let student = made(&all_hidden(), folder.path());
    let names = HIDDEN
        .iter()
        .map(|(check, _)| check.split_once('/').expect("a version").1);
    let functions = HIDDEN.iter().map(|(_, function)| *function);
    let words: Vec<_> = names.chain(functions).collect();
    for path in files_below(&student.root).expect("the handout") {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
        let told = words.iter().find(|word| text.contains(**word));
        assert_eq!(told, None, "{} tells it", path.display());
    }
    // What only the hidden check of v2 needed has gone with it.
    let idle = student.root.join("grader/src/checks/v2/idle.rs");
    let idle = std::fs::read_to_string(idle).expect("a source");
    assert!(
        idle.contains("fn dead_halt_is_recognised") && !idle.contains("fn sleeps("),
        "{idle}"
    );
}

fn cargo(scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .current_dir(&scratch.workspace.root)
        .env("CARGO_TARGET_DIR", &scratch.workspace.target)
        .args(arguments)
        .output()
        .expect("cargo")
}

/// The points of the verdict that the handout's own command makes.
fn says(scratch: &Scratch, arguments: &[&str]) -> String {
    let all = [&["run", "--quiet", "--package", "lab", "--"], arguments].concat();
    let output = cargo(scratch, &all);
    String::from_utf8(output.stdout).expect("text")
}

/// The reference in the student's tree: every solution filled in, and the checks
/// left out all the same.
#[test]
fn such_a_handout_builds_without_warnings_and_its_grader_gives_the_reference_all_public_points() {
    let folder = tempfile::tempdir().expect("a folder");
    let handout = Handout {
        revealed: reveal::parse("v1..v7", &workspace()).expect("versions"),
        ..all_hidden()
    };
    let scratch = Scratch::of(&made(&handout, folder.path()));
    let built = cargo(&scratch, &["build", "--package", "lab"]);
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");

    let stages: Vec<_> = graded().iter().map(|stage| stage.name).collect();
    let arguments = [&["grade", "--json"][..], &stages].concat();
    let verdict: serde_json::Value =
        serde_json::from_str(&says(&scratch, &arguments)).expect("a verdict");
    for verdict in verdict["stages"].as_array().expect("versions") {
        let name = verdict["stage"].as_str().expect("a name");
        let course = Course::of(stage(name)).expect("a course");
        let hidden = HIDDEN.iter().filter_map(|(check, _)| check.split_once('/'));
        let hidden = hidden.filter(|(version, _)| *version == name);
        let points: Vec<_> = hidden
            .map(|(_, check)| course.check(check).expect("a check").points)
            .collect();
        let later: u32 = points.iter().sum();
        assert_eq!(verdict["points"], 100 - later, "{name}");
        assert_eq!(verdict["of"], 100 - later, "{name}");
        assert_eq!(verdict["announced"]["points"], later, "{name}");
        assert_eq!(verdict["announced"]["checks"], points.len(), "{name}");
    }
    let told = says(&scratch, &["grade", "v2"]);
    let total = "v2 timer IRQ: 75 of 75 public points; 2 checks with 25 points hidden later";
    assert!(told.contains(total), "{told}");
    assert!(says(&scratch, &["list"]).contains("and 2 checks with 25 points hidden later"));
}

/// What making the handout is refused with; nothing is left in the folder.
fn refused(handout: &Handout) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let made = handout.make(&workspace(), folder.path());
    let error = made.expect_err("a refusal");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
    error.to_string()
}

#[test]
fn a_check_that_the_manual_tells_of_is_not_hidden_by_halves() {
    let said = refused(&hiding(["v5/weights-hold"]));
    assert!(said.contains("'weights-hold' of v5"), "{said}");
    assert!(said.contains("LABS.md names it, where it says"), "{said}");
}

#[test]
fn no_exercise_is_left_without_a_check() {
    let said = refused(&hiding(["v1/unsupported-is-refused"]));
    assert!(said.contains("whether v1-E6 is done"), "{said}");
}

#[test]
fn what_the_course_reveals_is_not_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut handout = all_hidden();
    handout.config.reveal_hidden = true;
    let student = made(&handout, folder.path());
    for name in ["grader/announced.json", "grader/src/checks/v2/mod.rs"] {
        let read = |tree: &Workspace| std::fs::read(tree.root.join(name)).expect("a file");
        assert_eq!(read(&student), read(&workspace()), "{name}");
    }
}
