//! `cargo lab watch`: grades again what a save touches.
//!
//! A save while a grading runs ends it, and a new one begins. Whatever the student's
//! code does, or does not, this goes on until Ctrl-C.

use super::grade::{details, line, total};
use super::next::Below;
use super::paint::Paint;
use super::saves::{Save, Saves};
use super::say::say;
use super::screen::Screen;
use super::standing::{self, Standing};
use crate::cli::WatchArguments;
use crate::error::LabError;
use crate::grade::Progress;
use crate::interrupt;
use crate::kept::Kept;
use crate::stages::Stage;
use crate::verdict::{CheckVerdict, Outcome, StageVerdict};
use crate::workspace::Workspace;
use std::collections::BTreeMap;

/// Grades, and again after every save, until Ctrl-C.
pub(super) fn watch(workspace: &Workspace, arguments: &WatchArguments) -> Result<u8, LabError> {
    let named = arguments.stages.iter();
    let named: Result<Vec<_>, _> = named.map(|name| Stage::find(name, workspace)).collect();
    let named = named?;
    match Watch::new(workspace, named).and_then(Watch::go_on) {
        Err(LabError::Interrupted) => Ok(0),
        result => result.map(|()| 0),
    }
}

struct Watch<'a> {
    workspace: &'a Workspace,
    /// The versions asked for; none for whatever a save touches.
    named: Vec<&'static Stage>,
    /// What is still to be graded, by number.
    pending: BTreeMap<u8, &'static Stage>,
    /// The last verdict on each version when it compiled, by number.
    last: BTreeMap<u8, StageVerdict>,
    screen: Screen,
}

impl<'a> Watch<'a> {
    fn new(workspace: &'a Workspace, named: Vec<&'static Stage>) -> Result<Watch<'a>, LabError> {
        let first = match named.is_empty() {
            false => named.clone(),
            true => match standing::here(workspace)? {
                Some(here) => vec![here.stage],
                None => Stage::all_in(workspace),
            },
        };
        let mut watch = Watch {
            workspace,
            named,
            pending: BTreeMap::new(),
            last: BTreeMap::new(),
            screen: Screen::new(),
        };
        watch.touch(first);
        Ok(watch)
    }

    /// # Errors
    /// On Ctrl-C.
    fn go_on(mut self) -> Result<(), LabError> {
        let highest = self.named.iter().map(|stage| stage.number()).max();
        let mut watched = Stage::all_in(self.workspace);
        watched.retain(|stage| highest.is_none_or(|highest| stage.number() <= highest));
        let saves = Saves::watch(self.workspace, watched);
        let mut before = saves.take();
        let mut saved = Vec::new();
        loop {
            if !self.pending.is_empty() {
                self.turn(&saved)?;
            }
            saves.wait()?;
            let now = saves.take();
            saved = now.saves_since(&before);
            let touched = self.touched(&saved);
            self.touch(touched);
            before = now;
        }
    }

    /// Grades what is pending, or as much of it as nobody abandons.
    ///
    /// # Errors
    /// On Ctrl-C.
    fn turn(&mut self, saved: &[Save]) -> Result<(), LabError> {
        self.announce(saved);
        match self.grade_pending() {
            Err(LabError::Interrupted) if !interrupt::is_final() => return Ok(()),
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            Err(error) => {
                self.screen.begin();
                say!("{error}");
            }
            Ok(()) => {}
        }
        say!("\n{}", self.screen.paint.faint(WAITING));
        Ok(())
    }

    fn touch(&mut self, stages: Vec<&'static Stage>) {
        let numbered = stages.into_iter().map(|stage| (stage.number(), stage));
        self.pending.extend(numbered);
    }

    /// The versions that are built from what was saved: of those that were asked
    /// for, or else the saved ones and those above that have been begun.
    fn touched(&self, saved: &[Save]) -> Vec<&'static Stage> {
        let Some(lowest) = saved.iter().map(|save| save.stage.number()).min() else {
            return Vec::new();
        };
        let mut stages = match self.named.is_empty() {
            true => Stage::all_in(self.workspace),
            false => self.named.clone(),
        };
        stages.retain(|stage| stage.number() >= lowest);
        if self.named.is_empty() {
            let is_saved = |stage: &Stage| saved.iter().any(|save| save.stage == stage);
            stages.retain(|stage| is_saved(stage) || self.is_begun(stage));
        }
        stages
    }

    /// A version that cannot be read has not been begun.
    fn is_begun(&self, stage: &'static Stage) -> bool {
        let standing = Standing::of_sources(self.workspace, stage).ok().flatten();
        standing.is_some_and(|standing| standing.is_begun())
    }

    fn announce(&mut self, saved: &[Save]) {
        let names: Vec<_> = self.pending.values().map(|stage| stage.name).collect();
        let what = match saved {
            [] => String::from("watching"),
            [one] => format!("saved {}:", one.file),
            [one, more @ ..] => format!("saved {} and {} more:", one.file, more.len()),
        };
        self.screen
            .announce(format!("{what} {}", names.join(", then ")));
    }

    /// # Errors
    /// On Ctrl-C and on a save; what is pending then stays so.
    fn grade_pending(&mut self) -> Result<(), LabError> {
        let mut is_first = true;
        while let Some((number, stage)) = self.pending.iter().map(|(n, s)| (*n, *s)).next() {
            let verdict = self.verdict(stage, is_first)?;
            self.pending.remove(&number);
            let before = self.last.get(&number);
            if is_first {
                let below = Below::of(&verdict, &Kept::look(self.workspace)?);
                details(self.screen.paint, &verdict, &below, 1);
            } else {
                say!("\n{}", total(&verdict));
            }
            if let Some(before) = before.filter(|_| is_whole(&verdict)) {
                say_changes(self.screen.paint, before, &verdict);
            }
            if !verdict.compiles {
                // Those above stand on it.
                self.pending.clear();
            }
            if is_whole(&verdict) {
                self.last.insert(number, verdict);
            }
            is_first = false;
        }
        Ok(())
    }

    /// The verdict on a version; of the first one the checks are shown as they come.
    fn verdict(&mut self, stage: &'static Stage, is_first: bool) -> Result<StageVerdict, LabError> {
        let screen = &mut self.screen;
        let paint = screen.paint;
        let show = |screen: &mut Screen, check: &CheckVerdict| {
            screen.begin();
            if is_first {
                say!("{}", line(paint, check));
            }
        };
        if let Some(verdict) = Kept::look(self.workspace)?.verdict(stage) {
            verdict.checks.iter().for_each(|check| show(screen, check));
            return Ok(verdict);
        }
        let verdict = standing::grade(self.workspace, stage, |progress| match progress {
            Progress::Compiling(stage) => screen.note(&format!("(building {} …)", stage.name)),
            Progress::Compiled => screen.note("(running its guests …)"),
            Progress::Made(check) => show(screen, check),
            Progress::Chosen(_) => {}
        })?;
        screen.begin();
        Ok(verdict)
    }
}

