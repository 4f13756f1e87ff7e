//! The numbers as a table.

use super::{Column, count_of, names, number, sum_of};
use evidence::Engine;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// The numbers, a row for each kind of event and a column for each run.
pub(crate) struct Table<'a>(pub(crate) &'a [Column]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row(f, "", Column::head)?;
        self.row(f, "traps to your virtual CPU", |column| {
            software(column, Column::traps)
        })?;
        let emulated = |column: &Column| software(column, |one| sum_of(one.emulated()));
        self.row(f, "  emulated there", emulated)?;
        for name in self.names(|column| names(column.emulated())) {
            let label = format!("    {name}");
            self.row(f, &label, |column| {
                software(column, |one| count_of(one.emulated(), &name))
            })?;
        }
        self.row(f, "exits to the monitor", |column| number(column.exits()))?;
        for kind in self.names(|column| names(&column.measured.exits)) {
            let label = format!("  {kind}");
            self.row(f, &label, |column| exits(column, &kind))?;
        }
        self.row(f, "interrupts injected", |column| {
            let injections = column.measured.injections.iter();
            number(injections.map(|(_, count)| count).sum())
        })?;
        self.vectors(f)?;
        if self.0.iter().any(|column| column.stage.is_none()) {
            self.row(f, "emulated, as KVM could not", |column| {
                match column.engine {
                    Engine::Interp => String::from("–"),
                    Engine::Kvm => number(column.measured.emulated),
                }
            })?;
        }
        self.row(f, "time", |column| {
            format!("{:.1} ms", column.measured.took.as_secs_f64() * 1_000.0)
        })?;
        self.row(f, "events a second", |column| {
            number(column.events_a_second())
        })
    }
}

impl Table<'_> {
    /// Names that appear in any column, in the order of their first appearance.
    fn names(&self, list: impl Fn(&Column) -> Vec<String>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let all = self.0.iter().flat_map(list);
        all.filter(|name| seen.insert(name.clone())).collect()
    }

    fn vectors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter();
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
        for column in self.0 {
            write!(line, " {:>14}", cell(column))?;
        }
        writeln!(f, "{}", line.trim_end())
    }
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
