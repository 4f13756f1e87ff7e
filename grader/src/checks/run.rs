//! One run, with what its guest should have done.

use super::failure::step;
use super::misstep::Misstep;
use super::{Failure, Problem};
use crate::fate::Fate;
use crate::guest::Guest;
use crate::observation::Observation;
use crate::text;
use common::trace::{Device, Event, Record};
use common::{Ending, Exit, Trap, bus};
use evidence::{End, Engine, Scenario};
use guests::catalogue::{self, Expected};
use std::ops::Range;

/// How many records before a difference are shown.
const BEFORE: usize = 7;

/// A run of a guest from the catalogue.
pub struct Run {
    /// What is known of it.
    pub observation: Observation,
    /// What became of it.
    pub fate: Fate,
    /// What the guest's model says.
    pub expected: Expected,
    stage: &'static str,
    guest: Guest,
    seed: u64,
    /// What is asked about a line of the console that is different.
    about_a_line: &'static str,
}

/// What is asked about a line where nothing better is known.
const ABOUT_A_LINE: &str = "the line above is what the guest computed from its registers, its \
                            memory and the answers of its devices. Which of them did it not get \
                            back as it left them?";

impl Run {
    /// The run of `guest`, made from `seed`, that was observed.
    pub fn new(stage: &'static str, guest: Guest, seed: u64, observation: Observation) -> Run {
        let fate = Fate::of(&observation);
        let expected = guest.expected(seed);
        Run {
            observation,
            fate,
            expected,
            stage,
            guest,
            seed,
            about_a_line: ABOUT_A_LINE,
        }
    }

    /// The same run with a question of its own about a line of the console that is
    /// not as it should be.
    #[must_use]
    pub fn asking(mut self, thought: &'static str) -> Run {
        self.about_a_line = thought;
        self
    }

    /// What the machine saw.
    pub fn records(&self) -> &[Record] {
        &self.observation.evidence.records
    }

    /// The exits, each with its place among the records.
    pub fn exits(&self) -> impl DoubleEndedIterator<Item = (usize, &Record, Exit)> {
        let records = self.records().iter().enumerate();
        records.filter_map(|(index, record)| match record.event {
            Event::Exit(exit) => Some((index, record, exit)),
            _ => None,
        })
    }

    /// The traps, each with its place among the records.
    pub fn traps(&self) -> impl DoubleEndedIterator<Item = (usize, &Record, Trap)> {
        let records = self.records().iter().enumerate();
        records.filter_map(|(index, record)| match record.event {
            Event::Trap { trap, .. } => Some((index, record, trap)),
            _ => None,
        })
    }

    /// The handler of an interrupt vector, by the names that our guests give.
    pub fn handler_of(&self, vector: u8) -> Option<u64> {
        let symbols = &self.observation.image.symbols;
        let name = match vector {
            32 => String::from("tick"),
            _ => format!("vector_{vector}"),
        };
        symbols.address_of(&name)
    }

    /// Where the guest's user code lies; nowhere if it has none.
    pub fn user_code(&self) -> Range<u64> {
        let symbols = &self.observation.image.symbols;
        let at = |name| symbols.address_of(name).unwrap_or(0);
        at("user_code")..at("user_code_end")
    }

    /// Passes if the guest shut down with a triple fault, whose chain of
    /// exceptions has these vectors, after it had printed what its model prints.
    ///
    /// # Errors
    /// What is different.
    pub fn expect_shutdown(&self, vectors: [u8; 3]) -> Result<(), Problem> {
        let [first, second, third] = vectors.map(text::exception);
        let wanted = format!(
            "the guest shuts down (triple fault): {first}, {second} while delivering it, {third} \
             while delivering #DF"
        );
        let Fate::Ended(Ending::Died(Exit::Shutdown(chain))) = self.fate else {
            return Err(self.failed(wanted).into());
        };
        self.expect_console(&self.expected.console)?;
        if self.observation.scenario.engine == Engine::Kvm {
            return Ok(()); // hardware keeps the chain to itself
        }
        let seen = [Some(chain.first), chain.second, chain.third];
        if seen.map(|fault| fault.map(|fault| fault.vector())) == vectors.map(Some) {
            return Ok(());
        }
        let told: Vec<_> = seen.iter().flatten().map(ToString::to_string).collect();
        let seen = format!("a shutdown by another way: {}", told.join(", then "));
        Err(self
            .failure(wanted, seen, None)
            .thought(
                "follow the manual's table: which class is the fault being delivered, and which \
                 is the one that came in between? What is delivered next, and with what code?",
            )
            .into())
    }

    /// Passes if the guest printed what its model prints and ended as its model
    /// ends; reports whichever went wrong first. How a guest dies is for the
    /// check to say: each version has its own way of it.
    ///
    /// # Errors
    /// The difference.
    pub fn expect_model(&self) -> Result<(), Problem> {
        let wanted = match self.expected.ending {
            catalogue::Ending::Exit(code) => Ending::Exited(code),
            catalogue::Ending::Halt => Ending::Halted,
            catalogue::Ending::Never { .. } => Ending::OutOfTime,
            catalogue::Ending::Death(_) => return self.expect_console(&self.expected.console),
            catalogue::Ending::TripleFault(vectors) => return self.expect_shutdown(vectors),
        };
        self.expect_end(&self.expected.console, wanted)
    }

