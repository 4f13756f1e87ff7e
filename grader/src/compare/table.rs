//! The numbers as a table.

use super::{Column, Comparison, count_of, names, number, sum_of};
use evidence::Engine;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// The numbers, a row for each kind of event and a column for each engine.
pub(super) struct Table<'a>(pub(super) &'a Comparison);

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
