//! What can stop the command itself, as opposed to what a check finds.

use std::fmt;

/// The command cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The command line asks for something that is not there: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something outside the student's code failed: exit code 3. It never
    /// lowers a grade.
    #[error("{0}")]
    Infrastructure(String),
    /// Somebody pressed Ctrl-C, or the result is not wanted any more.
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// An infrastructure error: `doing` failed because of `cause`.
    pub fn infrastructure(doing: impl fmt::Display, cause: impl fmt::Display) -> LabError {
        LabError::Infrastructure(format!("{doing}: {cause}"))
    }

    /// The exit code that says so. 130 is what a shell expects after Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        match self {
            LabError::Usage(_) => 2,
            LabError::Infrastructure(_) => 3,
            LabError::Interrupted => 130,
        }
    }
}
