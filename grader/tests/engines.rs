//! The same versions on the software CPU and on the host's KVM, as people see it.
//!
//! Where there is no KVM, or none that can run a version, a test says `skipped: …`.
//! With `kvm` in `HEPTAVISOR_REQUIRE` that is a failure.

mod support;

use common::Ending;
use evidence::Engine;
use guests::catalogue;
use lab::checks::Bench;
use lab::compile::{Compiled, compile};
use lab::engine;
use lab::fate::Fate;
use lab::guest::Guest;
use lab::observation::{Observation, observe};
use std::path::Path;
use std::process::{Command, Output};
use support::{kvm_can_run, stage, workspace};

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).output().expect("the lab command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A minute of the host's time, and on the software CPU as many instructions.
const LIMIT: u64 = 60_000_000;

fn run(runner: &Path, guest: Guest, engine: Engine) -> Observation {
    let mut order = guest.order(1).engine(engine).limit(LIMIT);
    order.scenario.patience = 100;
    observe(runner, &order, |_| {}).expect("a run")
}

/// Every guest of a version that ends by saying so prints the same on both.
fn prints_the_same(name: &str) {
    let stage = stage(name);
    if !kvm_can_run(stage) {
        return;
    }
    let Compiled::Runner(runner) = compile(stage, &workspace()).expect("a build") else {
        panic!("{name} does not compile");
    };
    for guest in Guest::made_for(stage) {
        let catalogue::Ending::Exit(code) = guest.expected(1).ending else {
            continue;
        };
        // What this one looks for is in no version's way: the number of a gate.
        if guest.name() == "no-gate" && !engine::probed().has(kvm::Ability::GateNumber) {
            continue;
        }
        let [software, hardware] =
            [Engine::Interp, Engine::Kvm].map(|engine| run(&runner, guest, engine));
        let [one, other] = [&software, &hardware].map(|run| text(&run.evidence.console));
        assert_eq!(one, other, "{name} {}", guest.name());
        let ended = Fate::Ended(Ending::Exited(code));
        assert_eq!(Fate::of(&hardware), ended, "{name} {}", guest.name());
    }
}

#[test]
fn the_guests_of_version_1_print_the_same_on_kvm() {
    prints_the_same("v1");
}

#[test]
fn the_guests_of_version_2_print_the_same_on_kvm() {
    prints_the_same("v2");
}

#[test]
fn an_unknown_engine_is_a_usage_error_that_names_the_engines() {
    for command in ["run", "grade"] {
        let output = lab(&[command, "v1", "--engine", "kvmm"]);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains("interp") && said.contains("'kvm'"), "{said}");
    }
}

#[test]
fn the_default_is_the_software_cpu_and_is_not_mentioned() {
    let output = lab(&["run", "v1", "--guest", "ports"]);
    let said = text(&output.stderr);
    assert!(!said.contains("engine") && !said.contains("kvm"), "{said}");
}

