//! `cargo lab step`: shows a run moment by moment, forwards and back.
//!
//! ```text
//!  text.rs     a range of moments as plain text
//!  keys.rs     what each key does                    <- session
//!    help.rs     what is said about them
//!    order.rs    what is to be changed, as somebody writes it
//!    view.rs     what is to be seen, as lines        <- session::words
//!      layout.rs   makes text fit
//!    screen.rs   puts lines onto the terminal, and leaves it as it was
//! ```

mod help;
mod keys;
mod layout;
mod order;
mod screen;
mod text;
mod view;

use super::run_session;
use crate::cli::StepArguments;
use crate::error::LabError;
use crate::session::words;
use crate::workspace::Workspace;
use common::Time;
use evidence::session::{Stop, Why};
use std::io::IsTerminal;

/// How many ticks are shown as text if nobody says how many.
const SHOWN: u64 = 100;

/// Steps through a run. The exit code is 1 if the version's code did not get as
/// far as was asked.
pub(super) fn step(workspace: &Workspace, mut arguments: StepArguments) -> Result<u8, LabError> {
    let begin = run_session::take_begin(&mut arguments.run)?;
    let from = arguments.from.unwrap_or(begin.unwrap_or(0));
    let to = arguments.to.unwrap_or(from.saturating_add(SHOWN));
    if from > to {
        return Err(LabError::Usage(format!(
            "--from {from} is behind --to {to}: there is nothing between them"
        )));
    }
    let Some(mut session) = run_session::session(workspace, &arguments.run)? else {
        return Ok(1);
    };
    let asks_for_text = arguments.from.is_some() || arguments.to.is_some();
    if !asks_for_text && std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        session.go_to_time(Time(begin.unwrap_or(0)))?;
        return keys::look(session, &arguments.run.stage);
    }
    text::show(&mut session, Time(from), Time(to))
}

/// Why the run is not where it was to go, if it is not.
fn lost(stop: &Stop) -> Option<String> {
    match stop.why {
        Why::Back(gone) => words::lost(gone, stop),
        _ => None,
    }
}
