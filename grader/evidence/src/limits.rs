//! What a runner's process may take from the host.

use std::io;

/// From now on this process can neither take the host's memory nor fill its
/// disk, and does not outlive a grader that died: it has `guests` bytes for its
/// guests and a gibibyte of its own, and so many seconds of the CPU.
///
/// # Errors
/// If the host refuses a limit.
#[cfg(unix)]
pub(crate) fn set(guests: u64, patience: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    set_memory(guests)?;
    // A second between the two, or the signal that says why never comes.
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    let patience = patience.min(hard);
    let end = patience.saturating_add(1).min(hard);
    Ok(setrlimit(Resource::RLIMIT_CPU, patience, end)?)
}

/// The same without a limit of time.
///
/// # Errors
/// If the host refuses a limit.
#[cfg(unix)]
pub(crate) fn set_memory(guests: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const OWN_MEMORY: u64 = 1 << 30;
    const FILE: u64 = 256 << 20;
    for (resource, limit) in [
        (Resource::RLIMIT_AS, OWN_MEMORY + guests),
        (Resource::RLIMIT_FSIZE, FILE),
        (Resource::RLIMIT_CORE, 0),
    ] {
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, limit.min(hard), limit.min(hard))?;
    }
    Ok(())
}

/// Other hosts have no such limits: there the grader's own backstop has to do.
#[cfg(not(unix))]
pub(crate) fn set(_guests: u64, _patience: u64) -> io::Result<()> {
    Ok(())
}

/// As [`set`].
#[cfg(not(unix))]
pub(crate) fn set_memory(_guests: u64) -> io::Result<()> {
    Ok(())
}
