//! The class: who is in it, so that a submission that is missing shows.
//!
//! A table of comma-separated values with a first line that names the columns.
//! `student_id` must be there; `last_name`, `first_name`, `email`, `submission`
//! (what the submission is called, if not like the student), `repository` (for
//! git), `timestamp` (when it was handed in) and `timestamp_v1` and so on (when that
//! version was) may be. Other columns are ignored, unless they begin like these.

use super::record::{Record, StageRecord};
use super::time::Moment;
use crate::csv;
use crate::error::LabError;
use crate::stages::STAGES;
use crate::submission::{Origin, Submission};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One student.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Student {
    pub id: String,
    pub last_name: String,
    pub first_name: String,
    pub email: String,
    /// What the submission is called.
    pub submission: String,
    /// Where it is, if not in the folder of submissions.
    pub repository: Option<String>,
    /// When it was handed in.
    pub time: Option<Moment>,
    /// When single versions were, if not then.
    pub times: BTreeMap<String, Moment>,
}

impl Student {
    /// When a version was handed in: as the roster says, or else the submission.
    pub fn handed_in(&self, record: &Record, stage: &StageRecord) -> Option<Moment> {
        let own = stage.time.as_ref().or(record.time.as_ref());
        let own = own.and_then(|time| Moment::parse(time).ok());
        let roster = self.times.get(&*stage.result.stage).copied();
        roster.or(self.time).or(own)
    }
}

/// The class, by the names of submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    students: BTreeMap<String, Student>,
}

impl Roster {
    /// Reads the class.
    ///
    /// # Errors
    /// If it cannot be read, or does not make sense.
    pub fn read(path: &Path) -> Result<Roster, LabError> {
        let shown = path.display();
        let wrong = |why: &dyn std::fmt::Display| LabError::Usage(format!("'{shown}': {why}"));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Roster::parse(&text).map_err(|why| wrong(&why))
    }

    fn parse(text: &str) -> Result<Roster, String> {
        let rows = csv::rows(text)?;
        let (head, rows) = rows.split_first().ok_or("the table is empty")?;
        let column = |name: &str| head.iter().position(|title| title.trim() == name);
        let id = column("student_id").ok_or("there is no column 'student_id'")?;
        let versions = versions(head)?;
        let mut students = BTreeMap::new();
        for row in rows {
            let get = |name: &str| {
                let value = column(name).and_then(|at| row.get(at));
                value
                    .map(|value| value.trim().to_string())
                    .unwrap_or_default()
            };
            let given = |name: &str| Some(get(name)).filter(|value| !value.is_empty());
            let moment = |name: &str| given(name).map(|time| Moment::parse(&time)).transpose();
            let id = row
                .get(id)
                .map(|id| id.trim().to_string())
                .unwrap_or_default();
            if id.is_empty() {
                return Err(String::from("there is a student without a student_id"));
            }
            let name = crate::submission::harmless(&given("submission").unwrap_or(id.clone()));
            let mut student = Student {
                last_name: get("last_name"),
                first_name: get("first_name"),
                email: get("email"),
                submission: name.clone(),
                repository: given("repository"),
                time: moment("timestamp")?,
                times: BTreeMap::new(),
                id,
            };
            for version in &versions {
                let time = moment(&format!("{TIMESTAMP}{version}"))?;
                student
                    .times
                    .extend(time.map(|time| (version.to_string(), time)));
            }
            if students.insert(name.clone(), student).is_some() {
                return Err(format!("two students have the submission '{name}'"));
            }
        }
        Ok(Roster { students })
    }

    /// The student with a submission; one who is only known by its name if the
    /// roster does not know better.
    pub fn student(&self, submission: &str) -> Student {
        let known = self.students.get(submission).cloned();
        known.unwrap_or_else(|| Student {
            id: submission.to_string(),
            submission: submission.to_string(),
            ..Student::default()
        })
    }

    /// Whether somebody in the class has a submission of that name.
    pub fn knows(&self, submission: &str) -> bool {
        self.students.contains_key(submission)
    }

