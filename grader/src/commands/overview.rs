//! `cargo lab` alone: where you stand, and what is next.
//!
//! What is known of the files as they are is not graded again, and a version that
//! nobody has begun is not graded at all: so this answers at once, and yet cannot
//! be out of date.

use super::paint::{Paint, bar};
use super::say::say;
use super::standing::Standing;
use crate::error::LabError;
use crate::exercises::Exercise;
use crate::kept::Kept;
use crate::stages::{STAGES, Stage};
use crate::verdict::StageVerdict;
use crate::workspace::Workspace;

/// What is said below the table.
#[derive(Default)]
struct Table {
    /// The first version in which something is open, and what.
    next: Option<(Standing, &'static Exercise)>,
    graded: Vec<&'static str>,
    known: Vec<&'static str>,
    not_begun: Vec<&'static str>,
    /// What kept a version from being graded.
    trouble: Option<String>,
}

/// Shows every version with its exercises and points, and the next step.
pub(super) fn show(workspace: &Workspace) -> Result<u8, LabError> {
    let paint = Paint::stdout();
    say!("Heptavisor: a hypervisor in seven versions\n");
    let here = Stage::all_in(workspace);
    let kept = Kept::look(workspace)?;
    let mut table = Table::default();
    for stage in STAGES {
        let standing = match here.contains(&stage) {
            true => Standing::known(workspace, &kept, stage)?,
            false => None,
        };
        match standing {
            Some(standing) => table.add(paint, workspace, standing)?,
            None => {
                let to_come = paint.faint("to come");
                say!("  {}  {:14} {to_come}", stage.name, stage.title);
            }
        }
    }
    table.say_how_it_is_known(paint);
    match &table.next {
        Some((standing, exercise)) => show_next(standing, exercise),
        None => {
            say!("\nEverything here is done. See `cargo lab list` for guests to play with.");
        }
    }
    match table.trouble {
        Some(reason) => Err(LabError::Infrastructure(reason)),
        None => Ok(0),
    }
}

impl Table {
    /// Adds a version's line, and grades it if need be.
    fn add(
        &mut self,
        paint: Paint,
        workspace: &Workspace,
        mut standing: Standing,
    ) -> Result<(), LabError> {
        let stage = standing.stage;
        let is_wanted = standing.is_begun() || self.next.is_none();
        match (&standing.verdict, is_wanted) {
            (Some(_), _) => self.known.push(stage.name),
            (None, true) => {
                standing.grade(workspace)?;
                self.graded.push(stage.name);
            }
            (None, false) => self.not_begun.push(stage.name),
        }
        let open = standing.open();
        let next = open.first().filter(|_| self.next.is_none()).copied();
        let all = standing.course.exercises.len() as u32;
        let done = all - open.len() as u32;
        let points = points(paint, standing.verdict.as_ref());
        let here = next.map_or("", |_| "  ← you are here");
        let line = format!(
            "  {}  {:14} {}  {done}/{all}  {points}{here}",
            stage.name,
            stage.title,
            bar(done, all)
        );
        say!("{}", line.trim_end());
        let errors = standing
            .verdict
            .iter()
            .filter(|verdict| verdict.has_errors());
        let mut reasons = errors.flat_map(|verdict| &verdict.checks);
        let reason = reasons.find_map(|check| check.reason.clone());
        self.trouble = self.trouble.take().or(reason);
        if let Some(exercise) = next {
            self.next = Some((standing, exercise));
        }
        Ok(())
    }

    fn say_how_it_is_known(&self, paint: Paint) {
        let parts = [
            ("graded just now", &self.graded),
            ("unchanged since it was graded", &self.known),
            ("not begun", &self.not_begun),
        ];
        let said = parts.iter().filter(|(_, names)| !names.is_empty());
        let said: Vec<_> = said
            .map(|(how, names)| format!("{how}: {}", names.join(" ")))
            .collect();
        say!("\n  {}", paint.faint(&said.join(" · ")));
    }
}

/// The points, as wide as `100 points`.
fn points(paint: Paint, verdict: Option<&StageVerdict>) -> String {
    match verdict {
        None => " ".repeat("100 points".len()),
        Some(verdict) if verdict.has_errors() => paint.bad("could not be graded"),
        Some(verdict) if !verdict.compiles => paint.bad("does not compile"),
        Some(verdict) if verdict.announced.is_none() => format!("{:>3} points", verdict.points),
        Some(verdict) => format!("{:>3} points; {}", verdict.points, verdict.announced),
    }
}

fn show_next(standing: &Standing, exercise: &Exercise) {
    let stage = standing.stage.name;
    let place = standing.places(exercise).into_iter().next();
    let place = place.map(|place| format!(", {place}")).unwrap_or_default();
    say!("\nNext: {} \"{}\"{place}", exercise.name, exercise.title);
    let command = |what: String, why: &str| say!("      cargo lab {what:18} {why}");
    command(format!("grade {stage}"), "see what it does now");
    command(format!("watch {stage}"), "the same after every save");
    command(format!("hint {}", exercise.name), "a nudge, not the answer");
    command(format!("run {stage} --trace"), "watch the guest");
}
