//! A handout with the crates' sources needs no network.

mod support;

use lab::handout::Handout;
use std::path::Path;
use std::process::{Command, Output};
use support::workspace;

/// Cargo without a network, asked for all packages.
fn metadata(tree: &Path, home: Option<&Path>) -> Output {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    if let Some(home) = home {
        cargo.env("CARGO_HOME", home);
    }
    cargo
        .current_dir(tree)
        .args(["metadata", "--offline", "--locked", "--format-version=1"])
        .output()
        .expect("cargo")
}

#[test]
fn a_tree_with_its_crates_needs_neither_a_network_nor_what_cargo_has_stored() {
    if !metadata(&workspace().root, None).status.success() {
        println!("skipped: not all crates are on this host (`cargo fetch` gets them)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [plain, whole] = ["plain", "whole"].map(|name| folder.path().join(name));
    for (out, vendor) in [(&plain, false), (&whole, true)] {
        let handout = Handout {
            vendor,
            ..Handout::default()
        };
        handout.make(&workspace(), out).expect("a handout");
    }
    let empty = tempfile::tempdir().expect("a folder");
    let alone = metadata(&plain, Some(empty.path()));
    assert!(!alone.status.success(), "this test could not fail");
    let output = metadata(&whole, Some(empty.path()));
    assert!(output.status.success(), "{output:?}");

    let settings = std::fs::read_to_string(whole.join(".cargo/config.toml")).expect("settings");
    assert!(settings.contains("[alias]"), "{settings}");
    assert!(!settings.contains("//"), "it names a place: {settings}");
}
