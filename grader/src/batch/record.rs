//! What is known of a submission, as it is written to the results.

use crate::cache::write_whole;
use crate::checks::Announced;
use crate::error::LabError;
use crate::stages::Stage;
use crate::submission::Submission;
use crate::verdict::StageVerdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The format of the files.
pub const SCHEMA: &str = "heptavisor/submission/v1";

/// What is known of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the submission is called.
    pub submission: String,
    /// Fingerprint of the clean tree and the compiler.
    pub tree: String,
    /// Which engine was asked for.
    pub engine: String,
    /// What the guests were made from.
    pub seed: u64,
    /// What became of it.
    pub state: State,
    /// Why, if it was not graded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was handed in, if the submission itself says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What was left out of it, and why.
    pub notes: Vec<String>,
    /// One entry for each version that was asked for.
    pub stages: Vec<StageRecord>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has verdicts.
    Graded,
    /// Nothing was handed in.
    Missing,
    /// What was handed in cannot be read.
    Unreadable,
    /// The host failed: nothing is known of the student's work.
    Error,
}

/// What is known of a version in a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageRecord {
    /// Fingerprint of the sources.
    pub fingerprint: String,
    /// Whether there were any.
    pub handed_in: bool,
    /// When it was handed in, if not with the rest of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The verdict, on the reference of the versions below.
    #[serde(flatten)]
    pub result: StageVerdict,
    /// How it does on the student's own versions below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

/// How a version does on the student's own versions below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Own {
    /// Points reached; `None` if that could not be tried.
    pub points: Option<u32>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The checks that come out in another way than on the reference.
    pub differs: Vec<String>,
}

impl Own {
    /// It could not be tried.
    pub fn untried(reason: String) -> Own {
        Own {
            points: None,
            reason: Some(reason),
            differs: Vec::new(),
        }
    }

    /// What differs from the verdict on the reference.
    pub fn beside(reference: &StageVerdict, own: &StageVerdict) -> Own {
        if let Some(diagnostics) = &own.diagnostics {
            return Own::untried(diagnostics.clone());
        }
        let pairs = reference.checks.iter().zip(&own.checks);
        let differs = pairs.filter(|(here, there)| here.outcome != there.outcome);
        Own {
            points: (!own.has_errors()).then_some(own.points),
            reason: None,
            differs: differs.map(|(check, _)| check.name.to_string()).collect(),
        }
    }
}

impl StageRecord {
    /// The record of a version of which there are no sources.
    pub fn not_handed_in(stage: &Stage) -> StageRecord {
        let why = format!(
            "{} was not handed in: no file 'stages/{}/src/….rs'",
            stage.name, stage.package
        );
        StageRecord::without_sources(stage, Some(why))
    }

    /// Whether the host failed, before the version was reached or in one of its checks.
    pub fn has_errors(&self) -> bool {
        let is_known = self.handed_in || self.result.diagnostics.is_some();
        !is_known || self.result.has_errors()
    }

    /// The record of a version that was not graded, and why; `None` if nobody knows.
    pub fn without_sources(stage: &Stage, why: Option<String>) -> StageRecord {
        StageRecord {
            fingerprint: String::new(),
            handed_in: false,
            time: None,
            result: StageVerdict {
                stage: stage.name.into(),
                title: stage.title.into(),
                engine: "".into(),
                compiles: false,
                diagnostics: why,
                points: 0,
                of: crate::checks::Course::of(stage).map_or(0, |course| course.points()),
                skipped: 0,
                checks: Vec::new(),
                first_hole: None,
                announced: Announced::of(stage.name),
            },
            own: None,
        }
    }
}

impl Record {
    /// Whether something could not be graded, through no fault of the student.
    pub fn has_errors(&self) -> bool {
        let mut stages = self.stages.iter();
        self.state == State::Error || stages.any(StageRecord::has_errors)
    }

