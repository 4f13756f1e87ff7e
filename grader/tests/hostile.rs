//! A bank of hostile submissions: whatever one does, it gets its right verdict,
//! the others get theirs, and nothing outside is touched.

mod support;

use lab::batch::record::{Record, StageRecord};
use lab::batch::{Batch, Toolbox};
use lab::cli::EngineName;
use lab::grade::SEED;
use lab::submission::discover;
use lab::verdict::Outcome;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use support::{stage, workspace};

/// What must become of a submission.
enum Verdict {
    /// All points: what it does besides is its own affair.
    Full,
    /// It runs, and loses points where it misbehaves; the host is not to blame.
    Fails,
    /// It is not run; this is said.
    Rejected(&'static str),
}

use Verdict::{Fails, Full, Rejected};

/// Where a guest has begun to run.
const BEGIN: &str = "    loop {\n        let exit = pcpu.run(";
/// Where a guest has halted: few checks get there, so most points are safe.
const HALTED: &str = "            return ControlFlow::Break(Ending::Halted);";

/// Hostile code for the reference's `monitor.rs`: name, place, code, verdict.
const BANK: &[(&str, &str, &str, Verdict)] = &[
    ("prints-pass", BEGIN, "println!(\"PASS 100/100\");", Full),
    (
        "prints-what-is-no-text",
        BEGIN,
        "let _ = std::io::Write::write_all(&mut std::io::stdout(), &[0xff, 0xfe, 0]);",
        Full,
    ),
    (
        "claims-success",
        BEGIN,
        "if host.deadline().0 > 0 { return Ending::Exited(0); }",
        Fails,
    ),
    ("floods", HALTED, "loop { println!(\"PASS\"); }", Fails),
    (
        "sleeps-for-ever",
        HALTED,
        "loop { std::thread::sleep(std::time::Duration::from_secs(1)); }",
        Fails,
    ),
    (
        "allocates-everything",
        HALTED,
        "let mut all = Vec::new(); loop { all.push(vec![1_u8; 1 << 20]); }",
        Fails,
    ),
    (
        "panics-in-drop",
        HALTED,
        "struct Bomb; impl Drop for Bomb { fn drop(&mut self) { panic!(\"again\") } } \
         let _bomb = Bomb; panic!(\"first\");",
        Fails,
    ),
    (
        "writes-results",
        BEGIN,
        "let _ = std::fs::write(\"evidence\", \"PASS\");",
        Rejected("`std::fs` is refused"),
    ),
    (
        "fills-the-disk",
        BEGIN,
        "use std::{fmt, fs::File}; let _ = File::create(\"x\");",
        Rejected("`std::fs` is refused"),
    ),
    (
        "exits-early",
        BEGIN,
        "std::process::exit(0);",
        Rejected("`std::process` is refused"),
    ),
    (
        "forks",
        BEGIN,
        "let _ = std::process::Command::new(\"sh\").spawn();",
        Rejected("`std::process` is refused"),
    ),
    (
        "opens-a-connection",
        BEGIN,
        "let _ = std::net::TcpStream::connect(\"127.0.0.1:1\");",
        Rejected("`std::net` is refused"),
    ),
    (
        "closes-the-channel",
        BEGIN,
        "for n in 0..99 { drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(n) }); }",
        Rejected("the word `unsafe` is refused"),
    ),
    (
        "reads-a-file-of-the-host",
        BEGIN,
        "println!(\"{}\", include_str!(\"/etc/passwd\"));",
        Rejected("the word `include_str` is refused"),
    ),
    (
        "reads-a-variable",
        BEGIN,
        "println!(\"{}\", env!(\"HOME\"));",
        Rejected("the word `env` is refused"),
    ),
    (
        "takes-the-reference",
        BEGIN,
        "#[path = \"/x/stages/v1-kernel-only/src/lib.rs\"] mod reference;",
        Rejected("the attribute `path` is refused"),
    ),
    (
        "does-not-compile",
        BEGIN,
        "let x: u8 = \"\";",
        Rejected("mismatched types"),
    ),
];

/// Writes the reference of version 1, edited, as the submission `name`.
fn submit(folder: &Path, name: &str, edit: impl Fn(&str, String) -> Option<String>) {
    for (file, text) in support::sources(stage("v1"), &workspace()) {
        let path = folder.join(name).join(&file);
        if let Some(text) = edit(&file, text) {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a source");
        }
    }
}

fn with(place: &str, code: &str) -> impl Fn(&str, String) -> Option<String> {
    let edited = format!("{code}\n{place}");
    let place = place.to_string();
    move |file, text| match file.ends_with("/monitor.rs") {
        true => {
            assert!(text.contains(&place), "{file} has no '{place}'");
            Some(text.replacen(&place, &edited, 1))
        }
        false => Some(text),
    }
}

fn graded(folder: &Path) -> BTreeMap<String, Record> {
    let stages = vec![stage("v1")];
    let out = folder.join("results");
    let launcher = env!("CARGO_BIN_EXE_lab").into();
    let batch = Batch {
        toolbox: Toolbox::prepare(&workspace(), &stages)
            .expect("the clean tree")
            .confined_by(launcher)
            .expect("a trial"),
        stages,
        seed: SEED,
        engine: EngineName::Interp,
        out,
        jobs: 2,
        own: true,
    };
    let submissions = discover(&folder.join("class")).expect("the class");
    let records = batch.run(&submissions, |_| {}).expect("records");
    let named = |record: Record| (record.submission.clone(), record);
    records.into_iter().map(named).collect()
}

fn only(record: &Record) -> &StageRecord {
    assert!(!record.has_errors(), "the host failed: {record:?}");
    &record.stages[0]
}

fn is_right(name: &str, record: &Record, verdict: &Verdict) {
    let StageRecord { result, .. } = only(record);
    println!("{name}: {} points", result.points);
    match verdict {
        Full => assert_eq!(result.points, 100, "{name}"),
        Fails => {
            assert!(result.compiles, "{name}: {:?}", result.diagnostics);
            let failed = |outcome| outcome == Outcome::Fail;
            assert!(result.points < 100, "{name}");
            assert!(result.checks.iter().any(|check| failed(check.outcome)));
        }
        Rejected(why) => {
            let said = result.diagnostics.as_deref().unwrap_or_default();
            assert!(said.contains(why), "{name}: {said}");
            assert_eq!((result.points, result.compiles), (0, false), "{name}");
        }
    }
}

#[test]
fn each_hostile_submission_gets_its_right_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path().join("class");
    for (name, place, code, _) in BANK {
        submit(&class, name, with(place, code));
    }
    let records = graded(folder.path());
    for (name, _, _, verdict) in BANK {
        is_right(name, &records[*name], verdict);
    }
    // A claim is worth nothing: what is left is the check of the prepared context.
    assert_eq!(only(&records["claims-success"]).result.points, 10);
    // Most of a version is not touched by what happens when a guest halts.
    assert!(only(&records["allocates-everything"]).result.points > 50);
}

