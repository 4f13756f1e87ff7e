//! A student's day with the command: what is known is not graded again, `watch`
//! follows the saves, and `hint` says how it fails.

mod support;

use lab::handout::Handout;
use lab::workspace::Workspace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use support::changes;
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

/// `cargo lab watch`, and what it prints.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn begin(scratch: &Scratch, stages: &[&str]) -> Watch {
        let arguments = [&["watch"], stages].concat();
        let mut command = lab(scratch, &arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the lab");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Watch { child, lines }
    }

    /// What it prints up to a line with this in it.
    fn until(&self, wanted: &str) -> String {
        const LONG: Duration = Duration::from_secs(300);
        let mut seen = String::new();
        loop {
            let line = self.lines.recv_timeout(LONG);
            let line = line.unwrap_or_else(|error| panic!("no '{wanted}' ({error}) in:\n{seen}"));
            seen += &line;
            seen.push('\n');
            if line.contains(wanted) {
                return seen;
            }
        }
    }

    /// What it prints until it waits for a save.
    fn until_it_waits(&self) -> String {
        self.until("save a file")
    }

    fn press_ctrl_c(mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("a signal");
        self.child.wait().expect("the end")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Fails if it has ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_follows_the_saves_over_code_that_does_not_compile() {
    let scratch = handed_out();
    let watch = Watch::begin(&scratch, &[]);
    let first = watch.until_it_waits();
    assert!(first.contains("watching v1\n"), "{first}");
    assert!(first.contains("next: v1-E1"), "{first}");

    scratch.write(PREPARE, "what is this?");
    let broken = watch.until_it_waits();
    assert!(broken.contains("v1 does not compile"), "{broken}");
    assert!(broken.contains(PREPARE), "{broken}");

    scratch.write(PREPARE, &solved(PREPARE));
    let mended = watch.until_it_waits();
    assert!(
        mended.contains(&format!("saved {PREPARE}: v1\n")),
        "{mended}"
    );
    assert!(mended.contains("next: v1-E2"), "{mended}");
    assert!(
        mended.contains("passes now   context-is-prepared"),
        "{mended}"
    );
    assert!(!mended.contains('\x1b'), "{mended}");
    assert_eq!(watch.press_ctrl_c().code(), Some(0));
}

#[test]
fn watch_grades_the_saved_version_first_and_then_those_above_it() {
    let scratch = fresh(&workspace());
    let watch = Watch::begin(&scratch, &["v1", "v2"]);
    watch.until_it_waits();
    scratch.write(LIB, &(solved(LIB) + "\n"));
    let below = watch.until_it_waits();
    assert!(
        below.contains(&format!("saved {LIB}: v1, then v2\n")),
        "{below}"
    );
    let first = below.find("v1 kernel only: 100 of 100 points");
    let second = below.find("v2 timer IRQ: 100 of 100 points");
    assert!(first.is_some() && first < second, "{below}");

    let above = "stages/v2-timer-irq/src/lib.rs";
    scratch.write(above, &(solved(above) + "\n"));
    let above = watch.until_it_waits();
    assert!(!above.contains("v1 kernel only"), "{above}");
    assert!(above.contains("v2 timer IRQ: 100 of 100 points"), "{above}");
}

/// The processes that `parent` started and that still run, by the names of their
/// programs.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let child = |stat: String| {
        let (head, tail) = stat.rsplit_once(") ")?;
        let is_child = tail.split(' ').nth(1) == Some(&parent.to_string());
        is_child.then(|| head.split('(').nth(1).unwrap_or_default().to_string())
    };
    stats.filter_map(child).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn watch_abandons_code_that_hangs_on_a_save_and_on_ctrl_c() {
    let scratch = handed_out();
    let watch = Watch::begin(&scratch, &["v1"]);
    watch.until_it_waits();
    let runs = || children(watch.child.id()).contains(&String::from("run-v1"));
    let hangs = solved(PREPARE).replace("boot.entry;", "boot.entry; loop {}");
    let save_what_hangs = |text: &str| {
        scratch.write(PREPARE, text);
        watch.until("saved");
        while !runs() {
            thread::sleep(Duration::from_millis(5));
        }
    };
    save_what_hangs(&hangs);
    scratch.write(PREPARE, &solved(PREPARE));
    let abandoned = watch.until("saved");
    assert!(!abandoned.contains("of 100 points"), "{abandoned}");
    let mended = watch.until_it_waits();
    assert!(
        mended.contains("v1 kernel only: 10 of 100 points"),
        "{mended}"
    );
    assert!(!runs());

    save_what_hangs(&(hangs + "\n"));
    assert_eq!(watch.press_ctrl_c().code(), Some(0));
}

