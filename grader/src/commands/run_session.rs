//! The run that a command line asks for, as a session: for the stepper and the
//! debugger.

use super::{run, run_host};
use crate::cli::{EngineName, RunArguments};
use crate::error::LabError;
use crate::session::Session;
use crate::stages::Stage;
use crate::workspace::Workspace;
use evidence::Engine;

/// The run that is asked for, which stands at its beginning.
///
/// # Errors
/// What is wrong with it.
pub(super) fn session(
    workspace: &Workspace,
    arguments: &RunArguments,
) -> Result<Option<Session>, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    if arguments.engine == EngineName::Kvm {
        return Err(LabError::Usage(String::from(
            "--engine kvm makes no sense here: KVM can stop a guest at breakpoints and after each \
             instruction, but it cannot take it back, no run there is like another, and nobody \
             sees what the CPU decides between guest and monitor. Step on interp, the software \
             CPU: leave --engine out.",
        )));
    }
    run::refuse(
        &[("trace", arguments.trace)],
        "every moment is shown anyway",
    )?;
    let runner = |stage| run::runner(workspace, stage);
    if stage.has_many_vms() {
        let order = run_host::order(stage, Engine::Interp, arguments)?;
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
    let order = run::order(stage, Engine::Interp, arguments)?;
    let Some(runner) = runner(stage)? else {
        return Ok(None);
    };
    Session::begin(&runner, &order).map(Some)
}

/// Takes the time to begin at out of the values of `--at`: the one that is only a
/// number. The others are for the VMs.
///
/// # Errors
/// If there are several.
pub(super) fn take_begin(run: &mut RunArguments) -> Result<Option<u64>, LabError> {
    let at = std::mem::take(&mut run.host.at);
    let (times, deeds): (Vec<_>, Vec<_>) =
        at.into_iter().partition(|text| text.parse::<u64>().is_ok());
    run.host.at = deeds;
    match &times[..] {
        [] => Ok(None),
        [time] => Ok(time.parse().ok()),
        _ => Err(LabError::Usage(String::from(
            "--at is given several times with nothing but a time: where to begin?",
        ))),
    }
}
