//! The checks: what is asked of each version, and what is said when it is not
//! met.
//!
//! A check runs guests and holds what the machine saw against what must be so.
//! It asks for invariants, not for one solution's way of doing it, and it never
//! looks at the student's code.

mod announced;
mod bench;
mod failure;
mod host_run;
mod interrupts;
mod misstep;
mod naps;
pub mod on_kvm;
mod orders;
mod run;
mod v1;
mod v2;
mod v3;
mod v4;
mod v5;
mod v6;
mod v7;

pub use announced::Announced;
pub use bench::Bench;
pub use failure::{Failure, Problem};
pub use host_run::{HostRun, Stay};
pub use on_kvm::OnKvm;
pub use run::Run;
pub(crate) use run::command as command_of_guest;

use crate::error::LabError;
use crate::exercises::Exercise;
use crate::stages::Stage;
use crate::suggest;

/// The checks that run the guests of the versions below again. A mistake in one of
/// those versions may be the reason why they fail.
const OF_THE_VERSIONS_BELOW: [&str; 3] = [
    "version-1-still-runs",
    "versions-before-still-run",
    "older-guests-run-as-before",
];

/// Whether the check of this name runs the guests of the versions below.
pub fn is_of_the_versions_below(check: &str) -> bool {
    OF_THE_VERSIONS_BELOW.contains(&check)
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Lower case with hyphens.
    pub name: &'static str,
    /// What it is worth; all of a version's checks together give 100.
    pub points: u32,
    /// What it tests, in one sentence without its full stop.
    pub tests: &'static str,
    /// The exercises that decide it.
    pub exercises: &'static [&'static str],
    /// Whether it is made on kvm.
    pub on_kvm: OnKvm,
    /// Does it.
    pub run: fn(&Bench<'_>) -> Result<(), Problem>,
}

/// What is asked of one version.
#[derive(Clone, Copy)]
pub struct Course {
    /// What the student builds.
    pub exercises: &'static [Exercise],
    /// How it is checked, in the order in which a student gets there.
    pub checks: &'static [Check],
}

impl Course {
    /// What is asked of `stage`; `None` if that is still to come.
    pub fn of(stage: &Stage) -> Option<Course> {
        match stage.name {
            "v1" => Some(v1::COURSE),
            "v2" => Some(v2::COURSE),
            "v3" => Some(v3::COURSE),
            "v4" => Some(v4::COURSE),
            "v5" => Some(v5::COURSE),
            "v6" => Some(v6::COURSE),
            "v7" => Some(v7::COURSE),
            _ => None,
        }
    }

    /// The check of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn check(&self, name: &str) -> Result<&'static Check, LabError> {
        let found = self.checks.iter().find(|check| check.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = self.checks.iter().map(|check| check.name).collect();
            suggest::unknown("check", name, &known, "See `cargo lab list`.")
        })
    }

    /// The points of all checks.
    pub fn points(&self) -> u32 {
        self.checks.iter().map(|check| check.points).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    fn courses() -> impl Iterator<Item = Course> {
        STAGES.iter().filter_map(Course::of)
    }

    #[test]
    fn no_version_runs_older_guests_without_one_below_it() {
        for name in OF_THE_VERSIONS_BELOW {
            assert!(v1::COURSE.check(name).is_err(), "{name}");
            let mut later = courses().skip(1);
            assert!(later.any(|course| course.check(name).is_ok()), "{name}");
        }
    }

    #[test]
    fn the_points_of_each_version_make_a_hundred() {
        for stage in STAGES {
            let points = Course::of(stage).unwrap().points();
            let later = Announced::of(stage.name).points;
            assert_eq!(points + later, 100, "{}", stage.name);
        }
    }

    /// Version 3 adds nothing but to the virtual CPU.
    #[test]
    fn on_kvm_something_is_left_to_check_of_every_version_but_the_third() {
        let complete = kvm::Report { findings: vec![] };
        for stage in STAGES {
            let course = Course::of(stage).unwrap();
            let made = |check: &&Check| check.on_kvm.reason(&complete).is_none();
            let made = course.checks.iter().filter(made).count();
            assert_eq!(made > 0, stage.name != "v3", "{}", stage.name);
            assert!(made < course.checks.len(), "{}", stage.name);
        }
    }

    #[test]
    fn checks_name_exercises_that_exist_and_every_exercise_is_checked() {
        for course in courses() {
            let exists = |name: &str| course.exercises.iter().any(|one| one.name == name);
            let decides = |check: &Check, name| check.exercises.contains(&name);
            for check in course.checks {
                assert!(
                    check.exercises.iter().all(|name| exists(name)),
                    "{}",
                    check.name
                );
                assert!(!check.tests.ends_with('.'), "{}", check.name);
            }
            for exercise in course.exercises {
                assert!(
                    course
                        .checks
                        .iter()
                        .any(|check| decides(check, exercise.name))
                );
            }
        }
    }
}