/// The reference with a mistake.
fn mistaken(version: &str, mistake: &str) -> Scratch {
    let stage = stage(version);
    let changes = changes(stage);
    let change = changes.iter().find(|change| change.name == mistake);
    let change = change.expect("a mistake of the bank");
    let scratch = Scratch::of(&workspace());
    for (name, text) in support::sources(stage, &workspace()) {
        let folder = stage.folder();
        let file = Path::new(&name).strip_prefix(folder).expect("a source");
        let changed = change.edited(&file.to_string_lossy(), text.clone());
        let changed = changed.expect("a change");
        if changed != text {
            scratch.write(&name, &changed);
        }
    }
    scratch
}

/// What `cargo lab hint EXERCISE` says first about the reference with a mistake.
fn hint_with(mistake: &str, exercise: &str) -> String {
    let (version, _) = exercise.split_once('-').expect("an exercise");
    let scratch = mistaken(version, mistake);
    let (code, hint, said) = run(&mut lab(&scratch, &["hint", exercise]));
    assert_eq!(code, Some(0), "{said}");
    let (how, general) = hint.split_once("\n1. ").expect("a general hint");
    println!("{mistake}:\n{how}");
    assert!(how.contains("fails:") && !general.is_empty(), "{hint}");
    let thought = how.lines().find(|line| line.contains("thought"));
    thought.expect("a thought").to_string()
}

#[test]
fn different_mistakes_in_one_exercise_get_different_hints() {
    for (exercise, one, other) in [
        ("v1-E4", "writes-are-doubled", "reads-give-nothing"),
        (
            "v2-E4",
            "tick-is-not-acknowledged",
            "tick-is-acknowledged-first",
        ),
        (
            "v2-E4",
            "tick-is-not-acknowledged",
            "window-is-never-asked-for",
        ),
        ("v2-E2", "shadow-is-ignored", "injects-while-closed"),
    ] {
        assert_ne!(
            hint_with(one, exercise),
            hint_with(other, exercise),
            "{exercise}: {one}, {other}"
        );
    }
}

#[test]
fn the_hint_for_an_open_exercise_says_so_and_builds_nothing() {
    let scratch = handed_out();
    let (code, hint, said) = run_without_cargo(&mut lab(&scratch, &["hint", "v2-E4"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.contains("It is still open."), "{hint}");
    let (code, next, said) = run_without_cargo(&mut lab(&scratch, &["hint"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(next.starts_with("v1-E1 "), "{next}");
}

#[test]
fn the_hint_for_a_finished_exercise_says_so() {
    let scratch = handed_out();
    scratch.write(PREPARE, &solved(PREPARE));
    let arguments = ["hint", "v1-E1", "--no-grade"];
    let (_, unknown, _) = run_without_cargo(&mut lab(&scratch, &arguments));
    assert!(unknown.contains("It is filled in"), "{unknown}");
    let (code, hint, said) = run(&mut lab(&scratch, &["hint", "v1-E1"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.contains("It is done"), "{hint}");
    let (_, next, _) = run_without_cargo(&mut lab(&scratch, &["hint"]));
    assert!(next.starts_with("v1-E2 "), "{next}");
}

/// Without its ports working no guest gets far, so that checks of earlier exercises
/// fail with it.
#[test]
fn the_next_exercise_is_the_one_with_the_mistake_and_none_before_it() {
    let scratch = mistaken("v1", "out-is-executed-again");
    let (code, hint, said) = run(&mut lab(&scratch, &["hint"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(hint.starts_with("v1-E4 "), "{hint}");
}
