//! What became of a run: the version's claim, held against the evidence.

use crate::child::{Finished, How};
use crate::observation::Observation;
use crate::text;
use common::trace::{Device, Event, Record};
use common::{Ending, Exit};
use evidence::host::{self, RunEvidence};
use evidence::{GivenUp, Panic};
use std::fmt;

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ended, and what the machine saw agrees.
    Ended(Ending),
    /// It reached a hole that is still to be filled.
    NotYet {
        /// Such as `v1-E3`.
        exercise: String,
        /// What the hole says, the exercise's number first.
        text: String,
    },
    /// The version's code panicked.
    Panicked {
        /// What it said.
        message: String,
        /// File and line.
        place: Option<String>,
    },
    /// The version says it ended like this, but the machine saw something else.
    Untrue {
        /// What it says.
        claim: Ending,
        /// The last thing that the machine saw.
        last: Option<Record>,
    },
    /// The process was ended by the version's code, without an ending.
    LeftEarly(i32),
    /// The process died.
    Crashed(Crash),
    /// It got nowhere and was stopped.
    GivenUp(GivenUp),
    /// It did not come back.
    Hung,
    /// It printed without end to its own output.
    Flooded,
    /// Somebody else than the machine wrote to the evidence.
    Tampered,
}

/// The signals' numbers, on Linux and macOS.
const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;

/// How a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It recursed too deep.
    StackOverflow,
    /// It asked for more memory than it may have.
    OutOfMemory,
    /// It gave up by itself.
    Aborted,
    /// Any other signal.
    Signal(i32),
}

impl Fate {
    /// What became of a run.
    pub fn of(run: &Observation) -> Fate {
        let evidence = &run.evidence;
        let claim = evidence.end.as_ref().and_then(|end| end.claim);
        if let Some(fate) = stopped(evidence.damaged, evidence.given_up, evidence.panic.as_ref()) {
            return fate;
        }
        match claim {
            Some(claim) if agrees(run, claim) => Fate::Ended(claim),
            Some(claim) => Fate::Untrue {
                claim,
                last: last(run).copied(),
            },
            None => without_end(&run.finished),
        }
    }

    /// What became of a run of many VMs, if it was not over as it should be; what
    /// became of each of them is another question. `run` is the last that there
    /// is evidence of.
    pub fn of_host(
        evidence: &host::Evidence,
        run: &RunEvidence,
        finished: &Finished,
    ) -> Option<Fate> {
        let over = run.end.as_ref().is_some_and(|end| end.outcome.is_some());
        stopped(evidence.damaged, run.given_up, run.panic.as_ref())
            .or_else(|| (!over).then(|| without_end(finished)))
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        match self {
            Fate::Ended(ending) => Some(*ending),
            _ => None,
        }
    }

    /// The exercise that is still to be done, if that is why it stopped.
    pub fn not_yet(&self) -> Option<&str> {
        match self {
            Fate::NotYet { exercise, .. } => Some(exercise),
            _ => None,
        }
    }
}

/// A panic of `todo!("v1-E3: …")` says which exercise is next; any other is a
/// mistake.
pub(crate) fn panicked(message: &str, place: Option<String>) -> Fate {
    let text = message
        .strip_prefix("not yet implemented: ")
        .unwrap_or_default();
    match text.split_once(':') {
        Some((exercise, _)) if is_exercise(exercise) => Fate::NotYet {
            exercise: exercise.to_string(),
            text: text.to_string(),
        },
        _ => Fate::Panicked {
            message: message.to_string(),
            place,
        },
    }
}

fn is_exercise(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix('v')
        .and_then(|rest| rest.split_once("-E"))
        .is_some_and(|(version, exercise)| number(version) && number(exercise))
}

/// Whether what the machine saw last bears out how the version says it ended.
fn agrees(run: &Observation, claim: Ending) -> bool {
    let event = last(run).map(|record| record.event);
    match claim {
        Ending::Exited(code) => matches!(
            event,
            Some(Event::Device(access)) if access.device == Device::ExitPort
                && access.write && access.value == u64::from(code)
        ),
        Ending::Halted => event == Some(Event::Exit(Exit::Halted)),
        Ending::Stopped => event == Some(Event::Exit(Exit::Kicked)),
        Ending::OutOfTime => {
            let now = run.evidence.end.as_ref().map(|end| end.now);
            now.is_some_and(|now| now >= run.scenario.limit)
        }
        Ending::Died(exit) => event == Some(Event::Exit(exit)),
    }
}

/// The last record of a run, also where there were too many to report all.
fn last(run: &Observation) -> Option<&Record> {
    let end = run.evidence.end.as_ref();
    end.and_then(|end| end.last.last())
        .or(run.evidence.records.last())
}

/// Why the machine or the code itself broke off, if one of them did.
fn stopped(damaged: bool, given_up: Option<GivenUp>, panic: Option<&Panic>) -> Option<Fate> {
    match (damaged, given_up, panic) {
        (true, ..) => Some(Fate::Tampered),
        (_, Some(why), _) => Some(Fate::GivenUp(why)),
        (.., Some(panic)) => Some(panicked(&panic.message, panic.place.clone())),
        _ => None,
    }
}

pub(crate) fn without_end(finished: &Finished) -> Fate {
    let said = String::from_utf8_lossy(&finished.stderr);
    match finished.how {
        How::TimedOut => Fate::Hung,
        How::Flooded => Fate::Flooded,
        How::Exited(code) => Fate::LeftEarly(code),
        How::Signal(_) if said.contains("has overflowed its stack") => {
            Fate::Crashed(Crash::StackOverflow)
        }
        How::Signal(_) if said.contains("memory allocation of") => {
            Fate::Crashed(Crash::OutOfMemory)
        }
        How::Signal(SIGXCPU) => Fate::Hung,
        How::Signal(SIGABRT) => Fate::Crashed(Crash::Aborted),
        How::Signal(number) => Fate::Crashed(Crash::Signal(number)),
    }
}

