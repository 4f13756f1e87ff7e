//! What is told about a check that was not met.

use crate::error::LabError;
use common::Time;
use evidence::Engine;

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
    /// The command that steps through it from the first difference on; empty if
    /// nobody can.
    pub step: String,
}

/// The command that steps through a run from shortly before `time` on, where the run
/// itself is made by the command `run`. Empty if there is no run of which every
/// repetition is the same.
pub(super) fn step(run: &str, engine: Engine, time: Option<Time>) -> String {
    let repeats = engine == Engine::Interp && !run.contains("--order threads");
    match (run.strip_prefix("cargo lab run"), time) {
        (Some(rest), Some(Time(time))) if repeats => {
            format!("cargo lab step{rest} --at {}", time.saturating_sub(1))
        }
        _ => String::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_stepped_through_from_just_before_the_difference() {
        let run = "cargo lab run v2 --guest ticks --seed 7";
        let at = |time| step(run, Engine::Interp, Some(Time(time)));
        assert_eq!(
            at(5_000),
            "cargo lab step v2 --guest ticks --seed 7 --at 4999"
        );
        assert!(at(0).ends_with("--at 0"));
    }

    #[test]
    fn what_does_not_repeat_is_not_stepped_through() {
        let time = Some(Time(5));
        let run = "cargo lab run v6 --vm hog --order threads --seed 1";
        assert_eq!(step(run, Engine::Interp, time), "");
        assert_eq!(step("cargo lab run v6 --vm hog", Engine::Kvm, time), "");
        assert_eq!(step("cargo lab run v6 --vm hog", Engine::Interp, None), "");
    }
}
