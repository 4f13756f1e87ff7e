//! Ctrl-C: noted, and acted on where nothing is left lying about.
//!
//! The handler only sets a flag. Whoever waits for a child looks at it, kills
//! the child and returns [`LabError::Interrupted`], so that temporary folders
//! are removed on the way out as on every other way.

use crate::error::LabError;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on notes Ctrl-C.
pub fn listen() {
    // Without a handler Ctrl-C simply ends the program: no reason to give up.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Release));
}

/// Whether somebody pressed Ctrl-C, as an error.
///
/// # Errors
/// [`LabError::Interrupted`] if so.
pub fn check() -> Result<(), LabError> {
    match INTERRUPTED.load(Ordering::Acquire) {
        true => Err(LabError::Interrupted),
        false => Ok(()),
    }
}
