//! The pictures of LABS, each made from its chapter's own workload.
//!
//! They stand in `grader/pictures`. A run with `INSTA_UPDATE=always` makes them
//! anew, as it does with the snapshots.

use super::{lab, text};
use std::path::{Path, PathBuf};

/// A picture's name, and the command that makes it.
const PICTURES: [(&str, &str); 8] = [
    ("v1", "v1 --from 398000 --to 432000"),
    ("v2", "v2 --from 119500 --to 122500"),
    ("v3", "v3 --from 43900 --to 44200"),
    ("v4", "v4 --guest sleepers --to 60000"),
    ("v5", "v5 --to 400000"),
    ("v6", "v6 --to 400000"),
    (
        "v7",
        "v7 --vm contended --vm hog --vm hog:seed=2 --from 55000 --to 155000",
    ),
    (
        "v7-spin-exits",
        "v7 --vm contended --vm hog --vm hog:seed=2 --policy spin-exits --from 55000 --to 155000",
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures")
}

/// What the command draws now.
fn drawn(command: &str) -> String {
    let words: Vec<_> = command.split(' ').collect();
    let output = lab(&[&["trace"], &words[..], &["--svg", "-"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_pictures_of_labs_are_what_the_versions_do_now() {
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    for (name, command) in PICTURES {
        let path = folder().join(name).with_extension("svg");
        let now = drawn(command);
        if update {
            std::fs::write(&path, &now).expect("a picture");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == now,
            "{name}.svg is stale: look at `cargo lab trace {command} --svg now.svg`, and if that is \
             right, make all pictures anew with `INSTA_UPDATE=always cargo test -p lab --test trace \
             pictures`"
        );
    }
}

#[test]
fn every_picture_stands_in_labs_with_its_command() {
    let labs = folder().join("../../LABS.md");
    let labs = std::fs::read_to_string(labs).expect("LABS.md");
    for (name, command) in PICTURES {
        assert!(
            labs.contains(&format!("(grader/pictures/{name}.svg)")),
            "{name}"
        );
        assert!(
            labs.contains(&format!("`cargo lab trace {command} --svg")),
            "{name}: {command}"
        );
    }
    let files = std::fs::read_dir(folder()).expect("the pictures").count();
    assert_eq!(files, PICTURES.len(), "none is left over");
}
