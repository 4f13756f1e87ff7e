//! The course's own rules: weights, days, caps, hidden checks. One JSON file:
//!
//! ```json
//! {
//!   "course": "Operating systems 2026",
//!   "weights": { "v1": 10, "v2": 20 },
//!   "due": { "v1": "2026-10-01T23:59:00+02:00" },
//!   "late": { "free-days": 3, "percent-per-day": 10, "cap-percent": 80, "last-day": 7 },
//!   "hidden": ["v2/NAME"],
//!   "reveal-hidden": false
//! }
//! ```
//!
//! All of it is optional. A word that is not known is an error, so that a slip of
//! the pen does not change grades in silence.

use super::time::Moment;
use crate::checks::Course;
use crate::error::LabError;
use crate::stages::STAGES;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::Path;

/// The course's rules.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// What the course is called.
    pub course: String,
    /// What each version is worth in the grade; 100 if it is not named.
    pub weights: BTreeMap<String, f64>,
    /// Until when each version is to be handed in; without it nobody is late.
    pub due: BTreeMap<String, Moment>,
    /// What becomes of those who are late.
    pub late: Late,
    /// Checks that count, and whose outcome students do not see: `v2/NAME`.
    pub hidden: Vec<String>,
    /// From now on they see them.
    pub reveal_hidden: bool,
}

/// What becomes of those who are late.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Late {
    /// So many days in the whole course cost nothing.
    pub free_days: u32,
    /// Each further day costs so much of the points reached.
    pub percent_per_day: f64,
    /// Who is late at all gets at most so much of a version's points.
    pub cap_percent: Option<f64>,
    /// What comes after this many days counts nothing.
    pub last_day: Option<u32>,
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(deserializer)?;
        Moment::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// Reads the rules.
    ///
    /// # Errors
    /// If they cannot be read, or do not make sense.
    pub fn read(path: &Path) -> Result<Config, LabError> {
        let shown = path.display();
        let wrong = |why: &dyn std::fmt::Display| LabError::Usage(format!("'{shown}': {why}"));
        let text = std::fs::read(path).map_err(|error| wrong(&error))?;
        let config: Config = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
        config.check().map_err(|why| wrong(&why))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let known = |name: &str| STAGES.iter().any(|stage| stage.name == name);
        let mut names = self.weights.keys().chain(self.due.keys());
        if let Some(name) = names.find(|name| !known(name)) {
            return Err(format!("there is no version '{name}': there are v1 to v7"));
        }
        let percents = self
            .late
            .cap_percent
            .iter()
            .chain([&self.late.percent_per_day]);
        if let Some(wrong) = { percents }.find(|percent| !(0.0..=100.0).contains(*percent)) {
            return Err(format!("{wrong} is no percentage: it goes from 0 to 100"));
        }
        if let Some((name, weight)) = self.weights.iter().find(|(_, weight)| **weight < 0.0) {
            return Err(format!(
                "{name} is worth {weight}, which is less than nothing"
            ));
        }
        match self.hidden.iter().find(|name| !exists(name)) {
            Some(name) => Err(format!(
                "there is no check '{name}': write it like v2/NAME, see `cargo lab list`"
            )),
            None => Ok(()),
        }
    }

    /// What a version is worth.
    pub fn weight(&self, stage: &str) -> f64 {
        self.weights.get(stage).copied().unwrap_or(100.0)
    }

    /// Whether students do not see how a check came out.
    pub fn hides(&self, stage: &str, check: &str) -> bool {
        !self.reveal_hidden && self.is_hidden(stage, check)
    }

    /// Whether that is so of any check of a version.
    pub fn hides_any(&self, stage: &str) -> bool {
        let mut parts = self.hidden.iter().filter_map(|name| name.split_once('/'));
        !self.reveal_hidden && parts.any(|(one, _)| one == stage)
    }

    /// Whether a check is a hidden one, shown by now or not.
    pub fn is_hidden(&self, stage: &str, check: &str) -> bool {
        let parts = self.hidden.iter().filter_map(|name| name.split_once('/'));
        { parts }.any(|parts| parts == (stage, check))
    }
}

fn exists(name: &str) -> bool {
    let found = name.split_once('/').and_then(|(stage, check)| {
        let stage = STAGES.iter().find(|one| one.name == stage)?;
        Course::of(stage)?.check(check).ok()
    });
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let config: Config = serde_json::from_str(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn all_rules_are_optional() {
        let config = read("{}").unwrap();
        assert_eq!(config.weight("v3"), 100.0);
        assert!(!config.hides("v1", "halt-is-no-success"));
    }

    #[test]
    fn a_hidden_check_is_shown_when_the_course_says_so() {
        let text = r#"{"hidden": ["v1/halt-is-no-success"]}"#;
        let mut config = read(text).unwrap();
        assert!(config.hides("v1", "halt-is-no-success"));
        config.reveal_hidden = true;
        assert!(!config.hides("v1", "halt-is-no-success"));
    }

    #[test]
    fn what_does_not_make_sense_is_named() {
        for (text, named) in [
            (r#"{"wieghts": {}}"#, "wieghts"),
            (r#"{"weights": {"v9": 1}}"#, "v9"),
            (r#"{"weights": {"v1": -1}}"#, "-1"),
            (r#"{"late": {"cap-percent": 180}}"#, "180"),
            (r#"{"due": {"v1": "monday"}}"#, "monday"),
            (r#"{"hidden": ["halt"]}"#, "halt"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(named), "{said}");
        }
    }
}
