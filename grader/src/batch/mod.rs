//! Grades a class: many submissions, each on a clean tree of its own.
//!
//! ```text
//!  toolbox   the clean tree, built once: the machine, the guests, the reference
//!    site    one submission's sources laid over it, and built     <- rustc
//!      grade makes the checks                                     <- the runner
//!  chain     its versions, one after the other; what was graded once is cached
//!  record    what is known of a submission: one file each
//! ```
//!
//! Whatever a submission is or does becomes its own record, and never the end of
//! the batch. What is known is written at once, so that a batch that was stopped
//! goes on where it was. An error of the host is written down as such and never
//! as points lost; the next batch tries again.

mod cargo;
mod chain;
mod compiler;
pub mod config;
pub mod merge;
pub mod parts;
pub mod record;
pub mod roster;
pub mod score;
mod shard;
mod site;
pub mod time;
mod toolbox;

pub use shard::Shard;
pub use toolbox::Toolbox;

use self::record::{Record, StageRecord, State};
use crate::cache::Cache;
use crate::cli::EngineName;
use crate::error::LabError;
use crate::interrupt;
use crate::stages::Stage;
use crate::submission::{Submission, Untaken};
use crate::workers;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// How a class is graded.
#[derive(Debug)]
pub struct Batch {
    /// The clean tree.
    pub toolbox: Toolbox,
    /// The versions to grade.
    pub stages: Vec<&'static Stage>,
    /// What the guests are made from.
    pub seed: u64,
    /// What runs them.
    pub engine: EngineName,
    /// The folder of the results.
    pub out: PathBuf,
    /// How many submissions are graded at a time.
    pub jobs: usize,
    /// Whether versions are graded on the student's own earlier ones, too: that
    /// takes as long again.
    pub own: bool,
}

/// Something that happened in a batch.
#[derive(Debug)]
pub enum News<'a> {
    /// A version of a submission has its verdict.
    Stage(&'a str, &'a str),
    /// Versions of a submission that an earlier batch graded with another tree,
    /// compiler, engine or seed are no longer in its record.
    Dropped(&'a str, &'a [&'a str]),
    /// A submission is done, and its record is written; whether all its verdicts
    /// were known from before.
    Done(&'a Record, bool),
}

impl Batch {
    /// Grades the submissions and writes a record for each. `tell` hears how far
    /// it has come, from several threads.
    ///
    /// # Errors
    /// If the results cannot be written, or on Ctrl-C.
    pub fn run(
        &self,
        submissions: &[Submission],
        tell: impl Fn(News<'_>) + Sync,
    ) -> Result<Vec<Record>, LabError> {
        let cache = Cache::in_folder(self.out.join("verdicts"))?;
        let work = |submission: &Submission| {
            interrupt::check()?;
            let (mut record, is_known) = self.record(submission, &cache, &tell)?;
            if let Some(before) = Record::read(&self.out, &submission.name) {
                match record.goes_with(&before) {
                    true => record.complete(&before),
                    false => self.tell_dropped(&record, &before, &tell),
                }
            }
            record.write(&self.out)?;
            tell(News::Done(&record, is_known));
            Ok(record)
        };
        workers::in_order(self.jobs, submissions, work, |_| ())
    }

    /// Says which versions are no longer in the results: what was graded in another
    /// way cannot stand beside the rest.
    fn tell_dropped(&self, record: &Record, before: &Record, tell: &impl Fn(News<'_>)) {
        let versions = before.stages.iter().map(|stage| &*stage.result.stage);
        let dropped: Vec<_> = versions
            .filter(|name| record.stage(name).is_none())
            .collect();
        if !dropped.is_empty() {
            tell(News::Dropped(&record.submission, &dropped));
        }
    }

    /// What becomes of one submission, whatever it is, and whether all its verdicts
    /// were known from before.
    ///
    /// # Errors
    /// Only on Ctrl-C.
    fn record(
        &self,
        submission: &Submission,
        cache: &Cache,
        tell: &(impl Fn(News<'_>) + Sync),
    ) -> Result<(Record, bool), LabError> {
        let graded = catch_unwind(AssertUnwindSafe(|| self.grade(submission, cache, tell)));
        let why = match graded {
            Ok(Err(LabError::Interrupted)) => return Err(LabError::Interrupted),
            Ok(Ok(graded)) => return Ok(graded),
            Ok(Err(error)) => error.to_string(),
            Err(_) => String::from("the grader itself broke down on this submission"),
        };
        Ok((self.empty(submission, State::Error, Some(why)), false))
    }

    fn grade(
        &self,
        submission: &Submission,
        cache: &Cache,
        tell: &(impl Fn(News<'_>) + Sync),
    ) -> Result<(Record, bool), LabError> {
        let taken = match submission.take() {
            Ok(taken) => taken,
            Err(Untaken::Interrupted) => return Err(LabError::Interrupted),
            Err(untaken) => {
                let (state, reason) = match untaken {
                    Untaken::Missing => (State::Missing, None),
                    Untaken::Unreadable(why) => (State::Unreadable, Some(why)),
                    Untaken::Host(why) => (State::Error, Some(why)),
                    Untaken::Interrupted => unreachable!("seen above"),
                };
                return Ok((self.empty(submission, state, reason), false));
            }
        };
        let mut record = self.empty(submission, State::Graded, None);
        record.notes = taken.notes.clone();
        record.time = taken.time.clone();
        let chain = chain::Chain::new(self, &taken, cache)?;
        for stage in &self.stages {
            record.stages.push(chain.grade(stage)?);
            tell(News::Stage(&submission.name, stage.name));
        }
        let any = record.stages.iter().any(|stage| stage.handed_in);
        Ok((record, any && chain.is_known()))
    }

    fn empty(&self, submission: &Submission, state: State, reason: Option<String>) -> Record {
        let stages = self.stages.iter();
        let stages = match state {
            State::Graded => Vec::new(),
            State::Missing => stages
                .map(|stage| StageRecord::not_handed_in(stage))
                .collect(),
            State::Unreadable => stages
                .map(|stage| StageRecord::without_sources(stage, reason.clone()))
                .collect(),
            State::Error => stages
                .map(|stage| StageRecord::without_sources(stage, None))
                .collect(),
        };
        Record {
            schema: record::SCHEMA.to_string(),
            submission: submission.name.clone(),
            tree: self.toolbox.tree.clone(),
            engine: self.engine.name().to_string(),
            seed: self.seed,
            state,
            reason,
            time: None,
            notes: Vec::new(),
            stages,
        }
    }
}
