//! Verdicts by what they depend on: what was graded once is not graded again.
//!
//! A verdict is filed under its *key*, a fingerprint of everything that it depends
//! on; who asks makes the key, and must leave nothing out. A file that is damaged,
//! or not what its name says, counts as none. What the host kept from being graded
//! is never filed.

use crate::error::LabError;
use crate::verdict::{Decides, StageVerdict};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The format of the files.
const SCHEMA: &str = "heptavisor/kept-verdict/v1";

/// A folder with verdicts.
#[derive(Debug)]
pub struct Cache(PathBuf);

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct Entry {
    schema: String,
    key: String,
    verdict: StageVerdict,
    /// Which a verdict's own JSON leaves out.
    first_hole: Option<Decides>,
}

impl Cache {
    /// The verdicts in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn in_folder(folder: PathBuf) -> Result<Cache, LabError> {
        std::fs::create_dir_all(&folder).map_err(|error| {
            LabError::Usage(format!("'{}' cannot be made: {error}", folder.display()))
        })?;
        Ok(Cache(folder))
    }

    /// The verdict, if it is there and whole.
    pub fn get(&self, key: &str) -> Option<StageVerdict> {
        let bytes = std::fs::read(self.file(key)).ok()?;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        let verdict = StageVerdict {
            first_hole: entry.first_hole,
            ..entry.verdict
        };
        (entry.schema == SCHEMA && entry.key == key).then_some(verdict)
    }

    /// Files a verdict, unless there is something that the host kept from being
    /// graded.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn put(&self, key: &str, verdict: &StageVerdict) -> Result<(), LabError> {
        if verdict.has_errors() {
            return Ok(());
        }
        let entry = Entry {
            schema: SCHEMA.to_string(),
            key: key.to_string(),
            verdict: verdict.clone(),
            first_hole: verdict.first_hole.clone(),
        };
        write_whole(&self.file(key), &entry)
    }

    /// Forgets all but the `count` verdicts that were filed last. One that cannot
    /// be removed stays: that harms nobody.
    pub fn keep_newest(&self, count: usize) {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let filed = |path: &Path| path.metadata().and_then(|data| data.modified());
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| Some((filed(&entry.path()).ok()?, entry.path())))
            .collect();
        files.sort();
        let old = files.len().saturating_sub(count);
        for (_, path) in files.drain(..old) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.0.join(format!("{key}.json"))
    }
}

/// Writes a file so that it is there whole or not at all, whatever happens.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let failed = |error: std::io::Error| LabError::infrastructure(path.display(), error);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&text).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::record::tests::record;
    use crate::verdict::Outcome;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(folder.path().join("verdicts")).unwrap();
        (folder, cache)
    }

    fn verdict(points: u32) -> StageVerdict {
        record("ada", &[("v1", points)]).stages.remove(0).result
    }

    #[test]
    fn what_was_kept_is_the_verdict() {
        let (_folder, cache) = cache();
        let mut verdict = verdict(50);
        verdict.first_hole = Some(Decides::new("v1-E3", &[]));
        cache.put("key", &verdict).unwrap();
        assert_eq!(cache.get("key"), Some(verdict));
        assert_eq!(cache.get("other"), None);
    }

    #[test]
    fn a_damaged_file_and_one_of_another_name_are_none() {
        let (_folder, cache) = cache();
        cache.put("key", &verdict(50)).unwrap();
        std::fs::copy(cache.file("key"), cache.file("other")).unwrap();
        assert_eq!(cache.get("other"), None);
        let whole = std::fs::read_to_string(cache.file("key")).unwrap();
        for damaged in [&whole[..whole.len() / 2], &whole.replace("/v1", "/v9"), ""] {
            std::fs::write(cache.file("key"), damaged).unwrap();
            assert_eq!(cache.get("key"), None);
        }
    }

    #[test]
    fn what_the_host_kept_from_being_graded_is_not_kept() {
        let (_folder, cache) = cache();
        let mut broken = verdict(50);
        broken.checks[0].outcome = Outcome::Error;
        cache.put("key", &broken).unwrap();
        assert_eq!(cache.get("key"), None);
    }

    #[test]
    fn only_the_newest_stay() {
        let (_folder, cache) = cache();
        for (age, key) in ["new", "old", "older"].into_iter().enumerate() {
            cache.put(key, &verdict(50)).unwrap();
            let file = std::fs::File::options().write(true).open(cache.file(key));
            let age = std::time::Duration::from_secs(60 * age as u64);
            let filed = SystemTime::now() - age;
            file.and_then(|file| file.set_modified(filed)).unwrap();
        }
        cache.keep_newest(2);
        let kept = ["new", "old", "older"].map(|key| cache.get(key).is_some());
        assert_eq!(kept, [true, true, false]);
    }
}
