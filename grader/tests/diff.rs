//! Differences of versions of this tree: what is counted is what is there.

mod support;

use lab::difference::{Code, Source};
use serde_json::Value;
use std::process::{Command, Output};
use support::{graded, stage, workspace};

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).output().expect("the lab command")
}

fn json(arguments: &[&str]) -> Value {
    let output = lab(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_module_has_lines_and_a_purpose() {
    for stage in graded() {
        let source = Source::read(stage, &workspace()).expect("sources");
        for module in &source.modules {
            let name = format!("{}: {}", stage.name, module.name);
            assert!(module.lines > 0 && !module.about.is_empty(), "{name}");
            assert!(
                !name.ends_with("tests") && !name.ends_with("testing"),
                "{name}"
            );
        }
        let sum: usize = source.modules.iter().map(|module| module.lines).sum();
        assert_eq!(sum, source.lines());
    }
}

/// The lesson of version 4: its virtual CPU and monitor are version 3's.
#[test]
fn version_4_takes_its_virtual_cpu_from_version_3() {
    let code = Code::of(stage("v3"), stage("v4"), &workspace()).expect("sources");
    let [below] = &code.from_below[..] else {
        panic!("{:?}", code.from_below);
    };
    assert_eq!(below.stage, "v3");
    assert!(below.paths.contains(&"VirtualCpu".into()), "{below:?}");
    assert!(!code.new_names.contains(&"VirtualCpu".into()), "{code:?}");
}

/// What "Looking back" says of each version but the first.
#[test]
fn the_manual_knows_how_long_each_version_is() {
    let manual = std::fs::read_to_string(workspace().root.join("LABS.md")).expect("LABS.md");
    for stage in graded().into_iter().filter(|stage| stage.number() > 1) {
        let source = Source::read(stage, &workspace()).expect("sources");
        let said = format!("{} lines", source.lines());
        let name = stage.name;
        assert!(
            manual.contains(&said),
            "{name} has {said}: say so in its \"Looking back\""
        );
    }
}

#[test]
fn both_versions_run_the_workload_and_only_the_newer_one_its_own() {
    let found = json(&["diff", "v2", "v3"]);
    assert_eq!(found["workload"], "ticks");
    let count = |column: usize, list: &str, name: &str| {
        let list = found["columns"][column]["measured"][list]
            .as_array()
            .expect("a list");
        let pair = list.iter().find(|pair| pair[0] == name).expect(name);
        pair[1].as_u64().expect("a number")
    };
    for (list, name) in [("traps", "iretq"), ("exits", "mmio"), ("exits", "port-out")] {
        assert_eq!(count(0, list, name), count(1, list, name), "{name}");
        assert!(count(0, list, name) > 0);
    }
    let text = |field: &str| found["first"][field].as_str().expect("text").to_string();
    assert_eq!(text("workload"), "user");
    assert!(text("older").contains("unsupported"), "{found}");
    assert!(text("newer").contains("success"), "{found}");
}

#[test]
fn from_version_5_on_the_guest_is_a_set_of_one_vm() {
    let found = json(&["diff", "v4", "v6", "--guest", "segments"]);
    let exits = |column: usize| {
        let exits = found["columns"][column]["measured"]["exits"]
            .as_array()
            .expect("exits");
        exits
            .iter()
            .find(|pair| pair[0] == "port-out")
            .expect("port-out")[1]
            .clone()
    };
    assert_eq!(exits(0), exits(1));
    let sizes = found["code"]["sizes"].as_array().expect("sizes");
    assert_eq!(sizes.len(), 3, "v4, v5 and v6: {sizes:?}");
}

#[test]
fn the_order_of_the_two_does_not_matter() {
    let text = |arguments: &[&str]| {
        let found = json(arguments);
        (
            found["older"].clone(),
            found["newer"].clone(),
            found["code"].clone(),
        )
    };
    assert_eq!(text(&["diff", "v2", "v1"]), text(&["diff", "v1", "v2"]));
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_to_do() {
    for (arguments, words) in [
        (&["diff", "v3", "v3"][..], "name two that differ"),
        (&["diff", "v3", "v33"], "'v33'"),
        (
            &["diff", "v3", "v4", "--guest", "cooperate"],
            "only v4 can run it",
        ),
        (&["diff", "v1", "v2", "--guest", "tickz"], "'tickz'"),
    ] {
        let output = lab(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{said}");
    }
}
