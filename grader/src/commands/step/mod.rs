//! `cargo lab step`: shows a run moment by moment, forwards and back.
//!
//! ```text
//!  text.rs     a range of moments as plain text
//!  keys.rs     what each key does                    <- session
//!    order.rs    what is to be changed, as somebody writes it
//!    view.rs     what is to be seen, as lines        <- session::words
//!    screen.rs   puts lines onto the terminal, and leaves it as it was
//! ```

mod keys;
mod order;
mod screen;
mod text;
mod view;

use super::run;
use super::run_host;
use crate::cli::{EngineName, StepArguments};
use crate::error::LabError;
use crate::session::{Session, words};
use crate::stages::Stage;
use crate::workspace::Workspace;
use common::Time;
use evidence::Engine;
use evidence::session::{Stop, Why};
use std::io::IsTerminal;

/// How many ticks are shown as text if nobody says how many.
const SHOWN: u64 = 100;

/// Steps through a run. The exit code is 1 if the version's code did not get as
/// far as was asked.
pub(super) fn step(workspace: &Workspace, arguments: StepArguments) -> Result<u8, LabError> {
    let (begin, arguments) = take_begin(arguments)?;
    let from = arguments.from.unwrap_or(begin.unwrap_or(0));
    let to = arguments.to.unwrap_or(from.saturating_add(SHOWN));
    if from > to {
        return Err(LabError::Usage(format!(
            "--from {from} is behind --to {to}: there is nothing between them"
        )));
    }
    let Some(mut session) = session(workspace, &arguments)? else {
        return Ok(1);
    };
    let asks_for_text = arguments.from.is_some() || arguments.to.is_some();
    if !asks_for_text && std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        session.go_to_time(Time(begin.unwrap_or(0)))?;
        return keys::look(session, &arguments.run.stage);
    }
    text::show(&mut session, Time(from), Time(to))
}

/// The run that is asked for, which stands at its beginning.
fn session(workspace: &Workspace, arguments: &StepArguments) -> Result<Option<Session>, LabError> {
    let run = &arguments.run;
    let stage = Stage::find(&run.stage, workspace)?;
    if run.engine == EngineName::Kvm {
        return Err(LabError::Usage(String::from(
            "--engine kvm makes no sense here: the host's CPU cannot be stopped between two \
             instructions, nor taken back. Step on interp.",
        )));
    }
    run::refuse(&[("trace", run.trace)], "every moment is shown anyway")?;
    let runner = |stage| run::runner(workspace, stage);
    if stage.has_many_vms() {
        let order = run_host::order(stage, Engine::Interp, run)?;
        if order.scenario.order == evidence::host::Order::Threads {
            return Err(LabError::Usage(String::from(
                "--order threads makes no sense here: with threads of the host no run is like \
                 another, and there is no way back. See `cargo lab run --help`.",
            )));
        }
        let Some(runner) = runner(stage)? else {
            return Ok(None);
        };
        return Session::begin_host(&runner, &order).map(Some);
    }
    let order = run::order(stage, Engine::Interp, run)?;
    let Some(runner) = runner(stage)? else {
        return Ok(None);
    };
    Session::begin(&runner, &order).map(Some)
}

/// Takes the time to begin at out of the values of `--at`: the one that is only a
/// number. The others are for the VMs.
fn take_begin(mut arguments: StepArguments) -> Result<(Option<u64>, StepArguments), LabError> {
    let at = std::mem::take(&mut arguments.run.host.at);
    let (times, deeds): (Vec<_>, Vec<_>) =
        at.into_iter().partition(|text| text.parse::<u64>().is_ok());
    arguments.run.host.at = deeds;
    match &times[..] {
        [] => Ok((None, arguments)),
        [time] => Ok((time.parse().ok(), arguments)),
        _ => Err(LabError::Usage(String::from(
            "--at is given several times with nothing but a time: where to begin?",
        ))),
    }
}

/// Why the run is not where it was to go, if it is not.
fn lost(stop: &Stop) -> Option<String> {
    match stop.why {
        Why::Back(gone) => words::lost(gone, stop),
        _ => None,
    }
}
