//! The verdict: what is said at the end, as values and as versioned JSON.
//!
//! The JSON holds neither times nor absolute paths: the same sources and seed
//! give the same bytes, on every host and under any load. A version's verdict
//! can be read back from it, so that it may be kept.

use crate::checks::Announced;
use crate::exercises::Place;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The format of the JSON.
pub const SCHEMA: &str = "heptavisor/verdict/v1";

/// The verdict on one or more versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which engine was asked for.
    pub engine: &'static str,
    /// The seed that the guests were made from.
    pub seed: u64,
    /// One entry for each version, in the order asked for.
    pub stages: Vec<StageVerdict>,
}

/// The verdict on one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageVerdict {
    /// Such as `v1`.
    pub stage: Cow<'static, str>,
    /// What its VM can do.
    pub title: Cow<'static, str>,
    /// Which engine the guests ran on.
    pub engine: Cow<'static, str>,
    /// Whether it compiles.
    pub compiles: bool,
    /// The compiler's words if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<String>,
    /// Points reached.
    pub points: u32,
    /// Points that can be reached in the checks that were made.
    pub of: u32,
    /// Points of checks that are not made on this engine: neither reached nor lost.
    pub skipped: u32,
    /// Checks that count, and are not in this tree: they come later.
    #[serde(default, skip_serializing_if = "Announced::is_none")]
    pub announced: Announced,
    /// The checks, in the order in which a student gets there.
    pub checks: Vec<CheckVerdict>,
    /// The first exercise with a hole in the sources, for the person who asks
    /// what is next; no part of the verdict.
    #[serde(skip)]
    pub first_hole: Option<Decides>,
}

/// The verdict of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckVerdict {
    /// The check.
    pub name: Cow<'static, str>,
    /// What it tests.
    pub tests: Cow<'static, str>,
    /// Points reached.
    pub points: u32,
    /// Points that can be reached.
    pub of: u32,
    /// How it came out.
    pub outcome: Outcome,
    /// Why it was skipped, or what kept it from being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What there is to know if it was not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Met.
    Pass,
    /// Not met.
    Fail,
    /// Not made: the version does not compile, or the engine cannot show it.
    Skipped,
    /// Not made, for a reason outside the student's code.
    Error,
}

/// What there is to know about a check that was not met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct FailureReport {
    /// What a right solution does.
    pub expected: String,
    /// What this one did.
    pub seen: String,
    /// The exercise whose hole was reached, if that is all that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_yet: Option<String>,
    /// What happened around the first difference.
    pub moments: Vec<String>,
    /// The guest's registers at the end.
    pub registers: Vec<String>,
    /// The exercises that decide, and where they stand.
    #[serde(rename = "where")]
    pub places: Vec<Decides>,
    /// A question that leads on.
    pub thought: String,
    /// The command that makes this check again.
    pub again: String,
    /// The command that shows the guest's run.
    pub look: String,
    /// The command that steps through it from the first difference on; empty if
    /// nobody can.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
}

/// An exercise and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decides {
    /// Such as `v1-E3`.
    pub exercise: String,
    /// Where in the stage's sources.
    pub places: Vec<String>,
}

impl Decides {
    /// An exercise at these places.
    pub fn new(exercise: &str, places: &[Place]) -> Decides {
        Decides {
            exercise: exercise.to_string(),
            places: places.iter().map(Place::to_string).collect(),
        }
    }
}

impl Verdict {
    /// The exit code that says how it came out: 0 if every check that is made on
    /// the engine was met, 1 if one was not, 3 if one could not be made.
    pub fn exit_code(&self) -> u8 {
        let outcomes = || {
            self.stages
                .iter()
                .flat_map(|stage| &stage.checks)
                .map(|one| one.outcome)
        };
        let compiles = self.stages.iter().all(|stage| stage.compiles);
        if outcomes().any(|outcome| outcome == Outcome::Error) {
            3
        } else if !compiles || outcomes().any(|outcome| outcome == Outcome::Fail) {
            1
        } else {
            0
        }
    }

    /// As JSON, with a line end.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a verdict is made of strings and numbers") + "\n"
    }
}

impl StageVerdict {
    /// Whether something could not be graded, through no fault of the student.
    pub fn has_errors(&self) -> bool {
        let mut outcomes = self.checks.iter().map(|check| check.outcome);
        outcomes.any(|outcome| outcome == Outcome::Error)
    }
}

impl CheckVerdict {
    /// Whether the check was not met only because a hole is still open.
    pub fn is_not_yet(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| failure.not_yet.is_some())
    }
}

/// Verdicts for the tests of those who show them.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A version with these checks.
    pub(crate) fn stage(name: &'static str, checks: Vec<CheckVerdict>) -> StageVerdict {
        StageVerdict {
            stage: name.into(),
            title: "a title".into(),
            engine: "interp".into(),
            compiles: true,
            diagnostics: None,
            points: 0,
            of: 100,
            skipped: 0,
            announced: Announced::default(),
            checks,
            first_hole: None,
        }
    }

    /// A check, and the exercise that it waits for.
    pub(crate) fn check(
        name: &'static str,
        outcome: Outcome,
        not_yet: Option<&str>,
    ) -> CheckVerdict {
        let failure = FailureReport {
            not_yet: not_yet.map(String::from),
            ..FailureReport::default()
        };
        CheckVerdict {
            name: name.into(),
            tests: "something".into(),
            points: 0,
            of: 10,
            outcome,
            reason: None,
            failure: (outcome == Outcome::Fail).then_some(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(outcome: Outcome, compiles: bool) -> Verdict {
        let check = testing::check("check", outcome, None);
        let stage = StageVerdict {
            compiles,
            ..testing::stage("v1", vec![check])
        };
        Verdict {
            schema: SCHEMA,
            engine: "kvm",
            seed: 1,
            stages: vec![stage],
        }
    }

    #[test]
    fn what_an_engine_cannot_show_is_no_failure_and_what_does_not_compile_is() {
        for (outcome, compiles, code) in [
            (Outcome::Pass, true, 0),
            (Outcome::Skipped, true, 0),
            (Outcome::Skipped, false, 1),
            (Outcome::Fail, true, 1),
            (Outcome::Error, true, 3),
        ] {
            let verdict = verdict(outcome, compiles);
            assert_eq!(verdict.exit_code(), code, "{outcome:?} {compiles}");
        }
    }
}
