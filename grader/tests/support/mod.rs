//! What the tests of the grader share: a scratch copy of the workspace, and
//! the bank of changes that are made to it.
#![allow(dead_code)] // each test program uses a part of it

pub mod bank;
pub mod scratch;

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

/// Version 1.
pub fn v1() -> &'static Stage {
    Stage::find("v1", &workspace()).expect("version 1 is there")
}

/// The sources of version 1 as their files' names and texts.
pub fn sources(workspace: &Workspace) -> Vec<(String, String)> {
    let files = lab::workspace::files_below(&v1().sources(workspace)).expect("sources");
    let text = |path| std::fs::read_to_string(path).expect("source text");
    files
        .iter()
        .map(|path| (workspace.relative(path), text(path)))
        .collect()
}
