//! What each command does.

mod batch;
mod compare;
mod confined;
#[cfg(unix)]
mod debug;
mod diff;
mod export;
mod grade;
mod handout;
mod hint;
mod list;
mod next;
mod overview;
mod paint;
mod predict;
mod run;
mod run_host;
#[cfg(unix)]
mod run_session;
mod saves;
mod say;
mod screen;
pub mod selftest;
mod standing;
#[cfg(unix)]
mod step;
mod trace;
mod watch;

use self::say::{note, say};
use crate::cli::{Cli, Command};
use crate::doctor;
use crate::error::LabError;
use crate::stages::STAGES;
use crate::workspace::Workspace;

/// Carries out a command line, and gives the exit code.
///
/// # Errors
/// If the command could not do its work; [`LabError::exit_code`] says the code.
pub fn carry_out(cli: Cli) -> Result<u8, LabError> {
    let runners = cli.runners;
    let has_runners = runners.is_some();
    let workspace = || -> Result<Workspace, LabError> {
        let workspace = Workspace::find()?;
        Ok(Workspace {
            runners,
            ..workspace
        })
    };
    if runs_versions(&cli.command) && !has_runners && nothing_is_built(&Workspace::find()?) {
        note!("building the versions and what they stand on: the first time this takes minutes");
    }
    match cli.command {
        None => overview::show(&workspace()?),
        Some(Command::List) => list::show(&workspace()?),
        Some(Command::Run(arguments)) => run::run(&workspace()?, &arguments),
        #[cfg(unix)]
        Some(Command::Step(arguments)) => step::step(&workspace()?, arguments),
        #[cfg(not(unix))]
        Some(Command::Step(_)) => Err(LabError::Usage(String::from(
            "step needs a host that can copy a running process, as Linux and macOS can",
        ))),
        #[cfg(unix)]
        Some(Command::Debug(arguments)) => debug::debug(&workspace()?, arguments),
        #[cfg(not(unix))]
        Some(Command::Debug(_)) => Err(LabError::Usage(String::from(
            "debug needs a host that can copy a running process, as Linux and macOS can",
        ))),
        Some(Command::Trace(arguments)) => trace::trace(workspace, arguments),
        Some(Command::Grade(arguments)) => grade::grade(&workspace()?, &arguments),
        Some(Command::Compare(arguments)) => compare::compare(&workspace()?, &arguments),
        Some(Command::Predict(arguments)) => predict::predict(&workspace()?, &arguments),
        Some(Command::Diff(arguments)) => diff::diff(&workspace()?, &arguments),
        Some(Command::Batch(arguments)) => batch::batch(&workspace()?, &arguments),
        Some(Command::Merge(arguments)) => batch::merge(&arguments),
        Some(Command::Export(arguments)) => export::export(&workspace()?, &arguments),
        Some(Command::Selftest(arguments)) => selftest::prove(&workspace()?, &arguments),
        Some(Command::Confined(arguments)) => confined::run(&arguments),
        Some(Command::Watch(arguments)) => watch::watch(&workspace()?, &arguments),
        Some(Command::Hint(arguments)) => hint::show(&workspace()?, &arguments),
        Some(Command::Doctor) => {
            let host = doctor::Host::look(has_runners);
            say::piece(&host.to_string());
            Ok(if host.is_enough() { 0 } else { 3 })
        }
        Some(Command::Handout(arguments)) => handout::make(&workspace()?, &arguments),
    }
}

/// Whether a command has to build a version before it can do its work.
fn runs_versions(command: &Option<Command>) -> bool {
    match command {
        None => true,
        Some(command) => matches!(
            command,
            Command::Run(_)
                | Command::Step(_)
                | Command::Debug(_)
                | Command::Trace(_)
                | Command::Grade(_)
                | Command::Watch(_)
                | Command::Compare(_)
                | Command::Predict(_)
                | Command::Diff(_)
        ),
    }
}

fn nothing_is_built(workspace: &Workspace) -> bool {
    let built = workspace.target.join("debug");
    !STAGES.iter().any(|stage| built.join(stage.runner).exists())
}
