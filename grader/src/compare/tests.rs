//! The table and the words, from made-up numbers.

use super::*;
use std::time::Duration;

fn own(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    let own = |(name, count): &(&str, u64)| (name.to_string(), *count);
    list.iter().map(own).collect()
}

fn software() -> Column {
    Column::new(
        Engine::Interp,
        Measured {
            took: Duration::from_millis(10),
            exits: own(&[("port-out", 20), ("deadline", 5), ("spin-loop", 7)]),
            traps: own(&[("out", 20), ("sti", 900), ("iretq", 100), ("spin loop", 7)]),
            injections: vec![(32, 100)],
            emulated: 0,
        },
        Ok(()),
    )
}

fn hardware() -> Column {
    let measured = Measured {
        took: Duration::from_millis(40),
        traps: vec![],
        exits: own(&[("port-out", 20), ("window-open", 3)]),
        emulated: 2,
        ..software().measured
    };
    Column::new(Engine::Kvm, measured, Ok(()))
}

fn comparison(columns: Vec<Column>) -> Comparison {
    Comparison {
        schema: SCHEMA,
        stage: "v7",
        workload: vec!["contended".into()],
        missing: (columns.len() == 1).then(|| "there is no /dev/kvm".into()),
        columns,
        kvm_lacks: vec!["this kvm loses the shadow of sti".into()],
        kvm_emulates: true,
    }
}

/// The numbers in the row with this label.
fn row(text: &str, label: &str) -> Vec<String> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(label));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no {label} in\n{text}"));
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .map(String::from)
        .collect()
}

/// All of it with single spaces for white space.
fn told(comparison: &Comparison) -> String {
    let text = comparison.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_has_what_each_engine_counted() {
    let text = comparison(vec![software(), hardware()]).to_string();
    for (label, cells) in [
        ("traps to your virtual CPU", ["1,027", "–"]),
        ("emulated there", ["1,000", "–"]),
        ("sti", ["900", "–"]),
        ("exits to the monitor", ["32", "23"]),
        ("port-out", ["20", "20"]),
        ("window-open", ["0", "3"]),
        ("spin-loop", ["7", "KVM's own"]),
        ("vector 32", ["100", "100"]),
        ("emulated, as KVM could not", ["–", "2"]),
        ("time", ["10.0 ms", "40.0 ms"]),
        ("events a second", ["103,200", "575"]),
    ] {
        assert_eq!(row(&text, label), cells, "{label}");
    }
}

#[test]
fn the_words_follow_from_the_numbers() {
    let text = told(&comparison(vec![software(), hardware()]));
    for words in [
        "emulated 1,000 events (sti, iretq)",
        "20 port-out, 3 window-open",
        "told of 7 loops of pause",
        "4 times as long",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn what_went_wrong_on_kvm_may_be_its_own_doing() {
    let mut hardware = hardware();
    hardware.wrong = Some("expected: 5 ticks; seen: 4".into());
    let text = told(&comparison(vec![software(), hardware]));
    for words in [
        "On kvm it went wrong: expected: 5 ticks",
        "the shadow of sti",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let text = told(&comparison(vec![software(), self::hardware()]));
    assert!(!text.contains("the shadow of sti"), "{text}");
}

#[test]
fn without_kvm_there_is_one_column_and_the_reason() {
    let text = comparison(vec![software()]).to_string();
    assert_eq!(row(&text, "port-out"), ["20"]);
    let text = told(&comparison(vec![software()]));
    assert!(
        text.contains("no column for kvm: there is no /dev/kvm"),
        "{text}"
    );
}
