//! What the tests of the grader share: a scratch copy of the workspace, variants
//! of the versions in it, and work side by side.
#![allow(dead_code)] // each test program uses a part of it

pub mod scratch;
pub mod variant;

use lab::bank::{self, Change};
use lab::checks::Course;
use lab::commands::selftest::TOLD;
use lab::engine;
use lab::stages::Stage;
use lab::workspace::Workspace;
use std::path::Path;

/// The tree that is being tested.
pub fn workspace() -> Workspace {
    let grader = Path::new(env!("CARGO_MANIFEST_DIR"));
    Workspace::at(
        grader
            .parent()
            .expect("the grader is a folder of the workspace"),
    )
}

/// A version of this tree.
pub fn stage(name: &str) -> &'static Stage {
    Stage::find(name, &workspace()).expect("the version is there")
}

/// The versions that can be graded. `HEPTAVISOR_STAGE=v5` asks for one of them.
pub fn graded() -> Vec<&'static Stage> {
    let only = std::env::var("HEPTAVISOR_STAGE").unwrap_or_default();
    let all = Stage::all_in(&workspace()).into_iter();
    let graded = all.filter(|stage| Course::of(stage).is_some() && stage.name.contains(&only));
    let graded: Vec<_> = graded.collect();
    assert!(!graded.is_empty(), "no version '{only}' can be graded");
    graded
}

/// Whether this host's KVM can run a version. If not, says so; with `kvm` in
/// `HEPTAVISOR_REQUIRE` that is a failure.
pub fn kvm_can_run(stage: &Stage) -> bool {
    let Some(lack) = engine::lack(engine::probed(), stage) else {
        return true;
    };
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word == "kvm"),
        "HEPTAVISOR_REQUIRE names kvm, but {lack}"
    );
    eprintln!("skipped: {lack}");
    false
}

/// Says how far a test has come: `cargo lab selftest` shows these lines.
pub fn tell(text: &str) {
    println!("{TOLD}{text}");
}

/// The bank's changes of a version, by name.
pub fn changes(stage: &Stage) -> Vec<Change> {
    bank::changes(stage, &workspace()).expect("the bank")
}

/// The sources of a version as their files' names and texts.
pub fn sources(stage: &Stage, workspace: &Workspace) -> Vec<(String, String)> {
    let files = lab::workspace::files_below(&stage.sources(workspace)).expect("sources");
    let text = |path| std::fs::read_to_string(path).expect("source text");
    files
        .iter()
        .map(|path| (workspace.relative(path), text(path)))
        .collect()
}
