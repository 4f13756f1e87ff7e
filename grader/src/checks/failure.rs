//! What is told about a check that was not met.

use crate::error::LabError;

/// Why a check did not pass.
#[derive(Debug)]
pub enum Problem {
    /// The student's code is not right, or not there yet.
    Failed(Box<Failure>),
    /// The check could not be made; that is not the student's doing.
    Lab(LabError),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        Problem::Failed(Box::new(failure))
    }
}

impl From<LabError> for Problem {
    fn from(error: LabError) -> Problem {
        Problem::Lab(error)
    }
}

/// What was expected, what was seen, and where the two part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What a right solution does.
    pub expected: String,
    /// What this one did.
    pub seen: String,
    /// What happened around the first difference, oldest first.
    pub moments: Vec<String>,
    /// The guest's registers at the end, if they are known and tell something.
    pub registers: Vec<String>,
    /// A question that leads on.
    pub thought: String,
    /// The exercises that decide this failure, if fewer than the check's.
    pub exercises: Vec<String>,
    /// The hole that was reached: a check that is not met *yet*.
    pub not_yet: Option<String>,
    /// The command that shows the same run.
    pub look: String,
}

impl Failure {
    /// The same with a question.
    #[must_use]
    pub fn thought(mut self, thought: impl Into<String>) -> Failure {
        self.thought = thought.into();
        self
    }

    /// The same, decided by one of the check's exercises.
    #[must_use]
    pub fn by(mut self, exercise: &str) -> Failure {
        self.exercises = vec![exercise.to_string()];
        self
    }
}