#[test]
fn what_is_no_source_of_a_stage_has_no_effect_and_what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path().join("class");
    submit(&class, "brings-its-own-build", |_, text| Some(text));
    let stage_folder = class.join("brings-its-own-build/stages/v1-kernel-only");
    for (file, text) in [
        ("build.rs", "fn main() { panic!() }"),
        ("Cargo.toml", "[package]\nbuild = \"build.rs\""),
        (".cargo/config.toml", "[build]\nrustc = \"/bin/false\""),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"none\""),
        (".config/insta.yaml", "behavior:\n  force_pass: true"),
    ] {
        let path = stage_folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    // Too deep for the compiler's stack.
    let deep = format!(
        "pub fn f() -> u64 {{ {}1{} }}",
        "(".repeat(60_000),
        ")".repeat(60_000)
    );
    submit(&class, "breaks-the-compiler", |file, text| {
        Some(match file.ends_with("/lib.rs") {
            true => format!("{text}\n{deep}\n"),
            false => text,
        })
    });
    let without =
        |end: &'static str| move |file: &str, text| (!file.ends_with(end)).then_some(text);
    submit(&class, "lacks-a-file", without("/prepare.rs"));
    submit(&class, "lacks-the-root", without("/lib.rs"));
    submit(&class, "changes-its-face", |_, text| {
        Some(text.replace("pub fn run<", "pub fn run_guest<"))
    });
    let file = fs::File::create(class.join("leads-out.zip")).expect("a zip file");
    let mut zip = zip::ZipWriter::new(file);
    let options = zip::write::SimpleFileOptions::default();
    let out = "../../../stages/v1-kernel-only/src/lib.rs";
    zip.start_file(out, options).expect("an entry");
    zip.write_all(b"evil").expect("an entry");
    let inside = "stages/v1-kernel-only/src/lib.rs";
    zip.add_symlink(inside, "/etc/passwd", options)
        .expect("an entry");
    zip.finish().expect("a zip file");

    let records = graded(folder.path());
    is_right(
        "brings-its-own-build",
        &records["brings-its-own-build"],
        &Full,
    );
    for (name, why) in [
        ("lacks-a-file", "file not found for module `prepare`"),
        (
            "breaks-the-compiler",
            "the compiler breaks down on this code",
        ),
        ("lacks-the-root", "src/lib.rs' was not handed in"),
        ("changes-its-face", "its public face has changed"),
        ("leads-out", "v1 was not handed in"),
    ] {
        is_right(name, &records[name], &Rejected(why));
    }
    let notes = records["leads-out"].notes.join("\n");
    assert!(notes.contains("`..`") && notes.contains("link"), "{notes}");
}
