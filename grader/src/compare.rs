//! The same workload on every engine that works here, in numbers.
//!
//! All numbers are what the machine counted in these runs. What the words below
//! the table say follows from them.

use crate::checks::Problem;
use common::Time;
use evidence::{Engine, Measured};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// The format of the JSON.
pub const SCHEMA: &str = "heptavisor/comparison/v1";

/// One workload on several engines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The version that ran it.
    pub stage: &'static str,
    /// The guests.
    pub workload: Vec<String>,
    /// One for each engine that was there.
    pub columns: Vec<Column>,
    /// Why there is no column for kvm, if there is none, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// This KVM has no hardware below it, as far as one can tell.
    pub kvm_emulates: bool,
}

/// A run on one engine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Column {
    /// The engine.
    pub engine: Engine,
    /// What was counted.
    pub measured: Measured,
    /// What the guests did that their models do not; `None` if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

impl Column {
    /// What was measured on an engine, and whether the guests did right there.
    pub fn new(engine: Engine, measured: Measured, judged: Result<(), Problem>) -> Column {
        let wrong = judged.err().map(|problem| match problem {
            Problem::Failed(failure) => {
                format!("expected: {}; seen: {}", failure.expected, failure.seen)
            }
            Problem::Lab(error) => error.to_string(),
        });
        Column {
            engine,
            measured,
            wrong,
        }
    }

    /// Traps that a virtual CPU makes exits of; all others it emulates by itself.
    fn is_handed_on(trap: &str) -> bool {
        ["in", "out", "hlt", "mmio", "spin loop"].contains(&trap)
            || trap.starts_with("ins")
            || trap.starts_with("outs")
    }

    fn exits(&self) -> u64 {
        sum(&self.measured.exits)
    }

    fn traps(&self) -> u64 {
        sum(&self.measured.traps)
    }

    fn emulated(&self) -> impl Iterator<Item = &(String, u64)> {
        let traps = self.measured.traps.iter();
        traps.filter(|(name, _)| !Column::is_handed_on(name))
    }

    /// How many events took the CPU from the guest: on the software CPU each is a
    /// trap, or the end of the time given.
    fn events(&self) -> u64 {
        let of_time = |kind: &str| ["deadline", "window-open", "kicked"].contains(&kind);
        let timed = self
            .measured
            .exits
            .iter()
            .filter(|(kind, _)| of_time(kind))
            .map(|(_, count)| count);
        match self.engine {
            Engine::Interp => self.traps() + timed.sum::<u64>(),
            Engine::Kvm => self.exits(),
        }
    }

    fn events_a_second(&self) -> u64 {
        let nanoseconds = self.measured.took.as_nanos().max(1);
        u64::try_from(u128::from(self.events()) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }
}

fn sum(list: &[(String, u64)]) -> u64 {
    list.iter().map(|(_, count)| count).sum()
}

fn count_of<'a>(list: impl IntoIterator<Item = &'a (String, u64)>, name: &str) -> u64 {
    let found = list.into_iter().find(|(known, _)| known == name);
    found.map_or(0, |(_, count)| *count)
}

impl Comparison {
    fn column(&self, engine: Engine) -> Option<&Column> {
        self.columns.iter().find(|column| column.engine == engine)
    }

    /// As JSON, with a line end.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a comparison is made of strings and numbers") + "\n"
    }

    /// Names that appear in any column, in the order of their first appearance.
    fn names(&self, list: impl Fn(&Column) -> Vec<String>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let all = self.columns.iter().flat_map(list);
        all.filter(|name| seen.insert(name.clone())).collect()
    }
}

/// The table, and what it says in words.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.stage, self.workload.join(", "))?;
        Table(self).fmt(f)?;
        for text in self.words() {
            writeln!(f, "\n{text}")?;
        }
        Ok(())
    }
}

/// The numbers, a row for each kind of event and a column for each engine.
struct Table<'a>(&'a Comparison);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0;
        self.row(f, "", |column| column.engine.to_string())?;
        self.row(f, "traps to your virtual CPU", |column| {
            software(column, Column::traps)
        })?;
        let emulated = |column: &Column| software(column, |one| sum_of(one.emulated()));
        self.row(f, "  emulated there", emulated)?;
        for name in all.names(|column| names(column.emulated())) {
            let label = format!("    {name}");
            self.row(f, &label, |column| {
                software(column, |one| count_of(one.emulated(), &name))
            })?;
        }
        self.row(f, "exits to the monitor", |column| number(column.exits()))?;
        for kind in all.names(|column| names(&column.measured.exits)) {
            let label = format!("  {kind}");
            self.row(f, &label, |column| exits(column, &kind))?;
        }
        self.row(f, "interrupts injected", |column| {
            let injections = column.measured.injections.iter();
            number(injections.map(|(_, count)| count).sum())
        })?;
        self.vectors(f)?;
        self.row(f, "emulated, as KVM could not", |column| {
            match column.engine {
                Engine::Interp => String::from("–"),
                Engine::Kvm => number(column.measured.emulated),
            }
        })?;
        self.row(f, "time", |column| {
            format!("{:.1} ms", column.measured.took.as_secs_f64() * 1_000.0)
        })?;
        self.row(f, "events a second", |column| {
            number(column.events_a_second())
        })
    }
}