    /// Passes if the console is `console` and the guest ended as `wanted`.
    ///
    /// # Errors
    /// The difference that came first.
    pub fn expect_end(&self, console: &[u8], wanted: Ending) -> Result<(), Problem> {
        let seen = &self.observation.evidence.console;
        if self.fate.ending().is_none() && console.starts_with(seen) {
            return Err(self.failed(text::ending(wanted)).into());
        }
        if self.fate == Fate::Ended(wanted) || !console.starts_with(seen) {
            self.expect_console(console)?;
        }
        self.expect_ending(wanted)
    }

    /// Passes if the guest ended as `wanted`.
    ///
    /// # Errors
    /// What became of it instead.
    pub fn expect_ending(&self, wanted: Ending) -> Result<(), Problem> {
        match self.fate == Fate::Ended(wanted) {
            true => Ok(()),
            false => Err(self.failed(text::ending(wanted)).into()),
        }
    }

    /// Passes if the guest printed exactly `wanted`.
    ///
    /// # Errors
    /// The first byte that differs.
    pub fn expect_console(&self, wanted: &[u8]) -> Result<(), Problem> {
        let seen = &self.observation.evidence.console;
        let Some(at) = text::first_difference(wanted, seen) else {
            return Ok(());
        };
        let (line, expected, got) = text::differing_lines(wanted, seen, at);
        if at == seen.len() && self.fate.not_yet().is_some() {
            return Err(self
                .failed(format!("console line {line}: {expected}"))
                .into());
        }
        let record = self.console_record(at);
        if let Some(failure) = self.misstep(record) {
            return Err(failure.into());
        }
        let failure = self.failure(
            format!("console line {line}: {expected}"),
            format!("console line {line}: {got}"),
            record,
        );
        let thought = text::thought_of_console(wanted, seen, at).unwrap_or(self.about_a_line);
        Err(failure.thought(thought).into())
    }

    /// A failure because of what became of the run: not what was `expected`, or
    /// else the misstep that led there.
    pub fn failed(&self, expected: impl Into<String>) -> Failure {
        if let Some(failure) = self.misstep(None) {
            return failure;
        }
        let mut failure = self.failure(expected, self.fate.to_string(), None);
        if let Some(exercise) = self.fate.not_yet() {
            failure.not_yet = Some(exercise.to_string());
            failure = failure.by(exercise);
        }
        failure.thought(text::thought(&self.fate))
    }

    /// The guest's first misstep, if there is one before record number `at`, or
    /// before the end: what comes after it tells less.
    fn misstep(&self, at: Option<usize>) -> Option<Failure> {
        let misstep = Misstep::first(self.records())?;
        let failure = misstep.told(self);
        let failure = match self.stage {
            "v1" => failure.by(misstep.exercise()),
            _ => failure,
        };
        at.is_none_or(|at| misstep.at < at).then_some(failure)
    }

    /// A failure that begins at record number `at`, or else at the end.
    pub fn failure(
        &self,
        expected: impl Into<String>,
        seen: impl Into<String>,
        at: Option<usize>,
    ) -> Failure {
        let end = self.observation.evidence.end.as_ref();
        let records = match end {
            Some(end) if at.is_none() => &end.last,
            _ => &self.observation.evidence.records,
        };
        let last = at.map_or(records.len(), |index| index + 1);
        let shown = &records[last.saturating_sub(BEFORE)..last];
        let symbols = &self.observation.image.symbols;
        let engine = self.observation.scenario.engine;
        Failure {
            expected: expected.into(),
            seen: seen.into(),
            moments: shown
                .iter()
                .map(|record| text::moment(record, symbols, engine))
                .collect(),
            registers: end
                .filter(|_| at.is_none())
                .map(last_words)
                .unwrap_or_default(),
            look: self.command() + " --trace",
            step: step(
                &self.command(),
                engine,
                shown.last().map(|record| record.time),
            ),
            ..Failure::default()
        }
    }

    /// The record of the write to the console that byte number `at` came with.
    fn console_record(&self, at: usize) -> Option<usize> {
        let records = self.records().iter().enumerate();
        let mut writes = records.filter(|(_, record)| match record.event {
            Event::Device(access) => {
                access.device == Device::Serial
                    && access.write
                    && access.address == u64::from(bus::COM1)
            }
            _ => false,
        });
        writes.nth(at).map(|(index, _)| index)
    }

    /// The command that makes the same run.
    pub fn command(&self) -> String {
        command(
            self.stage,
            self.guest,
            self.seed,
            &self.observation.scenario,
        )
    }
}

/// The command that runs `guest`, made from `seed`, on this machine.
pub(crate) fn command(stage: &str, guest: Guest, seed: u64, scenario: &Scenario) -> String {
    let mut command = format!(
        "cargo lab run {stage} --guest {} --seed {seed}",
        guest.name()
    );
    let usual = Scenario::new(scenario.image.clone());
    let mut add = |option: &str, value: u64, usual: u64| {
        if value != usual {
            command.push_str(&format!(" --{option} {value}"));
        }
    };
    add("tick", scenario.tick, usual.tick);
    if let Some(ticks) = scenario.guest_tick {
        add("guest-tick", ticks.into(), 0);
    }
    add("limit", scenario.limit.0, usual.limit.0);
    add("vcpu", scenario.vcpu, usual.vcpu);
    if let Some(entry) = scenario.kick_at {
        add("kick-at", entry, u64::MAX);
    }
    if scenario.engine != usual.engine {
        command.push_str(&format!(" --engine {}", scenario.engine));
    }
    command
}

/// Where the guest was at the end, and with what in its registers; or why the
/// engine could not go on, in its own words.
fn last_words(end: &End) -> Vec<String> {
    match &end.failure {
        Some(failure) => failure.lines().map(String::from).collect(),
        None => text::guest(&end.explanation),
    }
}
