//! `cargo lab confined --read … FOLDER PROGRAM …`: runs the compiler on a submission. Not
//! for people: a batch calls its own program so.
//!
//! A process can confine itself without a line of unsafe code, and cannot so
//! confine another. So this one gives up what the compiler does not need, and then
//! becomes the compiler.

use crate::cli_class::ConfinedArguments;
use crate::error::LabError;
use evidence::confine::Confinement;
use std::process::Command;

/// Becomes the program, confined to the folder.
#[cfg(unix)]
pub(super) fn run(arguments: &ConfinedArguments) -> Result<u8, LabError> {
    use std::os::unix::process::CommandExt;
    limit().map_err(|error| LabError::infrastructure("limits cannot be set", error))?;
    let confinement = Confinement::of_compiler(arguments.folder.clone(), arguments.read.clone());
    confinement.enter().map_err(LabError::Infrastructure)?;
    let mut command = Command::new(&arguments.program);
    let error = command.args(&arguments.arguments).exec();
    Err(LabError::infrastructure(
        format!("{} cannot be run", arguments.program.display()),
        error,
    ))
}

/// Elsewhere a process cannot become another: it runs it.
#[cfg(not(unix))]
pub(super) fn run(arguments: &ConfinedArguments) -> Result<u8, LabError> {
    let status = Command::new(&arguments.program)
        .args(&arguments.arguments)
        .status();
    let status = status.map_err(|error| LabError::infrastructure("the compiler", error))?;
    Ok(status
        .code()
        .and_then(|code| code.try_into().ok())
        .unwrap_or(101))
}

/// What compiling one crate may take; the reference's largest takes two seconds.
#[cfg(unix)]
fn limit() -> nix::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const SECONDS: u64 = 60;
    const MEMORY: u64 = 6 << 30;
    const FILE: u64 = 512 << 20;
    for (resource, limit, spare) in [
        (Resource::RLIMIT_CPU, SECONDS, 2),
        (Resource::RLIMIT_AS, MEMORY, 0),
        (Resource::RLIMIT_FSIZE, FILE, 0),
        (Resource::RLIMIT_CORE, 0, 0),
    ] {
        let (_, hard) = getrlimit(resource)?;
        // Between the two the signal comes that says why.
        setrlimit(resource, limit.min(hard), (limit + spare).min(hard))?;
    }
    Ok(())
}