impl Table<'_> {
    fn vectors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.columns.iter();
        let all: BTreeSet<u8> = columns
            .flat_map(|column| column.measured.injections.iter().map(|(vector, _)| *vector))
            .collect();
        for vector in all {
            self.row(f, &format!("  vector {vector}"), |column| {
                let mut injections = column.measured.injections.iter();
                let found = injections.find(|(known, _)| *known == vector);
                number(found.map_or(0, |(_, count)| *count))
            })?;
        }
        Ok(())
    }

    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        label: &str,
        cell: impl Fn(&Column) -> String,
    ) -> fmt::Result {
        let mut line = format!("  {label:28}");
        for column in &self.0.columns {
            write!(line, " {:>14}", cell(column))?;
        }
        writeln!(f, "{}", line.trim_end())
    }
}

fn number(count: u64) -> String {
    Time(count).to_string() // a time groups its digits
}

/// A number that only the software CPU has.
fn software(column: &Column, count: impl Fn(&Column) -> u64) -> String {
    match column.engine {
        Engine::Interp => number(count(column)),
        Engine::Kvm => String::from("–"),
    }
}

/// Exits of one kind. Loops of `pause` are not for us to see on KVM.
fn exits(column: &Column, kind: &str) -> String {
    match (column.engine, kind) {
        (Engine::Kvm, "spin-loop") => String::from("KVM's own"),
        _ => number(count_of(&column.measured.exits, kind)),
    }
}

fn sum_of<'a>(list: impl Iterator<Item = &'a (String, u64)>) -> u64 {
    list.map(|(_, count)| count).sum()
}

fn names<'a>(list: impl IntoIterator<Item = &'a (String, u64)>) -> Vec<String> {
    list.into_iter().map(|(name, _)| name.clone()).collect()
}

impl Comparison {
    /// What the table says, in paragraphs.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for column in &self.columns {
            if let Some(wrong) = &column.wrong {
                words.push(format!("On {} it went wrong: {wrong}.", column.engine));
            }
        }
        match (self.column(Engine::Interp), self.column(Engine::Kvm)) {
            (Some(software), Some(hardware)) => {
                words.push(vanished(software, self.kvm_emulates));
                words.push(remained(hardware));
                words.extend(kept(software));
                words.extend(self.time(software, hardware));
            }
            _ => words.extend(self.missing.as_ref().map(|why| {
                format!(
                    "There is no column for kvm: {why}. What is emulated above is what it would \
                     take over."
                )
            })),
        }
        words
    }

    fn time(&self, software: &Column, hardware: &Column) -> Option<String> {
        let [slow, fast] = [hardware, software].map(|column| column.measured.took.as_secs_f64());
        match (self.kvm_emulates, slow > fast) {
            (true, true) => Some(format!(
                "kvm took {:.0} times as long. This KVM has no hardware below it: it emulates the \
                 guest's kernel itself, and each exit goes a longer way (see \"What PVM is\" in \
                 LABS.md).",
                slow / fast.max(1e-9)
            )),
            _ => None,
        }
    }
}

/// What the hardware took over.
fn vanished(software: &Column, kvm_emulates: bool) -> String {
    let whose = match kvm_emulates {
        true => "the CPU's own, or where no hardware is below, as here, KVM's",
        false => "the CPU's own",
    };
    let emulated = sum_of(software.emulated());
    match emulated {
        0 => String::from(
            "Nothing was emulated: every trap of this workload is an exit to the monitor, and \
             hardware does not change that. What vanished is your virtual CPU, which makes the \
             exits; on kvm the CPU makes them.",
        ),
        _ => {
            let names = names(software.emulated());
            format!(
                "Your virtual CPU emulated {} events ({}). On kvm none of this code ran: that \
                 state is {whose}.",
                number(emulated),
                names.join(", ")
            )
        }
    }
}

/// What is left for the monitor.
fn remained(hardware: &Column) -> String {
    let kinds: Vec<_> = hardware
        .measured
        .exits
        .iter()
        .map(|(kind, count)| format!("{} {kind}", number(*count)))
        .collect();
    format!(
        "What remains is what a VMM is for: devices, time, and who runs next. These are the exits \
         on kvm: {}.",
        kinds.join(", ")
    )
}

/// What KVM does not tell.
fn kept(software: &Column) -> Option<String> {
    let loops = count_of(&software.measured.exits, "spin-loop");
    (loops > 0).then(|| {
        format!(
            "The software CPU told of {} loops of pause. A CPU with PAUSE-loop exiting tells KVM \
             of them, and KVM keeps that to itself: it lets another vCPU run, and no monitor \
             hears of it.",
            number(loops)
        )
    })
}

#[cfg(test)]
mod tests {
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
        let text = comparison(vec![software(), hardware()]).to_string();
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
    fn without_kvm_there_is_one_column_and_the_reason() {
        let text = comparison(vec![software()]).to_string();
        assert_eq!(row(&text, "port-out"), ["20"]);
        assert!(
            text.contains("no column for kvm: there is no /dev/kvm"),
            "{text}"
        );
    }
}