const WAITING: &str = "save a file to have it graded again; Ctrl-C ends this";

/// Whether a verdict says how each check comes out.
fn is_whole(verdict: &StageVerdict) -> bool {
    verdict.compiles && !verdict.has_errors()
}

/// What is not as it was the time before.
fn say_changes(paint: Paint, before: &StageVerdict, now: &StageVerdict) {
    let changes = changes(paint, before, now);
    if changes.is_empty() {
        say!("\nsince the time before: no check comes out differently");
        return;
    }
    let (from, to) = (before.points, now.points);
    say!("\nsince the time before: {from} → {to} points");
    for change in changes {
        say!("  {change}");
    }
}

/// A line for each check that comes out differently, the good news first.
fn changes(paint: Paint, before: &StageVerdict, now: &StageVerdict) -> Vec<String> {
    let outcome_before = |name: &str| {
        let mut checks = before.checks.iter();
        let check = checks.find(|check| check.name == name)?;
        Some((check.outcome, check.is_not_yet()))
    };
    let is_changed = |check: &&CheckVerdict| {
        outcome_before(&check.name) != Some((check.outcome, check.is_not_yet()))
    };
    let mut changed: Vec<_> = now.checks.iter().filter(is_changed).collect();
    changed.sort_by_key(|check| (check.outcome != Outcome::Pass, !check.is_not_yet()));
    let passed =
        |name: &str| outcome_before(name).is_some_and(|(outcome, _)| outcome == Outcome::Pass);
    let line = |check: &CheckVerdict| {
        let name = &check.name;
        match (check.outcome, hole(check)) {
            (Outcome::Pass, _) => format!("{} {name}", paint.good("passes now  ")),
            (_, Some(hole)) if !passed(name) => {
                let word = paint.open("waits now   ");
                format!("{word} {name} is no mistake any more: waits for {hole}")
            }
            _ => format!("{} {name}", paint.bad("fails now   ")),
        }
    };
    changed.into_iter().map(line).collect()
}

/// The exercise that a check waits for.
fn hole(check: &CheckVerdict) -> Option<&str> {
    check.failure.as_ref()?.not_yet.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::testing;

    /// A verdict with one check.
    fn verdict(outcome: Outcome, not_yet: Option<&str>) -> StageVerdict {
        testing::stage(
            "v1",
            vec![testing::check("console-is-right", outcome, not_yet)],
        )
    }

    #[test]
    fn a_mistake_that_was_mended_up_to_the_next_hole_is_a_difference_and_so_is_the_way_back() {
        let wrong = verdict(Outcome::Fail, None);
        let waits = verdict(Outcome::Fail, Some("v1-E4"));
        let right = verdict(Outcome::Pass, None);
        let change = |before, now| changes(Paint::plain(), before, now).concat();
        assert_eq!(
            change(&wrong, &waits),
            "waits now    console-is-right is no mistake any more: waits for v1-E4"
        );
        let fails = "fails now    console-is-right";
        for (before, now) in [(&waits, &wrong), (&right, &wrong), (&right, &waits)] {
            assert_eq!(change(before, now), fails);
        }
        assert_eq!(change(&waits, &right), "passes now   console-is-right");
        assert_eq!(change(&waits, &waits), "");
    }
}
