//! Grades the versions of one submission: each on the reference below it, and
//! beside that on the student's own.

use super::Batch;
use super::record::{Own, StageRecord};
use super::site::{Base, Site};
use crate::cache::Cache;
use crate::error::LabError;
use crate::fingerprint;
use crate::grade::Grading;
use crate::stages::{STAGES, Stage};
use crate::submission::Taken;
use crate::verdict::StageVerdict;
use crate::workers;
use std::cell::Cell;

pub(super) struct Chain<'a> {
    batch: &'a Batch,
    taken: &'a Taken,
    cache: &'a Cache,
    site: Site<'a>,
    /// How many verdicts were made here rather than known before.
    made: Cell<usize>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(
        batch: &'a Batch,
        taken: &'a Taken,
        cache: &'a Cache,
    ) -> Result<Chain<'a>, LabError> {
        Ok(Chain {
            batch,
            taken,
            cache,
            site: Site::new(&batch.toolbox, taken)?,
            made: Cell::new(0),
        })
    }

    /// Whether every verdict so far was known before.
    pub(super) fn is_known(&self) -> bool {
        self.made.get() == 0
    }

    /// Grades a version.
    ///
    /// # Errors
    /// On Ctrl-C, or if the cache cannot be written. What the host kept from being
    /// graded is in the result.
    pub(super) fn grade(&self, stage: &'static Stage) -> Result<StageRecord, LabError> {
        if self.taken.of(stage).next().is_none() {
            return Ok(StageRecord::not_handed_in(stage));
        }
        let result = self.result(stage, Base::Reference)?;
        // Below version 1 there is nothing.
        let own = match stage.number() > 1 && self.batch.own {
            true => Some(self.own(stage, &result)?),
            false => None,
        };
        Ok(StageRecord {
            fingerprint: self.taken.fingerprint(stage),
            handed_in: true,
            time: None,
            result,
            own,
        })
    }

    fn own(&self, stage: &'static Stage, reference: &StageVerdict) -> Result<Own, LabError> {
        let package = |package: &str| STAGES.iter().find(|stage| stage.package == package);
        let used = self.batch.toolbox.uses(stage, stage.runner).iter();
        let below = used.filter_map(|used| package(&used.package));
        let missing = { below }.find(|below| self.taken.of(below).next().is_none());
        if let Some(missing) = missing {
            return Ok(Own::untried(format!("{} was not handed in", missing.name)));
        }
        let own = self.result(stage, Base::Own)?;
        Ok(Own::beside(reference, &own))
    }

    fn result(&self, stage: &'static Stage, base: Base) -> Result<StageVerdict, LabError> {
        let key = self.key(stage, base);
        if let Some(result) = self.cache.get(&key) {
            return Ok(result);
        }
        self.made.set(self.made.get() + 1);
        let grading = Grading {
            seed: self.batch.seed,
            engine: self.batch.engine,
            // The cores belong to the submissions that are graded beside this one.
            workers: (workers::all_cores() / self.batch.jobs.max(1)).max(1),
            ..Grading::of(vec![stage])
        };
        let build = |stage: &'static Stage| self.site.build(stage, base);
        let mut verdict = grading.run_with(&self.site.workspace, build, |_| {})?;
        let result = verdict.stages.remove(0);
        self.cache.put(&key, &result)?;
        Ok(result)
    }

    /// All that the verdict depends on.
    fn key(&self, stage: &Stage, base: Base) -> String {
        let seed = self.batch.seed.to_string();
        let tree = &self.batch.toolbox.tree;
        let what = [tree, stage.name, self.batch.engine.name(), &seed];
        let below = STAGES.iter().filter(|below| match base {
            Base::Reference => below.name == stage.name,
            Base::Own => below.name <= stage.name,
        });
        let sources: Vec<_> = below.map(|below| self.taken.fingerprint(below)).collect();
        fingerprint::of_texts(what.into_iter().chain(sources.iter().map(String::as_str)))
    }
}
