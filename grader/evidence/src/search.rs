//! What a search through the orders of threads is asked, and what it tells.
//!
//! The version's code runs in the process that searches, and the report lies in
//! that process's folder. So it is sealed as a line of evidence is: see
//! [`crate::seal`].

use crate::seal::{Opener, Seal};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// A search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// From which the orders are made.
    pub seed: u64,
    /// How many orders of each scenario are tried.
    pub orders: usize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many orders were tried.
    pub orders: usize,
    /// The first order that went wrong.
    pub failure: Option<Failure>,
}

/// An order that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was being tried.
    pub scenario: String,
    /// What happened.
    pub what: What,
    /// Which threads waited for a lock at that moment, and where they asked for
    /// it.
    pub waiting: Vec<(String, String)>,
}

/// What an order led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Threads wait for each other for ever, or sleep with nobody left to wake
    /// them.
    Deadlock,
    /// They go round and round.
    Endless,
    /// Some code panicked.
    Panic(crate::Panic),
}

/// Where the report goes, with what proves that the search wrote it.
#[derive(Debug)]
pub struct Answer {
    path: PathBuf,
    seal: Option<Seal>,
}

impl Answer {
    /// An answer to be left at `path`. Takes the key that lies there, so this
    /// comes before the version's first line runs.
    ///
    /// # Errors
    /// If the key cannot be taken.
    pub fn at(path: &Path) -> io::Result<Answer> {
        let seal = Seal::take(path)?;
        let path = path.to_path_buf();
        Ok(Answer { path, seal })
    }

    /// Leaves the report.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn leave(mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        if let Some(seal) = &mut self.seal {
            seal.put(&mut line);
        }
        line.push(b'\n');
        std::fs::write(self.path, line)
    }
}

impl Report {
    /// The report in what was left; `None` if the search did not write it.
    pub fn opened(left: &[u8], seal: Seal) -> Option<Report> {
        let lines = Opener::new(seal).feed(left);
        serde_json::from_slice(&lines).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: Report = Report {
        orders: 7,
        failure: None,
    };

    #[test]
    fn a_report_is_believed_if_the_search_wrote_it_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let seal = Seal::leave(folder.path()).unwrap();
        Answer::at(&path).unwrap().leave(&REPORT).unwrap();
        let left = std::fs::read(&path).unwrap();
        assert_eq!(Report::opened(&left, seal.clone()), Some(REPORT));

        let forged = serde_json::to_vec(&REPORT).unwrap();
        let altered = String::from_utf8_lossy(&left)
            .replace('7', "8")
            .into_bytes();
        let twice = [&left[..], &left[..]].concat();
        for made_up in [&forged, &altered, &twice, &Vec::new()] {
            assert_eq!(Report::opened(made_up, seal.clone()), None);
        }
    }

    #[test]
    fn where_nobody_asks_for_a_seal_the_report_is_plain_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        Answer::at(&path).unwrap().leave(&REPORT).unwrap();
        let left = std::fs::read(&path).unwrap();
        assert_eq!(serde_json::from_slice::<Report>(&left).unwrap(), REPORT);
    }
}
