//! What is said of made-up numbers.

use super::*;
use evidence::{Engine, Measured};
use std::time::Duration;

fn column(stage: &'static str, syscalls: u64, exits: u64) -> Column {
    let measured = Measured {
        took: Duration::from_millis(10),
        exits: vec![("port-out".into(), exits)],
        traps: vec![("out".into(), exits), ("syscall".into(), syscalls)],
        injections: vec![],
        emulated: 0,
    };
    Column::new(Engine::Interp, measured, Ok(())).of_stage(stage)
}

fn difference(columns: [Column; 2]) -> Difference {
    let module = |name: &str, lines| Module {
        name: name.into(),
        about: format!("what {name} is for"),
        lines,
        code: vec![],
    };
    let size = |stage, lines| Size { stage, lines };
    Difference {
        schema: SCHEMA,
        older: "v2",
        older_title: "timer IRQ",
        newer: "v3",
        newer_title: "user thread",
        code: Code {
            modules: vec![module("lib", 12), module("mode", 34)],
            sizes: vec![size("v2", 593), size("v3", 46)],
            new_names: vec!["Mode".into()],
            from_below: vec![FromBelow {
                stage: "v2",
                paths: vec!["Frame".into()],
            }],
        },
        workload: "ticks".into(),
        columns: columns.into(),
        first: First {
            workload: "user".into(),
            older: "the guest died".into(),
            newer: "the guest exited with success".into(),
        },
    }
}

fn told(difference: &Difference) -> String {
    let text = difference.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn code_and_behaviour_are_told_side_by_side() {
    let text = told(&difference([column("v2", 0, 20), column("v3", 1_000, 20)]));
    for words in [
        "34 mode what mode is for",
        "593 all of v2 46 all of v3",
        "1 new public names: Mode",
        "uses of v2: Frame",
        "v2 v3 traps to your virtual CPU 20 1,020",
        "syscall 0 1,000",
        "port-out 20 20",
        "1 kind of event differs in number: syscall.",
        "on v2 the guest died on v3 the guest exited with success",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn nothing_is_said_of_kvm_in_a_table_of_versions() {
    let text = told(&difference([column("v2", 5, 20), column("v3", 5, 20)]));
    assert!(!text.to_lowercase().contains("kvm"), "{text}");
    assert!(text.contains("Not one trap or exit is different"), "{text}");
}

#[test]
fn a_guest_that_went_wrong_is_told() {
    let mut newer = column("v3", 5, 20);
    newer.wrong = Some("expected: 5 ticks; seen: 4".into());
    let text = told(&difference([column("v2", 5, 20), newer]));
    assert!(
        text.contains("on v3 it went wrong: expected: 5 ticks"),
        "{text}"
    );
}