impl fmt::Display for Fate {
    /// One clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Ended(ending) => f.write_str(&text::ending(*ending)),
            Fate::NotYet { text, .. } => write!(f, "it came to what is still to be built: {text}"),
            Fate::Panicked {
                message,
                place: Some(place),
            } => {
                write!(f, "your code panicked at {place}: {message}")
            }
            Fate::Panicked {
                message,
                place: None,
            } => write!(f, "your code panicked: {message}"),
            Fate::Untrue { claim, .. } => {
                write!(
                    f,
                    "your monitor says that {}, but the machine saw nothing of the kind",
                    text::ending(*claim)
                )
            }
            Fate::LeftEarly(code) => {
                write!(
                    f,
                    "your code ended the whole process with code {code} while the guest ran"
                )
            }
            Fate::Crashed(Crash::StackOverflow) => {
                f.write_str("your code overflowed its stack: it calls itself without end")
            }
            Fate::Crashed(Crash::OutOfMemory) => {
                f.write_str("your code asked for more memory than a gibibyte")
            }
            Fate::Crashed(Crash::Aborted) => f.write_str("your code aborted the process"),
            Fate::Crashed(Crash::Signal(number)) => {
                write!(f, "the process with your code was ended by signal {number}")
            }
            Fate::GivenUp(GivenUp::RunsOn) => {
                f.write_str("the guest ran on, long after its time was over: nobody stopped it")
            }
            Fate::GivenUp(GivenUp::StandsStill) => f.write_str(
                "your VMM goes round and round at the same point of virtual time, and the guest \
                 gets no further",
            ),
            Fate::GivenUp(GivenUp::OnlyTraps) => f.write_str(
                "the guest traps at nearly every instruction and gets no further: it was stopped \
                 after 250,000 traps",
            ),
            Fate::Hung => f.write_str("your code did not come back: it loops without end"),
            Fate::Flooded => f.write_str("your code printed without end"),
            Fate::Tampered => f.write_str("something else than the machine wrote the evidence"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::trace::DeviceAccess;
    use common::{Image, Size, Time};
    use evidence::{Evidence, Scenario};

    /// A run in which the machine saw `event` last.
    fn run(event: Event, how: How, stderr: &str) -> Observation {
        let guest = guests::v1::guest("halt").unwrap().build(1).elf();
        let (time, pcpu, rip) = (Time(1), 0, 0);
        let records = vec![Record {
            time,
            pcpu,
            rip,
            event,
        }];
        Observation {
            scenario: Scenario::new("".into()),
            image: Image::parse(&guest).unwrap(),
            evidence: Evidence {
                records,
                ..Evidence::default()
            },
            finished: Finished {
                how,
                stdout: vec![],
                stderr: stderr.into(),
            },
        }
    }

    fn exit_port(value: u64) -> Event {
        Event::Device(DeviceAccess {
            device: Device::ExitPort,
            address: 0xf4,
            size: Size::Byte,
            write: true,
            value,
        })
    }

    #[test]
    fn a_claim_is_borne_out_only_by_what_the_machine_saw_last() {
        let halted = Event::Exit(Exit::Halted);
        for (event, claim, true_claim) in [
            (exit_port(0), Ending::Exited(0), true),
            (exit_port(1), Ending::Exited(0), false),
            (halted, Ending::Exited(0), false),
            (halted, Ending::Halted, true),
            (exit_port(0), Ending::Halted, false),
            (halted, Ending::OutOfTime, false),
            (halted, Ending::Died(Exit::Halted), true),
            (halted, Ending::Stopped, false),
        ] {
            let run = run(event, How::Exited(0), "");
            assert_eq!(agrees(&run, claim), true_claim, "{event:?} {claim:?}");
        }
    }

    #[test]
    fn a_process_without_an_end_has_a_fate_all_the_same() {
        let stack = "thread 'main' has overflowed its stack";
        for (how, stderr, fate) in [
            (How::Exited(0), "", Fate::LeftEarly(0)),
            (How::TimedOut, "", Fate::Hung),
            (How::Flooded, "", Fate::Flooded),
            (How::Signal(SIGXCPU), "", Fate::Hung),
            (
                How::Signal(SIGABRT),
                stack,
                Fate::Crashed(Crash::StackOverflow),
            ),
            (How::Signal(SIGABRT), "", Fate::Crashed(Crash::Aborted)),
            (How::Signal(11), "", Fate::Crashed(Crash::Signal(11))),
        ] {
            assert_eq!(Fate::of(&run(exit_port(0), how, stderr)), fate);
        }
    }

    #[test]
    fn damaged_evidence_is_believed_in_nothing() {
        let mut run = run(exit_port(0), How::Exited(0), "");
        run.evidence.damaged = true;
        assert_eq!(Fate::of(&run), Fate::Tampered);
    }

    #[test]
    fn a_hole_is_not_yet_and_anything_else_is_a_panic() {
        let hole = panicked("not yet implemented: v1-E3: turn the deadline", None);
        assert_eq!(hole.not_yet(), Some("v1-E3"));
        for message in [
            "not yet implemented",
            "not yet implemented: later: this",
            "not implemented: v1-E3: x",
            "v1-E3: x",
        ] {
            assert_eq!(panicked(message, None).not_yet(), None, "{message}");
        }
    }
}
