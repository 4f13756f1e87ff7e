//! A student's day with the command: what is known is not graded again, `watch`
//! follows the saves, and `hint` says how it fails.

mod hint;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use lab::handout::Handout;
use lab::markers;
use lab::predict::{Form, Quiz};
use lab::workspace::Workspace;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use support::scratch::Scratch;
use support::{stage, workspace};

/// A tree of which nothing is known.
fn fresh(from: &Workspace) -> Scratch {
    let scratch = Scratch::of(from);
    let known = scratch.workspace.target.join("lab");
    if known.exists() {
        fs::remove_dir_all(known).expect("what was known forgotten");
    }
    scratch
}

/// The student's tree on the first day.
fn handed_out() -> Scratch {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let student = folder.path().join("student");
    let made = Handout::default().make(&workspace(), &student);
    made.expect("a handout");
    fresh(&Workspace {
        target: student.join("target"),
        root: student,
        runners: None,
    })
}

fn lab(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .env("CARGO_TARGET_DIR", &scratch.workspace.target)
        .current_dir(&scratch.workspace.root);
    command
}

/// Exit code, output, and what else was said.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the lab command");
    let [stdout, stderr] = [output.stdout, output.stderr];
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(stdout), text(stderr))
}

/// The same on a host on which nothing can be built.
fn run_without_cargo(command: &mut Command) -> (Option<i32>, String, String) {
    run(command.env("CARGO", "/no/such/cargo"))
}

const PREPARE: &str = "stages/v1-kernel-only/src/prepare.rs";
const LIB: &str = "stages/v1-kernel-only/src/lib.rs";

/// A file as the reference has it.
fn solved(name: &str) -> String {
    fs::read_to_string(workspace().root.join(name)).expect("a source")
}

fn text(scratch: &Scratch, name: &str) -> String {
    fs::read_to_string(scratch.workspace.root.join(name)).expect("a source")
}

#[test]
fn what_was_graded_once_is_shown_again_without_a_build() {
    let scratch = handed_out();
    let (code, first, said) = run(&mut lab(&scratch, &[]));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        first.contains("graded just now: v1 · not begun: v2"),
        "{first}"
    );
    let here = first.lines().find(|line| line.contains("you are here"));
    assert!(here.is_some_and(|line| line.contains("v1")), "{first}");

    let (code, second, said) = run_without_cargo(&mut lab(&scratch, &[]));
    assert_eq!(code, Some(0), "{said}");
    let known = first.replace("graded just now", "unchanged since it was graded");
    assert_eq!(second, known);
}

#[test]
fn a_changed_byte_is_graded_again_and_the_change_taken_back_is_known() {
    let scratch = handed_out();
    let before = text(&scratch, LIB);
    // `grade` fills it, too; it says that something failed.
    assert_eq!(run(&mut lab(&scratch, &["grade", "v1"])).0, Some(1));
    assert_eq!(run_without_cargo(&mut lab(&scratch, &[])).0, Some(0));

    scratch.write(LIB, &(before.clone() + "\n"));
    let (code, _, said) = run_without_cargo(&mut lab(&scratch, &[]));
    assert_eq!(code, Some(3));
    assert!(said.contains("/no/such/cargo cannot be run"), "{said}");
    let (code, shown, said) = run(&mut lab(&scratch, &[]));
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("graded just now: v1"), "{shown}");

    scratch.write(LIB, &before);
    assert_eq!(run_without_cargo(&mut lab(&scratch, &[])).0, Some(0));
}

#[test]
fn a_damaged_verdict_is_graded_again() {
    let scratch = handed_out();
    let (_, first, _) = run(&mut lab(&scratch, &[]));
    let folder = scratch.workspace.target.join("lab/verdicts/v1");
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("verdicts")
        .map(|entry| entry.expect("a verdict").path())
        .collect();
    assert_eq!(files.len(), 1);
    let whole = fs::read(&files[0]).expect("a verdict");
    fs::write(&files[0], &whole[..whole.len() / 2]).expect("a file");
    let (code, second, said) = run(&mut lab(&scratch, &[]));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(second, first);
}

#[test]
fn what_is_done_stays_done_while_a_version_does_not_compile() {
    let scratch = handed_out();
    scratch.write(PREPARE, &solved(PREPARE));
    let (_, done, said) = run(&mut lab(&scratch, &[]));
    assert!(done.contains(" 1/6 "), "{done}{said}");
    scratch.write(LIB, &(text(&scratch, LIB) + "what is this?\n"));
    let (_, broken, said) = run(&mut lab(&scratch, &[]));
    assert!(broken.contains("does not compile"), "{broken}{said}");
    assert!(broken.contains(" 1/6 "), "{broken}{said}");
}

#[test]
fn what_is_open_in_a_version_below_comes_first() {
    let scratch = fresh(&workspace());
    let hole = markers::strip(&solved(PREPARE)).expect("markers");
    scratch.write(PREPARE, &hole.expect("a file"));
    let (code, shown, said) = run(&mut lab(&scratch, &["grade", "v2"]));
    assert_eq!(code, Some(1), "{said}");
    let next = "next: v1-E1 first, in the version below";
    assert!(shown.contains(next), "{shown}");
}

#[test]
fn what_keeps_all_predictions_from_being_proved_is_said_once() {
    let scratch = handed_out();
    let asked = run(&mut lab(&scratch, &["predict", "v1", "--seed", "7"]));
    assert_eq!(asked.0, Some(0), "{asked:?}");
    let quiz = Quiz::of(stage("v1"), 7);
    let mut sheet = text(&scratch, "predictions/v1.txt");
    for (question, number) in quiz.questions.iter().zip(1..) {
        let answer = match &question.form {
            Form::Number { .. } => "1",
            Form::Name(names) => names[0].name,
            Form::Choice(_) => "a",
        };
        let blank = format!("answer {number}:\n");
        sheet = sheet.replace(&blank, &format!("answer {number}: {answer}\n"));
    }
    scratch.write("predictions/v1.txt", &sheet);
    let (code, told, said) = run(&mut lab(&scratch, &["predict", "v1"]));
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(told.matches("v1-E1").count(), 1, "{told}");
    assert_eq!(told.matches("cargo lab grade v1").count(), 1, "{told}");
    assert!(told.contains("1, 2, 3, 4, 5, 6. no proof"), "{told}");
}
