//! Results in the formats of others: gradebooks, course systems, test viewers,
//! detectors of copied code, and pages for people.
//!
//! An export only says again what the records say. It gives no points, and what a
//! student wrote or made the grader say is escaped wherever it stands.
//!
//! What is made for students (Gradescope, Classroom 50, their own pages) has
//! nothing of a check that the course [hides](Config::hides), and no sum in which it
//! counts: see [`seen`]. The rest is for the instructor.

mod classroom50;
mod gradebook;
mod gradescope;
mod html;
mod json;
mod junit;
mod markup;
mod seen;
mod similarity;

use crate::batch::config::Config;
use crate::batch::record::{Record, StageRecord};
use crate::batch::roster::{Roster, Student};
use crate::batch::score::{Grade, grade};
use crate::batch::time::Moment;
use crate::error::LabError;
use crate::verdict::{CheckVerdict, Outcome};
use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) use markup::escape;
pub use similarity::similarity;

/// A class with its grades.
#[derive(Clone, Debug)]
pub struct Class {
    /// The course's rules.
    pub config: Config,
    /// One for each submission, sorted by name.
    pub entries: Vec<Entry>,
}

/// A submission with its grade.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose it is.
    pub student: Student,
    /// What is known of it.
    pub record: Record,
    /// When it was handed in, if anybody knows.
    pub time: Option<Moment>,
    /// What it is worth.
    pub grade: Grade,
}

impl Class {
    /// Reads the results in a folder, and grades them.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(results: &Path, config: Config, roster: &Roster) -> Result<Class, LabError> {
        let records = Record::read_all(results)?.into_iter();
        let entries = records.map(|record| Entry::new(record, &config, roster));
        Ok(Class {
            entries: entries.collect(),
            config,
        })
    }

    /// Everything in one file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&self, out: &Path) -> Result<(), LabError> {
        write(out, &pretty(&json::json(self)))
    }

    /// The gradebook.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn csv(&self, out: &Path) -> Result<(), LabError> {
        write(out, &gradebook::gradebook(self))
    }

    /// A `results.json` for each student, and the zip file with which the course
    /// system grades by itself: these versions, by the `rules` (a file).
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn gradescope(
        &self,
        workspace: &Workspace,
        rules: Option<&Path>,
        out: &Path,
    ) -> Result<(), LabError> {
        for entry in &self.entries {
            let path = out.join(&entry.record.submission).join("results.json");
            write(&path, &pretty(&gradescope::results(entry, &self.config)))?;
        }
        let out = out.join("autograder.zip");
        gradescope::bundle(workspace, rules, &self.versions(), &out)
    }

    /// The versions that were graded, in their order.
    fn versions(&self) -> Vec<&str> {
        let stages = self.entries.iter().flat_map(|entry| &entry.record.stages);
        let names: BTreeSet<_> = stages.map(|stage| &*stage.result.stage).collect();
        names.into_iter().collect()
    }

    /// A `result.json` for each student whose grade is known.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn classroom50(&self, out: &Path) -> Result<(), LabError> {
        for entry in &self.entries {
            if let Some(result) = classroom50::result(entry, &self.config) {
                let path = out.join(&entry.record.submission).join("result.json");
                write(&path, &pretty(&result))?;
            }
        }
        Ok(())
    }

    /// A file for test viewers for each student.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn junit(&self, out: &Path) -> Result<(), LabError> {
        for entry in &self.entries {
            let path = out.join(format!("{}.xml", entry.record.submission));
            write(&path, &junit::junit(entry, &self.config))?;
        }
        Ok(())
    }

    /// A page for the class, and one for each student.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn html(&self, out: &Path) -> Result<(), LabError> {
        write(&out.join("class.html"), &html::class(self))?;
        for entry in &self.entries {
            let path = out.join(format!("students/{}.html", entry.record.submission));
            let page = html::student(&seen::seen(entry, &self.config));
            write(&path, &page)?;
        }
        Ok(())
    }
}

impl Entry {
    fn new(record: Record, config: &Config, roster: &Roster) -> Entry {
        let student = roster.student(&record.submission);
        let own = record.time.as_ref();
        let own = own.and_then(|time| Moment::parse(time).ok());
        let time = student.time.or(own);
        Entry {
            grade: grade(&record, config, |stage| student.handed_in(&record, stage)),
            student,
            time,
            record,
        }
    }

    /// Every check with its version.
    fn checks(&self) -> impl Iterator<Item = (&StageRecord, &CheckVerdict)> {
        let stages = self.record.stages.iter();
        stages.flat_map(|stage| stage.result.checks.iter().map(move |check| (stage, check)))
    }
}

/// What there is to say about a check, as plain text.
fn told(check: &CheckVerdict) -> String {
    let mut lines = vec![format!("tests: {}", check.tests)];
    lines.extend(
        check
            .reason
            .iter()
            .map(|reason| format!("reason: {reason}")),
    );
    if let Some(failure) = &check.failure {
        lines.push(format!("expected: {}", failure.expected));
        lines.push(format!("seen: {}", failure.seen));
        lines.extend(failure.moments.iter().cloned());
        if !failure.thought.is_empty() {
            lines.push(format!("thought: {}", failure.thought));
        }
        if !failure.again.is_empty() {
            lines.push(format!("again: {}", failure.again));
        }
    }
    lines.join("\n")
}

/// One word for how a check came out.
fn word(check: &CheckVerdict) -> &'static str {
    let is_hole = |check: &CheckVerdict| {
        let failure = check.failure.as_ref();
        failure.is_some_and(|failure| failure.not_yet.is_some())
    };
    match check.outcome {
        Outcome::Pass => "passed",
        Outcome::Fail if is_hole(check) => "not yet",
        Outcome::Fail => "failed",
        Outcome::Skipped => "not made",
        Outcome::Error => "not graded",
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    write_bytes(path, text.as_bytes())
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|error| LabError::infrastructure(path.display(), error))
}

#[cfg(test)]
mod tests;
