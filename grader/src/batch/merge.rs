//! Joins the results of several machines.

use super::record::{Record, StageRecord};
use crate::error::LabError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Joins the results in `folders` into one in `out`, and says what is in it. Of a
/// submission that is in several, each version is kept from where the host did not fail.
///
/// # Errors
/// If a folder holds no results, if they do not belong together, or if two
/// verdicts on the same submission differ.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Vec<Record>, LabError> {
    let mut together: BTreeMap<String, (PathBuf, Record)> = BTreeMap::new();
    for folder in folders {
        for record in Record::read_all(folder)? {
            if let Some((_, first)) = together.values().next() {
                belongs(&record, first, folder)?;
            }
            let known = together.remove(&record.submission);
            let kept = better(known, (folder.clone(), record))?;
            together.insert(kept.1.submission.clone(), kept);
        }
    }
    let records = together.into_values().map(|(_, record)| record);
    let records: Vec<_> = records.collect();
    for record in &records {
        record.write(out)?;
    }
    Ok(records)
}

/// Grades can be put side by side only if they were given in the same way.
fn belongs(record: &Record, first: &Record, folder: &Path) -> Result<(), LabError> {
    match record.goes_with(first) {
        true => Ok(()),
        false => Err(LabError::Usage(format!(
            "'{}' in '{}' was graded with another tree, compiler, engine or seed than '{}': grade \
             the whole class in one way",
            record.submission,
            folder.display(),
            first.submission
        ))),
    }
}

type Found = (PathBuf, Record);

/// Of two records of a submission one that has all versions of both.
fn better(known: Option<Found>, new: Found) -> Result<Found, LabError> {
    let Some(known) = known else {
        return Ok(new);
    };
    let good = |record: &Record, name: &str| {
        let stage = record.stage(name).filter(|stage| !stage.has_errors());
        stage.cloned()
    };
    let differs = |stage: &&StageRecord| {
        let other = good(&new.1, &stage.result.stage);
        !stage.has_errors() && other.is_some_and(|other| **stage != other)
    };
    if let Some(stage) = known.1.stages.iter().find(differs) {
        return Err(LabError::Usage(format!(
            "'{}' is in both '{}' and '{}', with different verdicts on {}: remove the wrong one",
            known.1.submission,
            known.0.display(),
            new.0.display(),
            stage.result.stage
        )));
    }
    let (mut kept, other) = match (known.1.has_errors(), new.1.has_errors()) {
        (true, false) => (new, known.1),
        _ => (known, new.1),
    };
    // What the host kept from being graded here may have been graded there.
    let stages = std::mem::take(&mut kept.1.stages).into_iter();
    let is_better = |stage: &StageRecord| good(&other, &stage.result.stage).is_some();
    kept.1.stages = stages
        .filter(|stage| !stage.has_errors() || !is_better(stage))
        .collect();
    kept.1.complete(&other);
    let notes = other.notes.into_iter();
    let unknown: Vec<_> = notes.filter(|note| !kept.1.notes.contains(note)).collect();
    kept.1.notes.extend(unknown);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::record::State;
    use crate::batch::record::tests::record;
    use crate::verdict::Outcome;
    use std::slice::from_ref;

    fn results(records: &[Record]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        records
            .iter()
            .for_each(|one| one.write(folder.path()).unwrap());
        folder
    }

    fn joined(folders: &[&[Record]]) -> Result<Vec<Record>, LabError> {
        let folders: Vec<_> = folders.iter().map(|records| results(records)).collect();
        let paths: Vec<_> = folders.iter().map(|one| one.path().to_path_buf()).collect();
        let out = tempfile::tempdir().unwrap();
        let merged = merge(&paths, out.path())?;
        assert_eq!(Record::read_all(out.path()).unwrap(), merged);
        Ok(merged)
    }

    #[test]
    fn shards_make_the_whole_class() {
        let [ada, bob] = ["ada", "bob"].map(|name| record(name, &[("v1", 80)]));
        let merged = joined(&[from_ref(&bob), from_ref(&ada)]).unwrap();
        assert_eq!(merged, [ada, bob]);
    }

    #[test]
    fn a_verdict_goes_before_an_error_of_the_host() {
        let good = record("ada", &[("v1", 80)]);
        let mut bad = good.clone();
        bad.stages[0].result.checks[0].outcome = Outcome::Error;
        let mut none = good.clone();
        none.state = State::Error;
        let merged = joined(&[&[bad], from_ref(&good), &[none]]).unwrap();
        assert_eq!(merged, [good]);
    }

    #[test]
    fn versions_that_were_graded_one_after_the_other_stand_side_by_side() {
        let first = record("ada", &[("v1", 80), ("v2", 70)]);
        let second = record("ada", &[("v2", 70), ("v3", 60)]);
        let merged = joined(&[&[second], &[first]]).unwrap();
        assert_eq!(
            merged,
            [record("ada", &[("v1", 80), ("v2", 70), ("v3", 60)])]
        );
    }

    #[test]
    fn of_two_records_with_errors_each_gives_what_it_knows() {
        let mut one = record("ada", &[("v1", 80), ("v2", 70)]);
        let mut other = one.clone();
        one.stages[0].result.checks[0].outcome = Outcome::Error;
        other.stages[1].result.checks[0].outcome = Outcome::Error;
        let merged = joined(&[&[one], &[other]]).unwrap();
        assert_eq!(merged, [record("ada", &[("v1", 80), ("v2", 70)])]);
    }

    #[test]
    fn results_that_contradict_each_other_or_do_not_belong_together_are_refused() {
        let one = record("ada", &[("v1", 80)]);
        let other = record("ada", &[("v1", 70)]);
        assert!(joined(&[from_ref(&one), &[other]]).is_err());
        let mut elsewhere = record("bob", &[("v1", 80)]);
        elsewhere.seed = 7;
        assert!(joined(&[&[one], &[elsewhere]]).is_err());
    }
}
