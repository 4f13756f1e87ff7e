//! v3-E6: user code that must be kept where it is.

use super::{NEVER, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use crate::text;
use common::trace::{Event, Record};
use common::{SystemInstruction, Trap};

/// Runs the intruder; with a different order of its attempts for each seed.
fn intruder(bench: &Bench<'_>) -> Result<Run, Problem> {
    let run = bench.run(guest("intruder"), bench.seed, |order| {
        order.tick(NEVER).limit(5_000_000)
    })?;
    Ok(run)
}

pub(super) fn privileged_is_refused(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = intruder(bench)?;
    let handler = run.handler_of(PROTECTION);
    let mut attempt: Option<SystemInstruction> = None;
    let mut refused = 0;
    for (at, record) in run.records().iter().enumerate() {
        match record.event {
            Event::Trap {
                trap: Trap::System { instruction, .. },
                ..
            } if run.user_code().contains(&record.rip) => {
                attempt = (!is_free(instruction)).then_some(instruction);
            }
            Event::Enter { .. } if attempt.take().is_some() => {
                if Some(record.rip) != handler {
                    return Err(not_refused(&run, at, record).into());
                }
                refused += 1;
            }
            Event::Exit(_) if attempt.is_some() => {
                return Err(left_the_guest(&run, at, record).into());
            }
            _ => {}
        }
    }
    let wanted = lines(&run.expected.console, |line| line.contains(": vector 13"));
    if refused + 1 < wanted.len() || run.fate.ending().is_none() {
        let expected = format!(
            "the guest's kernel is told of {} by its #GP handler, and lives on",
            text::count(wanted.len() - 1, "privileged instruction")
        );
        return Err(run.failed(expected).into());
    }
    let thought = "a #GP tells its handler one number: 0, or the selector that was refused. And \
                   the frame tells who was interrupted. Which of the two is not as it was?";
    expect_lines(&run, |line| line.contains(": vector 13"), thought)?;
    permitted_is_done(bench)
}

/// Not everything that traps is forbidden.
fn permitted_is_done(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("permitted"), bench.seed, |order| order.tick(NEVER))?;
    run.asking(
        "the line tells what user code did, or what its kernel was told. Which of its flags and \
         segments may user code change by itself? And what does a handler know of a selector \
         that was refused?",
    )
    .expect_model()
}

const PROTECTION: u8 = 13;

/// What user code may do, though it traps.
fn is_free(instruction: SystemInstruction) -> bool {
    matches!(instruction, SystemInstruction::Syscall)
}

fn not_refused(run: &Run, at: usize, record: &Record) -> Failure {
    let place = run.observation.image.symbols.place(record.rip);
    run.failure(
        "a privileged instruction in user mode is #GP(0): the guest goes on in vector_13",
        format!("the guest goes on at {place}"),
        Some(at),
    )
    .thought(
        "it is the *virtual* mode that decides: to the raw CPU all of the guest is user code. Who \
         asks for the mode before an instruction is emulated?",
    )
}

fn left_the_guest(run: &Run, at: usize, record: &Record) -> Failure {
    let seen = match record.event {
        Event::Exit(exit) => format!("an exit: {exit}"),
        _ => String::new(),
    };
    run.failure(
        "a privileged instruction in user mode is the business of the guest's own kernel: #GP(0)",
        seen,
        Some(at),
    )
    .thought(
        "if the user of a guest could halt the machine or reach its ports, of what use would its \
         kernel be? Which version saw this trap first?",
    )
}

pub(super) fn kernel_memory_is_out_of_reach(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = intruder(bench)?;
    if run.fate.not_yet().is_some() {
        return run.expect_model();
    }
    let thought = "a page fault tells its handler three things: the address, what was attempted, \
                   and in which mode. Whose view of memory did the attempt meet?";
    expect_lines(&run, |line| line.contains(", address "), thought)
}

/// Passes if the lines of the console that are `meant` are those of the model. The
/// `thought` is about one that is different.
fn expect_lines(run: &Run, meant: fn(&str) -> bool, thought: &str) -> Result<(), Problem> {
    let wanted = lines(&run.expected.console, meant);
    let seen = lines(&run.observation.evidence.console, meant);
    let differs = wanted
        .iter()
        .zip(&seen)
        .position(|(one, other)| one != other);
    let at = differs.unwrap_or(wanted.len().min(seen.len()));
    if differs.is_none() && wanted.len() == seen.len() {
        return Ok(());
    }
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or("nothing more".into());
    let failure = run.failure(
        format!("the guest's kernel reports: {}", line(&wanted)),
        format!("it reports: {}", line(&seen)),
        None,
    );
    let thought = match seen.len() < wanted.len() {
        true => {
            "an attempt was not reported: nobody stopped the user. What did it reach, and who \
                 decides whether it may?"
        }
        false => thought,
    };
    Err(failure.thought(thought).into())
}

fn lines(console: &[u8], meant: fn(&str) -> bool) -> Vec<String> {
    let text = String::from_utf8_lossy(console);
    let meant = text.lines().filter(|line| meant(line));
    meant.map(str::to_string).collect()
}
