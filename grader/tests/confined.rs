//! What a version's code could do if it came past the check of its words: it is
//! compiled here without that check.

mod support;

use lab::batch::Toolbox;
use lab::grade::Grading;
use lab::verdict::{Outcome, StageVerdict};
use support::scratch::Scratch;
use support::{stage, workspace};

/// The verdict on version 1 whose monitor does `code` when a guest begins.
fn with(code: &str) -> StageVerdict {
    const BEGIN: &str = "    loop {\n        let exit = pcpu.run(";
    let scratch = Scratch::of(&workspace());
    let name = "stages/v1-kernel-only/src/monitor.rs";
    let text = std::fs::read_to_string(scratch.workspace.root.join(name)).expect("a source");
    assert!(text.contains(BEGIN));
    let text = text.replacen(BEGIN, &format!("{code}\n{BEGIN}"), 1);
    scratch.write(name, &text);
    let grading = Grading {
        check: Some(String::from("console-is-right")),
        ..Grading::of(vec![stage("v1")])
    };
    let verdict = grading.run(&scratch.workspace, |_| {}).expect("a verdict");
    verdict.stages.into_iter().next().expect("a stage")
}

/// Whether this host can confine; if not, says so.
fn confines() -> bool {
    let lacks = evidence::confine::lacks();
    if !lacks.is_empty() {
        println!("skipped: this host lacks {lacks:?}");
    }
    lacks.is_empty()
}

#[test]
fn a_runner_opens_no_file_starts_no_program_and_asks_no_network() {
    if !confines() {
        return;
    }
    let verdict = with(
        "let reached = [\n\
         std::fs::read(\"/etc/passwd\").is_ok(),\n\
         std::fs::File::open(\"/proc/self/mem\").is_ok(),\n\
         std::fs::write(std::env::temp_dir().join(\"heptavisor-was-here\"), \"\").is_ok(),\n\
         std::process::Command::new(\"/bin/true\").spawn().is_ok(),\n\
         std::net::TcpListener::bind(\"127.0.0.1:0\").is_ok(),\n\
         ];\n\
         assert_eq!(reached, [false; 5]);",
    );
    let check = &verdict.checks[0];
    assert_eq!(check.outcome, Outcome::Pass, "{:?}", check.failure);
}

#[test]
fn evidence_that_a_version_writes_itself_is_not_believed() {
    let verdict = with(
        "use std::io::Write;\n\
         let mut file = std::fs::OpenOptions::new().append(true).open(\"evidence\").unwrap();\n\
         file.write_all(b\"{\\\"console\\\":\\\"50415353\\\"}\\n\").unwrap();\n\
         std::process::exit(0);",
    );
    let failure = verdict.checks[0].failure.as_ref().expect("a failure");
    assert!(
        failure.seen.contains("something else than the machine"),
        "{}",
        failure.seen
    );
}

#[test]
fn a_compiler_reads_neither_a_home_folder_nor_the_reference() {
    if !confines() {
        return;
    }
    let (tree, home) = (workspace(), tempfile::tempdir().expect("a folder"));
    let toolbox = Toolbox::prepare(&tree, &[stage("v1")]).expect("the clean tree");
    let launcher = env!("CARGO_BIN_EXE_lab").into();
    let toolbox = toolbox.confined_by(launcher).expect("a trial");
    if toolbox.compiler.reads_everything() {
        println!("skipped: this host's compiler works only if it may read all files");
        return;
    }
    let secret = home.path().join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    let reference = tree.root.join("stages/v1-kernel-only/src/lib.rs");
    let runner = tree.root.join("grader/runners/v1/src/main.rs");
    let compiles = |included: &std::path::Path| {
        let site = tempfile::tempdir().expect("a folder");
        let source = site.path().join("source.rs");
        std::fs::create_dir(site.path().join("scratch")).expect("a folder");
        let text = format!("pub const TEXT: &str = include_str!({included:?});\n");
        std::fs::write(&source, text).expect("a source");
        let mut compiler = toolbox.compiler.command(site.path());
        compiler.arg("--crate-type=lib").arg(&source);
        compiler
            .current_dir(site.path())
            .output()
            .expect("the compiler")
            .status
            .success()
    };
    let read = [&runner, &secret, &reference].map(|path| compiles(path));
    assert_eq!(read, [true, false, false]);
}
