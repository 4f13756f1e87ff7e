//! Why a guest died, told to whoever has to find the mistake.
//!
//! A real machine resets at a triple fault and shows nothing at all. Here the
//! report says what happened, in which chain of exceptions, at which guest
//! instruction, with which registers, after which traps and exits, and what
//! that probably means.
//!
//! It only looks: the guest's registers and data stay as they are. The one
//! trace it leaves is that of any reader: the accessed bits of the pages that
//! hold the instruction. Whatever state the guest is in, it never panics.

mod code;
mod meaning;
mod words;

use crate::time::grouped;
use crate::trace::{Event, Record, Text};
use crate::{Context, Ending, Gpr, Symbols, Time, flags};
use code::Code;
pub use code::disassemble;
use serde::{Deserialize, Serialize};
use std::fmt;

/// As many of the last events as are worth reading.
const LAST: usize = 10;

/// The report on one guest: see [`explain`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What happened, in one clause.
    pub what: String,
    /// When.
    pub time: Time,
    /// The exceptions that led to it, each raised by the one before.
    pub chain: Vec<String>,
    /// Where the guest was, such as `worker+0x1c`.
    pub place: String,
    /// The guest's instruction there, or its bytes, or why it cannot be read.
    pub instruction: String,
    /// The registers that the instruction uses.
    pub uses: Vec<Register>,
    /// What it probably means, where that is known.
    pub so: Option<String>,
    /// All general registers, RIP, and the root of the page tables.
    pub registers: Vec<Register>,
    /// The flags that are set.
    pub flags: Vec<String>,
    /// The last traps, exits and device accesses, oldest first.
    pub last: Vec<String>,
}

/// A register and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Its name in assembly text.
    pub name: String,
    /// Its value.
    pub value: u64,
}

/// Explains how a run that stopped at `now` ended: from the state in which the
/// guest was left, its symbols, and the [last](crate::trace::Recorder::last)
/// records.
pub fn explain<'r>(
    ending: Ending,
    now: Time,
    context: &Context,
    symbols: &Symbols,
    last: impl IntoIterator<Item = &'r Record>,
) -> Explanation {
    let records: Vec<_> = last.into_iter().copied().collect();
    let code = Code::new(context, symbols);
    let scene = Scene {
        ending,
        context,
        at: code.instruction_of(ending),
        code,
        records: &records,
    };
    Explanation {
        what: words::what(ending),
        time: now,
        chain: words::chain(&scene),
        place: symbols.place(scene.at).to_string(),
        instruction: scene.code.text(scene.at),
        uses: uses(&scene),
        so: meaning::meaning(&scene),
        registers: registers(context),
        flags: flag_names(context.flags),
        last: last_lines(symbols, &records),
    }
}

/// Everything that a report is made from.
struct Scene<'a> {
    ending: Ending,
    context: &'a Context,
    code: Code<'a>,
    /// The instruction that the report is about.
    at: u64,
    records: &'a [Record],
}

fn uses(scene: &Scene<'_>) -> Vec<Register> {
    let used = scene.code.registers_used(scene.at);
    used.into_iter()
        .map(|register| general(scene.context, register))
        .collect()
}

fn general(context: &Context, register: Gpr) -> Register {
    Register {
        name: register.name().to_string(),
        value: context.registers[register],
    }
}

fn registers(context: &Context) -> Vec<Register> {
    let special = [("rip", context.rip), ("cr3", context.space.root())];
    let special = special.map(|(name, value)| Register {
        name: name.to_string(),
        value,
    });
    let general = Gpr::ALL.map(|register| general(context, register));
    general.into_iter().chain(special).collect()
}

fn flag_names(value: u64) -> Vec<String> {
    let names = [
        ("CF", flags::CF),
        ("PF", flags::PF),
        ("AF", flags::AF),
        ("ZF", flags::ZF),
        ("SF", flags::SF),
        ("DF", flags::DF),
        ("OF", flags::OF),
    ];
    let set = names.iter().filter(|(_, flag)| value & flag != 0);
    set.map(|(name, _)| name.to_string()).collect()
}

/// Entries are left out: the traps between them say more.
fn last_lines(symbols: &Symbols, records: &[Record]) -> Vec<String> {
    let text = Text::new(symbols);
    let told: Vec<_> = records
        .iter()
        .filter(|record| !matches!(record.event, Event::Enter { .. }))
        .collect();
    let first = told.len().saturating_sub(LAST);
    let lines = told[first..].iter();
    lines.map(|record| text.line(record).to_string()).collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at time {}\n", self.what, grouped(self.time.0))?;
        for (index, step) in self.chain.iter().enumerate() {
            writeln!(f, "  {}. {step}", index + 1)?;
        }
        if !self.chain.is_empty() {
            writeln!(f)?;
        }
        writeln!(f, "  at        {}: {}", self.place, self.instruction)?;
        for (index, register) in self.uses.iter().enumerate() {
            let label = if index == 0 { "uses" } else { "" };
            writeln!(f, "  {label:<8}  {register}")?;
        }
        if let Some(so) = &self.so {
            writeln!(f, "  so        {so}")?;
        }
        writeln!(f)?;
        for row in self.registers.chunks(3) {
            let row: Vec<_> = row.iter().map(Register::to_string).collect();
            writeln!(f, "  {}", row.join("   "))?;
        }
        let flags = match self.flags.is_empty() {
            true => "none set".to_string(),
            false => self.flags.join(" "),
        };
        writeln!(f, "  flags {flags}")?;
        if !self.last.is_empty() {
            writeln!(f, "\n  what happened last")?;
        }
        self.last.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32| self.value >> shift & 0xffff;
        let Register { name, .. } = self;
        let [a, b, c, d] = [part(48), part(32), part(16), part(0)];
        write!(f, "{name:<3} 0x{a:04x}_{b:04x}_{c:04x}_{d:04x}")
    }
}

#[cfg(test)]
mod tests;
