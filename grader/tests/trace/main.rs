//! `cargo lab trace`: from a run to what is said and drawn of it.
//!
//! The page is tested in a real browser, chromium, without a window. Where there is
//! none the tests say so and pass, unless `HEPTAVISOR_REQUIRE` names `chromium`.

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod model;
mod pictures;

use lab::picture::{Trace, read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Runs that tests look at: short ones, with something to see.
const V2: [&str; 5] = ["trace", "v2", "--limit", "130000", "--text"];
const V5: [&str; 2] = ["trace", "v5"];
const V7: [&str; 8] = [
    "trace",
    "v7",
    "--vm",
    "contended",
    "--vm",
    "hog",
    "--vm",
    "hog:seed=2",
];

/// The command with these arguments.
fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).output().expect("the lab command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// What the command prints where all goes well.
fn printed(arguments: &[&str]) -> String {
    let output = lab(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    text(&output.stdout)
}

/// A folder with the trace of a run in it, in its file.
struct Saved {
    folder: TempDir,
}

impl Saved {
    fn of(run: &[&str]) -> Saved {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = Saved { folder };
        let file = saved.path("trace.json");
        printed(&[run, &["--json", &file]].concat());
        saved
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn file(&self) -> String {
        self.path("trace.json")
    }

    fn json(&self) -> String {
        std::fs::read_to_string(self.file()).expect("a trace")
    }

    fn trace(&self) -> Trace {
        read(&self.json()).expect("a trace").trace
    }

    /// Its page, in a file.
    fn page(&self) -> PathBuf {
        let page = self.path("trace.html");
        printed(&["trace", &self.file(), "--html", &page]);
        PathBuf::from(page)
    }

    /// The same with another text.
    fn with(text: &str) -> Saved {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = Saved { folder };
        std::fs::write(saved.file(), text).expect("a file");
        saved
    }
}

#[test]
fn every_picture_can_be_made_from_a_saved_trace() {
    let saved = Saved::of(&V2);
    let (text, html, svg) = (printed(&V2), saved.path("a.html"), saved.path("a.svg"));
    printed(&[&V2[..], &["--html", &html, "--svg", &svg]].concat());
    let file = saved.file();
    let (again_html, again_svg) = (saved.path("b.html"), saved.path("b.svg"));
    printed(&["trace", &file, "--html", &again_html, "--svg", &again_svg]);
    assert_eq!(printed(&["trace", &file]), text);
    let read = |path: &str| std::fs::read(path).expect("a picture");
    assert!(read(&html) == read(&again_html), "the page");
    assert!(read(&svg) == read(&again_svg), "the picture");
}

#[test]
fn a_pipe_gets_the_whole_trace_and_nothing_else() {
    let json = printed(&[&V2[..4], &["--json", "-"]].concat());
    assert!(read(&json).expect("a trace").note.is_none());
}

#[test]
fn saved_traces_follow_their_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("formats/trace.schema.json");
    let script = "import json, jsonschema, sys\n\
        schema, *files = map(lambda name: json.load(open(name)), sys.argv[1:])\n\
        for file in files: jsonschema.validate(file, schema)";
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    let there = python(&["-c", "import jsonschema"]);
    if !there.is_ok_and(|output| output.status.success()) {
        let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("python"),
            "HEPTAVISOR_REQUIRE names python"
        );
        println!("skipped: there is no python3 with jsonschema here");
        return;
    }
    let runs = [Saved::of(&V2), Saved::of(&V5), Saved::of(&V7)];
    let files = runs.map(|saved| (saved.file(), saved));
    let schema = schema.display().to_string();
    let mut arguments = vec!["-c", script, &schema];
    arguments.extend(files.iter().map(|(file, _)| file.as_str()));
    let output = python(&arguments).expect("python");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn two_traces_of_one_run_do_not_differ_and_of_two_seeds_do() {
    let saved = Saved::of(&V2);
    let other = saved.path("other.json");
    printed(&[&V2[..], &["--json", &other]].concat());
    let same = lab(&["trace", "diff", &saved.file(), &other]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stdout));
    let seed = |seed, file: &str| printed(&["trace", "v2", "--seed", seed, "--json", file]);
    seed("1", &saved.file());
    seed("2", &other);
    let differs = lab(&["trace", "diff", &saved.file(), &other]);
    let said = text(&differs.stdout);
    assert_eq!(differs.status.code(), Some(1), "{said}");
    assert!(said.contains("equal: ") && said.contains(" | "), "{said}");
}

/// The exit code, and the one paragraph on stderr.
fn refused(saved: &Saved) -> (Option<i32>, String) {
    let output = lab(&["trace", &saved.file(), "--html", &saved.path("page.html")]);
    let said = text(&output.stderr);
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    (output.status.code(), said)
}

#[test]
fn a_file_that_is_no_trace_of_this_version_is_refused_by_what_is_wrong() {
    let whole = Saved::of(&V2).json();
    let newer = whole.replace("heptavisor/trace/v1", "heptavisor/trace/v2");
    let damaged = whole.replace("\"kind\":\"inject\"", "\"kind\":\"infect\"");
    let elsewhere = whole.replacen("\"pcpus\":1", "\"pcpus\":0", 1);
    for (text, word) in [
        (newer.as_str(), "'heptavisor/trace/v2'"),
        (&damaged, "damaged: unknown variant `infect`"),
        (&elsewhere, "has 0 pcpus"),
        (&whole[..whole.len() / 9], "cut off before its first event"),
        ("hello", "is no trace"),
    ] {
        let (code, said) = refused(&Saved::with(text));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(word), "{word} is not in {said}");
    }
}

#[test]
fn of_a_trace_that_was_cut_off_the_rest_is_shown_with_a_word() {
    let whole = Saved::of(&V2).json();
    let cut = Saved::with(&whole[..whole.len() - 1000]);
    let output = lab(&["trace", &cut.file()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("cut off"), "{output:?}");
    assert!(text(&output.stdout).contains("pcpu 0"), "{output:?}");
    assert!(
        text(&output.stdout).contains("the file was cut off"),
        "{output:?}"
    );
}

#[test]
fn what_is_not_there_is_a_usage_error() {
    for arguments in [
        &["trace"][..],
        &["trace", "no-such.json"],
        &["trace", "v8"],
        &["trace", "diff", "no-such.json", "nor-this.json"],
    ] {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}