    /// The submissions of all who are in the class or handed something in, sorted.
    /// Who handed in only something `unread` has handed in something.
    pub fn complete(&self, submissions: Vec<Submission>, unread: &[Submission]) -> Vec<Submission> {
        let there: BTreeSet<String> = submissions.iter().map(|one| one.name.clone()).collect();
        let others = self.students.values();
        let others = others.filter(|student| !there.contains(&student.submission));
        let others = others.map(|student| {
            let name = student.submission.clone();
            let mut unread = unread.iter();
            let origin = match (&student.repository, unread.find(|one| one.name == name)) {
                (Some(address), _) => Origin::Git(address.clone()),
                (None, Some(unread)) => unread.origin.clone(),
                (None, None) => Origin::Missing,
            };
            Submission { name, origin }
        });
        let mut all: Vec<_> = others.collect();
        all.extend(submissions);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

/// What the columns with one version's times begin with.
const TIMESTAMP: &str = "timestamp_";

/// The versions that have a column of times.
fn versions(head: &[String]) -> Result<Vec<&'static str>, String> {
    let titles = head.iter().map(|title| title.trim());
    let named = titles.filter_map(|title| Some((title, title.strip_prefix(TIMESTAMP)?)));
    let known = named.map(|(title, version)| {
        let stage = STAGES.iter().find(|stage| stage.name == version);
        stage.map(|stage| stage.name).ok_or_else(|| {
            format!(
                "the column '{title}' is of no version: there are {TIMESTAMP}v1 to {TIMESTAMP}v7"
            )
        })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::record::tests::record;

    const CLASS: &str = "student_id,last_name,submission,repository,timestamp\n\
        ada,Lovelace,,,2026-10-01T10:00:00Z\nalan,Turing,team-1,,\ngrace,Hopper,,/repos/grace,\n";

    fn named(name: &str) -> Submission {
        Submission {
            name: name.to_string(),
            origin: Origin::Folder(name.into()),
        }
    }

    #[test]
    fn who_handed_nothing_in_is_there_and_so_is_who_is_not_in_the_class() {
        let roster = Roster::parse(CLASS).unwrap();
        let all = roster.complete(vec![named("team-1"), named("guest")], &[]);
        let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["ada", "grace", "guest", "team-1"]);
        assert_eq!(all[0].origin, Origin::Missing);
        assert_eq!(all[1].origin, Origin::Git(String::from("/repos/grace")));
    }

    #[test]
    fn who_handed_in_what_nothing_reads_is_not_missing() {
        let unread = |name: &str| Submission {
            origin: Origin::Unread(format!("{name}.rar")),
            ..named(name)
        };
        let roster = Roster::parse(CLASS).unwrap();
        let all = roster.complete(vec![named("team-1")], &["ada", "notes"].map(unread));
        let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["ada", "grace", "team-1"]);
        assert_eq!(all[0].origin, Origin::Unread(String::from("ada.rar")));
    }

    #[test]
    fn a_student_is_found_by_the_submission() {
        let roster = Roster::parse(CLASS).unwrap();
        assert_eq!(roster.student("team-1").last_name, "Turing");
        assert_eq!(roster.student("guest").id, "guest");
        assert!(roster.student("ada").time.is_some());
        assert!(roster.knows("team-1") && !roster.knows("alan"));
    }

    #[test]
    fn a_version_has_a_time_of_its_own_before_that_of_all() {
        let text = "student_id,timestamp,timestamp_v1\n\
            ada,2026-10-01T10:00:00Z,2026-09-01T10:00:00Z\nbob,2026-10-01T10:00:00Z,\neve,,\n";
        let roster = Roster::parse(text).unwrap();
        let mut record = record("x", &[("v1", 80), ("v2", 80)]);
        record.time = Some(String::from("2026-08-03T10:00:00Z"));
        record.stages[0].time = Some(String::from("2026-08-02T10:00:00Z"));
        for (name, days) in [
            ("ada", ["2026-09-01", "2026-10-01"]),
            ("bob", ["2026-10-01", "2026-10-01"]),
            ("eve", ["2026-08-02", "2026-08-03"]),
        ] {
            let student = roster.student(name);
            let stages = record.stages.iter();
            let times = stages.map(|stage| student.handed_in(&record, stage).unwrap());
            let times: Vec<_> = times
                .map(|time| time.to_string()[..10].to_string())
                .collect();
            assert_eq!(times, days, "{name}");
        }
    }

    #[test]
    fn a_time_of_no_version_is_refused_by_name() {
        let error = Roster::parse("student_id,timestamp_v9\nada,\n").unwrap_err();
        assert!(error.contains("'timestamp_v9'"), "{error}");
    }

    #[test]
    fn a_table_that_is_no_roster_is_refused() {
        for text in [
            "",
            "name\nada\n",
            "student_id\nada\nada\n",
            "student_id,timestamp\nada,soon\n",
            "student_id,last_name\n,x\n",
        ] {
            assert!(Roster::parse(text).is_err(), "{text}");
        }
    }
}
