//! Tries a version's scheduler in many orders of its threads.

use super::{Bench, Failure, Problem};
use crate::desk::{Desk, Searched};
use crate::fate::{self, Fate};
use crate::text;
use evidence::search::{self, Report, Request, What};
use std::time::Duration;

/// How many orders of each scenario are tried: enough for every mistake that is
/// known, in a second or two.
const ORDERS: usize = 200;

/// More than any search takes.
const BACKSTOP: Duration = Duration::from_secs(60);

/// Passes if every scenario ends well in every order that is tried.
pub(super) fn none_is_bad(bench: &Bench<'_>) -> Result<(), Problem> {
    let request = Request {
        seed: bench.seed,
        orders: ORDERS,
    };
    match Desk::new()?.search(bench.runner, &request, BACKSTOP)? {
        Searched::Told(Report { failure: None, .. }) => Ok(()),
        Searched::Told(Report {
            failure: Some(failure),
            ..
        }) => Err(told(failure).into()),
        Searched::Nothing(finished) => Err(without_report(&fate::without_end(&finished)).into()),
        Searched::Forged => Err(without_report(&Fate::Tampered).into()),
    }
}

/// What is told where no report is to be believed.
fn without_report(fate: &Fate) -> Failure {
    let failure = Failure {
        expected: "a search that comes to its end".into(),
        seen: fate.to_string(),
        ..Failure::default()
    };
    failure.thought(text::thought(fate))
}

/// What is told about an order that went wrong.
fn told(failure: search::Failure) -> Failure {
    let locked = !failure.waiting.is_empty();
    let (seen, thought, not_yet) = words(&failure.what, locked);
    let waits = failure
        .waiting
        .iter()
        .map(|(thread, place)| format!("{thread} waits for a lock that it asked for at {place}"));
    let told = Failure {
        expected: format!("{}: all come to their end in every order", failure.scenario),
        seen,
        moments: waits.collect(),
        not_yet: not_yet.clone(),
        ..Failure::default()
    };
    let told = told.thought(thought);
    match not_yet {
        Some(exercise) => told.by(&exercise),
        None => told,
    }
}

/// What was seen, a question, and the exercise that is still to be done, if that
/// is why. `locked` says whether threads wait for locks.
fn words(what: &What, locked: bool) -> (String, String, Option<String>) {
    match what {
        What::Deadlock if locked => (
            "an order in which threads wait for each other's locks".into(),
            "who holds one lock and asks for another, and who does it the other way round?".into(),
            None,
        ),
        What::Deadlock => (
            "an order in which all sleep, and nobody is left to wake them".into(),
            "what came just before a thread fell asleep: was it there to be seen when the thread \
             looked last, and did a kick come after it?"
                .into(),
            None,
        ),
        What::Endless => (
            "an order in which they go round and round".into(),
            "which loop waits for something that only another thread can do? What was noted for \
             later, and who takes the note away?"
                .into(),
            None,
        ),
        What::Panic(panic) => {
            let fate = fate::panicked(&panic.message, panic.place.clone());
            let not_yet = fate.not_yet().map(str::to_string);
            let thought = match &fate {
                Fate::Panicked { .. } => {
                    "between two locks the world may change. What was looked at under the one and \
                     used under the other?"
                }
                _ => text::thought(&fate),
            };
            (fate.to_string(), thought.into(), not_yet)
        }
    }
}
