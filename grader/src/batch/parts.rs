//! Which parts of a class a folder of results holds, so that a part that is missing
//! shows when they are joined.

use super::Shard;
use crate::cache::write_whole;
use crate::error::LabError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A part of a class that was graded to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Which versions were graded.
    pub stages: Vec<String>,
    /// Of how many it is one.
    pub of: usize,
    /// Which one it is, from 1.
    pub number: usize,
}

impl Part {
    /// The part of a class that a batch grades.
    pub fn new(shard: Shard, stages: Vec<String>) -> Part {
        let Shard { number, of } = shard;
        Part { stages, of, number }
    }

    /// The parts in a results' folder: none if no batch came to its end there.
    pub fn read_all(out: &Path) -> BTreeSet<Part> {
        let bytes = std::fs::read(file(out)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes down that a results' folder holds these parts, too.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn add_all(mut parts: BTreeSet<Part>, out: &Path) -> Result<(), LabError> {
        parts.extend(Part::read_all(out));
        write_whole(&file(out), &parts)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} ({})", self.number, self.of, self.stages.join(","))
    }
}

fn file(out: &Path) -> PathBuf {
    out.join("parts.json")
}

/// What is to be said of the parts in some folders before they are taken for a class.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All parts that are there.
    pub parts: BTreeSet<Part>,
    /// Parts that are not, though others of the same whole are.
    pub missing: Vec<Part>,
    /// Parts that are in several folders.
    pub twice: Vec<(Part, Vec<PathBuf>)>,
    /// Folders in which no batch came to its end.
    pub unfinished: Vec<PathBuf>,
}

impl Census {
    /// Counts the parts in `folders`.
    pub fn of(folders: &[PathBuf]) -> Census {
        let mut census = Census::default();
        let mut places: BTreeMap<Part, Vec<PathBuf>> = BTreeMap::new();
        for folder in folders {
            let parts = Part::read_all(folder);
            if parts.is_empty() {
                census.unfinished.push(folder.clone());
            }
            for part in parts {
                places.entry(part).or_default().push(folder.clone());
            }
        }
        census.parts = places.keys().cloned().collect();
        let siblings = |part: &Part| {
            let part = part.clone();
            (1..=part.of).map(move |number| Part {
                number,
                ..part.clone()
            })
        };
        let whole: BTreeSet<Part> = census.parts.iter().flat_map(siblings).collect();
        census.missing = whole.difference(&census.parts).cloned().collect();
        let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
        census.twice = twice.collect();
        census
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: usize, of: usize) -> Part {
        Part::new(Shard { number, of }, vec![String::from("v1")])
    }

    #[test]
    fn a_part_that_is_missing_one_that_is_there_twice_and_one_without_end_are_found() {
        let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let paths = folders.each_ref().map(|one| one.path().to_path_buf());
        for (path, number) in paths.iter().zip([1, 3, 3]) {
            Part::add_all(BTreeSet::from([part(number, 4)]), path).unwrap();
        }
        let census = Census::of(&paths);
        assert_eq!(census.missing, [part(2, 4), part(4, 4)]);
        assert_eq!(census.twice, [(part(3, 4), paths[1..3].to_vec())]);
        assert_eq!(census.unfinished, paths[3..]);
    }

    #[test]
    fn other_versions_are_another_whole_and_parts_in_one_folder_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = part(1, 1);
        other.stages = vec![String::from("v2")];
        for one in [part(1, 2), part(2, 2), other] {
            Part::add_all(BTreeSet::from([one]), folder.path()).unwrap();
        }
        let census = Census::of(&[folder.path().to_path_buf()]);
        assert_eq!((census.missing, census.parts.len()), (vec![], 3));
    }
}
