//! `cargo lab list`: everything that has a name.

use super::say::say;
use crate::checks::{Announced, Course};
use crate::error::LabError;
use crate::guest::Guest;
use crate::stages::{STAGES, Stage};
use crate::workspace::Workspace;

/// Shows the versions with their guests, exercises and checks.
pub(super) fn show(workspace: &Workspace) -> Result<u8, LabError> {
    let here = Stage::all_in(workspace);
    for stage in &here {
        say!("{}  {}", stage.name, stage.title);
        say!("\n  guests");
        for guest in Guest::made_for(stage) {
            say!("    {:26} {}", guest.name(), guest.about());
        }
        let Some(course) = Course::of(stage) else {
            continue;
        };
        say!("\n  exercises");
        for exercise in course.exercises {
            say!("    {:26} {}", exercise.name, exercise.title);
        }
        say!("\n  checks");
        for check in course.checks {
            say!("    {:26} {:>3}  {}", check.name, check.points, check.tests);
        }
        let announced = Announced::of(stage.name);
        if !announced.is_none() {
            say!("    and {announced}");
        }
        say!("");
    }
    let later: Vec<_> = STAGES
        .iter()
        .filter(|stage| !here.contains(stage))
        .collect();
    if !later.is_empty() {
        let names: Vec<_> = later
            .iter()
            .map(|one| format!("{} {}", one.name, one.title))
            .collect();
        say!("still to come: {}", names.join(", "));
    }
    Ok(0)
}