    /// Whether another record was made in the same way: verdicts can be put side by
    /// side only then.
    pub fn goes_with(&self, other: &Record) -> bool {
        let way = |one: &Record| (one.tree.clone(), one.engine.clone(), one.seed);
        way(self) == way(other)
    }

    /// Takes over the versions of `other` that this record lacks.
    pub fn complete(&mut self, other: &Record) {
        let lacks = |stage: &&StageRecord| self.stage(&stage.result.stage).is_none();
        let lacking: Vec<_> = other.stages.iter().filter(lacks).cloned().collect();
        if lacking.is_empty() {
            return;
        }
        for mut stage in lacking {
            stage.time = stage.time.or_else(|| other.time.clone());
            self.stages.push(stage);
        }
        self.stages
            .sort_by(|one, other| one.result.stage.cmp(&other.result.stage));
        // Where the host failed before it graded anything, the state says so.
        let is_known = |stage: &StageRecord| stage.handed_in || !stage.has_errors();
        if !self.stages.iter().all(is_known) {
            self.state = State::Error;
            self.reason = self.reason.take().or_else(|| other.reason.clone());
        } else if self.stages.iter().any(|stage| stage.handed_in) {
            (self.state, self.reason) = (State::Graded, None);
        }
    }

    /// A version's part.
    pub fn stage(&self, name: &str) -> Option<&StageRecord> {
        let mut stages = self.stages.iter();
        stages.find(|stage| stage.result.stage == name)
    }

    /// The record of a submission in a results' folder; `None` if there is none that
    /// can be read.
    pub fn read(out: &Path, submission: &str) -> Option<Record> {
        read(&folder(out).join(format!("{submission}.json"))).ok()
    }

    /// The files of a results' folder that are of none of `class`, sorted.
    pub fn strangers(out: &Path, class: &[Submission]) -> Vec<PathBuf> {
        let names: BTreeSet<&str> = class.iter().map(|one| one.name.as_str()).collect();
        let entries = std::fs::read_dir(folder(out)).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_strange = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            { name.strip_suffix(".json") }.is_some_and(|name| !names.contains(name))
        };
        let mut strangers: Vec<_> = paths.filter(is_strange).collect();
        strangers.sort();
        strangers
    }

    /// Writes the record into the results' folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, out: &Path) -> Result<(), LabError> {
        let folder = folder(out);
        std::fs::create_dir_all(&folder)
            .map_err(|error| LabError::infrastructure(folder.display(), error))?;
        write_whole(&folder.join(format!("{}.json", self.submission)), self)
    }

    /// All records in a results' folder, sorted by name.
    ///
    /// # Errors
    /// If one cannot be read, or there is none.
    pub fn read_all(out: &Path) -> Result<Vec<Record>, LabError> {
        let shown = out.display();
        let no_results = |error: &dyn std::fmt::Display| {
            LabError::Usage(format!(
                "'{shown}' holds no results ({error}): name the folder that `cargo lab batch` \
                 wrote to"
            ))
        };
        let files = std::fs::read_dir(folder(out)).map_err(|error| no_results(&error))?;
        let mut files: Vec<PathBuf> = files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        files.sort();
        let records: Result<Vec<_>, _> = files.iter().map(|file| read(file)).collect();
        let records = records?;
        match records.is_empty() {
            true => Err(no_results(&"it is empty")),
            false => Ok(records),
        }
    }
}

fn folder(out: &Path) -> PathBuf {
    out.join("submissions")
}

fn read(file: &Path) -> Result<Record, LabError> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| LabError::infrastructure(&shown, error))?;
    let record: Record = serde_json::from_slice(&bytes)
        .map_err(|error| LabError::Usage(format!("'{shown}' is no record: {error}")))?;
    match record.schema == SCHEMA {
        true => Ok(record),
        false => Err(LabError::Usage(format!(
            "'{shown}' has the format '{}', and this program knows '{SCHEMA}'",
            record.schema
        ))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