#[test]
fn what_only_the_software_cpu_can_do_is_refused_on_kvm() {
    if kvm_can_run(stage("v1")) {
        let output = lab(&["run", "v1", "--engine", "kvm", "--kick-at", "3"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("--kick-at makes no sense"));
    }
}

#[test]
fn a_guest_that_kvm_cannot_go_on_with_is_told_in_kvms_words() {
    if kvm_can_run(stage("v1")) {
        let output = lab(&["run", "v1", "--engine", "kvm", "--guest", "divide"]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        for words in ["triple fault", "div ecx", "rax ", "what happened last"] {
            assert!(said.contains(words), "{words} is not in\n{said}");
        }
    }
}

#[test]
fn a_trace_on_kvm_says_once_what_it_lacks_and_names_no_places() {
    if kvm_can_run(stage("v1")) {
        let output = lab(&[
            "run", "v1", "--engine", "kvm", "--guest", "ports", "--trace",
        ]);
        let said = text(&output.stderr);
        assert_eq!(said.matches("on kvm a trace has").count(), 1, "{said}");
        assert!(said.contains("exit    port-out") && !said.contains("trap  "));
        let last_column =
            |line: &str| line.trim_start().starts_with("time") && line.ends_with("what");
        assert!(said.lines().any(last_column), "{said}");
    }
}

#[test]
fn a_check_on_kvm_runs_its_guests_there() {
    let (stage, workspace) = (stage("v1"), workspace());
    if !kvm_can_run(stage) {
        return;
    }
    let Compiled::Runner(runner) = compile(stage, &workspace).expect("a build") else {
        panic!("v1 does not compile");
    };
    let traps = |engine| {
        let bench = Bench::new(&workspace, stage.name, &runner, 1, engine);
        let guest = guests::v1::guest("ports").expect("a guest");
        let run = bench.run(guest, 1, |order| order).expect("a run");
        assert!(run.exits().count() > 100);
        run.traps().count()
    };
    assert_eq!(traps(Engine::Kvm), 0, "hardware shows no trap");
    assert!(traps(Engine::Interp) > 100);
}

#[test]
fn a_verdict_names_its_engine_and_counts_skipped_points_apart() {
    let stage = stage("v2");
    let output = lab(&["grade", stage.name, "--engine", "kvm", "--json"]);
    let verdict = json(&output);
    assert_eq!(verdict["engine"], "kvm");
    let graded = &verdict["stages"][0];
    assert_eq!(graded["engine"], "kvm");
    let number = |name: &str| graded[name].as_u64().expect("a number");
    assert_eq!(number("of") + number("skipped"), 100);
    if kvm_can_run(stage) {
        assert_eq!(output.status.code(), Some(0), "{verdict:#}");
        assert!(number("of") > 0 && number("points") == number("of"));
        let checks = graded["checks"].as_array().expect("checks");
        let skipped = checks.iter().find(|check| check["outcome"] == "skipped");
        let reason = &skipped.expect("a check that kvm cannot make")["reason"];
        assert!(reason.as_str().expect("why").contains("kvm"));
    }
}

#[test]
fn a_version_that_kvm_cannot_run_is_skipped_and_neither_right_nor_wrong() {
    let third = stage("v3");
    let Some(lack) = engine::lack(engine::probed(), third) else {
        eprintln!("skipped: this kvm can run every version");
        return;
    };
    let output = lab(&["grade", "v3", "--engine", "kvm"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.contains(&format!("skipped: {lack}")), "{said}");
    assert!(said.contains(&lack.mend), "{said}");

    let output = lab(&["run", "v3", "--engine", "kvm"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains(&lack.what));

    let output = lab(&["run", "v3", "--engine", "auto", "--guest", "segments"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stderr).contains(&format!("engine: interp, as {lack}")));
}

#[test]
fn doctor_says_of_each_version_whether_kvm_runs_it_and_is_content_without() {
    let output = lab(&["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    for version in 1..=7 {
        assert!(said.contains(&format!("v{version} on kvm")), "{said}");
    }
    assert!(!said.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn a_comparison_has_what_was_counted_on_each_engine() {
    let stage = stage("v2");
    let output = lab(&["compare", stage.name, "--guest", "idle", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let comparison = json(&output);
    assert_eq!(comparison["schema"], "heptavisor/comparison/v1");
    let columns = comparison["columns"].as_array().expect("columns");
    let count = |column: usize, list: &str, name: &str| {
        let list = columns[column]["measured"][list]
            .as_array()
            .expect("a list");
        let found = list.iter().find(|entry| entry[0] == name);
        found.and_then(|entry| entry[1].as_u64()).unwrap_or(0)
    };
    let naps = count(0, "exits", "halted");
    assert!(
        naps > 10 && count(0, "traps", "hlt") == naps,
        "{comparison:#}"
    );
    if kvm_can_run(stage) {
        // A busy host lets two ticks become one.
        let there = count(1, "exits", "halted");
        assert!((1..=naps).contains(&there), "{comparison:#}");
        assert_eq!(columns[1]["measured"]["traps"], serde_json::json!([]));
    } else {
        assert!(comparison["missing"].is_string(), "{comparison:#}");
    }
}
