//! The same workload on every engine that works here, in numbers.
//!
//! All numbers are what the machine counted in these runs. What the words below
//! the table say follows from them.

mod table;
mod words;

pub(crate) use self::table::Table;
use crate::checks::Problem;
use crate::text::wrapped;
use common::Time;
use evidence::{Engine, Measured};
use serde::Serialize;
use std::fmt;

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
    /// What this KVM lacks that single guests need.
    pub kvm_lacks: Vec<String>,
    /// This KVM has no hardware below it, as far as one can tell.
    pub kvm_emulates: bool,
}

/// A run on one engine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Column {
    /// The engine.
    pub engine: Engine,
    /// The version, where the columns are different ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
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
            stage: None,
            measured,
            wrong,
        }
    }

    /// The same in a table of several versions.
    pub fn of_stage(self, stage: &'static str) -> Column {
        Column {
            stage: Some(stage),
            ..self
        }
    }

    /// What stands above it.
    fn head(&self) -> String {
        self.stage.map_or(self.engine.to_string(), String::from)
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
}

/// The table, and what it says in words.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.stage, self.workload.join(", "))?;
        Table(&self.columns).fmt(f)?;
        for text in self.words() {
            write!(f, "\n{}", wrapped("", &text))?;
        }
        Ok(())
    }
}

fn number(count: u64) -> String {
    Time(count).to_string() // a time groups its digits
}

fn sum_of<'a>(list: impl Iterator<Item = &'a (String, u64)>) -> u64 {
    list.map(|(_, count)| count).sum()
}

fn names<'a>(list: impl IntoIterator<Item = &'a (String, u64)>) -> Vec<String> {
    list.into_iter().map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests;
