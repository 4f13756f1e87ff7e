//! Verdicts by what they depend on: the clean tree, the engine, the seed and the
//! sources. Two equal submissions are graded once, and so is one that was graded
//! before the batch was stopped.

use super::record::{StageResult, write_whole};
use crate::error::LabError;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn in_results(out: &Path) -> Result<Cache, LabError> {
        let folder = out.join("verdicts");
        std::fs::create_dir_all(&folder).map_err(|error| {
            LabError::Usage(format!("'{}' cannot be made: {error}", folder.display()))
        })?;
        Ok(Cache(folder))
    }

    /// The verdict, if it is there and whole.
    pub(super) fn get(&self, key: &str) -> Option<StageResult> {
        let bytes = std::fs::read(self.file(key)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn put(&self, key: &str, result: &StageResult) -> Result<(), LabError> {
        write_whole(&self.file(key), result)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.0.join(format!("{key}.json"))
    }
}
