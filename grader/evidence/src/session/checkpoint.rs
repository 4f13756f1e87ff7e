//! A checkpoint: a process that stays behind.
//!
//! The one place of this crate with unsafe code: `fork`.

#![allow(unsafe_code)]

use super::protocol::Gone;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, alarm, fork};

/// The exit code of a process that was asked to go back.
const RETREAT: i32 = 115;

/// Seconds of the host's clock in which the guest must come to another
/// instruction. Between two of them there are microseconds of the version's code.
const PATIENCE: u32 = 10;

/// In which process one is.
pub(super) enum Made {
    /// In the one that goes on.
    Above,
    /// In the checkpoint, and the one above is gone.
    Below(Gone),
}

/// Stays behind as a checkpoint, and goes on in a process above it.
///
/// # Errors
/// If the host refuses another process.
pub(super) fn make() -> Result<Made, Errno> {
    be_patient();
    // SAFETY: after a fork in a program of several threads, the child may not rely
    // on what another thread was about to do. A runner has one thread here: it
    // refuses orders with threads of the host, and nobody else of ours starts one.
    // Threads that a version's code has started are not in the child, and what
    // they would have done is not done there; the child itself goes on with the
    // memory and the stack of this thread, which are its own copies.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(Made::Above),
        ForkResult::Parent { child } => Ok(Made::Below(wait(child))),
    }
}

fn wait(child: Pid) -> Gone {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, RETREAT)) => return Gone::Retreated,
            Ok(WaitStatus::Exited(_, code)) => return Gone::Exited(code),
            Ok(WaitStatus::Signaled(_, Signal::SIGALRM, _)) => return Gone::Hung,
            Ok(WaitStatus::Signaled(_, signal, _)) => return Gone::Signal(signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            // There is nobody to wait for.
            Err(_) => return Gone::Exited(RETREAT),
        }
    }
}

/// Ends this process: the checkpoint below it goes on.
pub(super) fn retreat() -> ! {
    std::process::exit(RETREAT)
}

/// From now on the guest must come to another instruction in time, or this
/// process ends.
pub(super) fn hurry() {
    alarm::set(PATIENCE);
}

/// Takes back [`hurry`].
pub(super) fn be_patient() {
    alarm::cancel();
}
