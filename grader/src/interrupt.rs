//! What ends the work at hand before it is done: Ctrl-C, or that nobody wants its
//! result any more.
//!
//! Both only set a flag. Whoever waits for a child looks at it, kills the child and
//! returns [`LabError::Interrupted`], so that temporary folders are removed on the
//! way out as on every other way. Ctrl-C holds for good; what was abandoned may be
//! begun anew.

use crate::error::LabError;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LENT: AtomicBool = AtomicBool::new(false);
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// From now on notes Ctrl-C.
pub fn listen() {
    // Without a handler Ctrl-C simply ends the program: no reason to give up.
    let _ = ctrlc::set_handler(|| {
        if !LENT.load(Ordering::Acquire) {
            INTERRUPTED.store(true, Ordering::Release);
        }
    });
}

/// From now on Ctrl-C is meant for a program that has the terminal, and that this
/// one waits for.
pub fn lend() {
    LENT.store(true, Ordering::Release);
}

/// Whether the work at hand shall end, as an error.
///
/// # Errors
/// [`LabError::Interrupted`] if so, whatever the reason.
pub fn check() -> Result<(), LabError> {
    match is_final() || is_abandoned() {
        true => Err(LabError::Interrupted),
        false => Ok(()),
    }
}

/// The same for work that is only cut off by Ctrl-C.
///
/// # Errors
/// [`LabError::Interrupted`] after Ctrl-C.
pub fn check_final() -> Result<(), LabError> {
    match is_final() {
        true => Err(LabError::Interrupted),
        false => Ok(()),
    }
}

/// Whether somebody pressed Ctrl-C.
pub fn is_final() -> bool {
    INTERRUPTED.load(Ordering::Acquire)
}

/// Whether the result of the work at hand is not wanted any more.
pub fn is_abandoned() -> bool {
    ABANDONED.load(Ordering::Acquire)
}

/// Says that it is not.
pub fn abandon() {
    ABANDONED.store(true, Ordering::Release);
}

/// Says that the work that begins now is wanted.
pub fn begin_anew() {
    ABANDONED.store(false, Ordering::Release);
}
