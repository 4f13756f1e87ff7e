//! From verdicts to grades: weights, late days, caps.

use super::config::Config;
use super::record::{Record, StageRecord, State};
use super::time::Moment;

/// The grade of one submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// One for each version in the record.
    pub stages: Vec<StageGrade>,
}

/// The grade of one version.
#[derive(Clone, Debug, PartialEq)]
pub struct StageGrade {
    /// Which.
    pub stage: String,
    /// The most that can be reached.
    pub of: f64,
    /// What was reached, before anything is taken off.
    pub raw: f64,
    /// When it was handed in, if anybody knows.
    pub time: Option<Moment>,
    /// Days that it was late, free ones included.
    pub late_days: u32,
    /// How many of them were free.
    pub free_days: u32,
    /// What is taken off for being late.
    pub penalty: f64,
    /// What counts; `None` as long as the host kept something from being graded.
    pub score: Option<f64>,
}

impl Grade {
    /// What counts in all; `None` as long as a version has no score.
    pub fn score(&self) -> Option<f64> {
        let mut scores = self.stages.iter().map(|stage| stage.score);
        // Not `sum`: of nothing it makes -0.
        scores.try_fold(0.0, |sum, score| Some(sum + score?))
    }

    /// The most that can be reached.
    pub fn of(&self) -> f64 {
        self.stages.iter().map(|stage| stage.of).sum()
    }
}

/// Grades a record by the course's rules, given when each version was handed in.
pub fn grade(
    record: &Record,
    config: &Config,
    handed_in: impl Fn(&StageRecord) -> Option<Moment>,
) -> Grade {
    let mut free = config.late.free_days;
    let stages = record.stages.iter().map(|stage| {
        let name = &*stage.result.stage;
        let of = config.weight(name);
        let raw = of * share(stage);
        let due = config.due.get(name);
        let time = handed_in(stage);
        let late_days = match (due, time) {
            (Some(due), Some(time)) if raw > 0.0 => time.days_after(*due),
            _ => 0,
        };
        // A day is not spent where nothing is left anyway.
        let mut free_days = late_days.min(free);
        let kept = kept(raw, of, late_days, free_days, config);
        if kept == 0.0 {
            free_days = 0;
        }
        free -= free_days;
        // Of a version that this host's engine cannot run, nothing is known.
        let is_known =
            record.state != State::Error && !stage.result.has_errors() && stage.result.of > 0;
        StageGrade {
            stage: name.to_string(),
            of,
            raw,
            time,
            late_days,
            free_days,
            penalty: raw - kept,
            score: is_known.then_some(kept),
        }
    });
    Grade {
        stages: stages.collect(),
    }
}

/// Which part of a version's points was reached.
fn share(stage: &StageRecord) -> f64 {
    match stage.result.of {
        0 => 0.0,
        of => f64::from(stage.result.points) / f64::from(of),
    }
}

/// What is left of `raw` points of `of` after so many days.
fn kept(raw: f64, of: f64, late: u32, free: u32, config: &Config) -> f64 {
    let rules = &config.late;
    if late == free {
        return raw;
    }
    if rules.last_day.is_some_and(|last| late > last) {
        return 0.0;
    }
    let percent = rules.percent_per_day * f64::from(late - free);
    let left = raw * (1.0 - percent / 100.0).max(0.0);
    match rules.cap_percent {
        Some(cap) => left.min(of * cap / 100.0),
        None => left,
    }
}

/// A number of points for people and tables: two digits at most.
pub fn shown(points: f64) -> String {
    let text = format!("{points:.2}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "" | "-0" => String::from("0"),
        text => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::record::tests::record;

    fn config(late: &str) -> Config {
        let text = format!(
            r#"{{"weights": {{"v1": 10, "v2": 20}}, "late": {late},
                "due": {{"v1": "2026-10-01T00:00:00Z", "v2": "2026-10-08T00:00:00Z"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn scores(late: &str, time: &str) -> Vec<f64> {
        let time = Moment::parse(time).unwrap();
        let grade = grade(
            &record("ada", &[("v1", 80), ("v2", 50)]),
            &config(late),
            |_| Some(time),
        );
        grade
            .stages
            .iter()
            .map(|stage| stage.score.unwrap())
            .collect()
    }

    #[test]
    fn a_version_gives_its_weight_times_the_part_that_was_reached() {
        assert_eq!(scores("{}", "2026-09-30T00:00:00Z"), [8.0, 10.0]);
    }

    #[test]
    fn each_day_costs_its_percentage_of_what_was_reached() {
        let late = r#"{"percent-per-day": 10}"#;
        assert_eq!(scores(late, "2026-10-02T12:00:00Z"), [6.4, 10.0]);
        assert_eq!(scores(late, "2026-11-30T00:00:00Z"), [0.0, 0.0]);
    }

    #[test]
    fn free_days_are_spent_on_the_first_version_that_is_late() {
        let late = r#"{"free-days": 8, "percent-per-day": 50}"#;
        // Eight days late with version 1, which takes all, and one with version 2.
        assert_eq!(scores(late, "2026-10-09T00:00:00Z"), [8.0, 5.0]);
    }

    #[test]
    fn a_free_day_is_not_spent_on_a_version_that_counts_nothing_anyway() {
        let late = r#"{"free-days": 2, "percent-per-day": 50, "last-day": 3}"#;
        // Nine days late with version 1, two with version 2.
        assert_eq!(scores(late, "2026-10-10T00:00:00Z"), [0.0, 10.0]);
    }

    #[test]
    fn a_cap_bounds_what_is_late_and_nothing_else() {
        let late = r#"{"cap-percent": 50}"#;
        assert_eq!(scores(late, "2026-10-02T00:00:00Z"), [5.0, 10.0]);
    }

    #[test]
    fn what_comes_after_the_last_day_counts_nothing() {
        let late = r#"{"last-day": 3}"#;
        assert_eq!(scores(late, "2026-10-04T00:00:01Z"), [0.0, 10.0]);
    }

    #[test]
    fn an_error_of_the_host_gives_no_score_rather_than_a_low_one() {
        let mut record = record("ada", &[("v1", 80)]);
        record.stages[0].result.checks[0].outcome = crate::verdict::Outcome::Error;
        let grade = grade(&record, &Config::default(), |_| None);
        assert_eq!(grade.score(), None);
        assert_eq!(grade.of(), 100.0);
    }

    #[test]
    fn a_version_that_the_engine_cannot_run_has_no_score() {
        let mut record = record("ada", &[("v1", 0)]);
        record.stages[0].result.of = 0;
        assert_eq!(grade(&record, &Config::default(), |_| None).score(), None);
    }

    #[test]
    fn points_are_shown_short() {
        assert_eq!(
            [0.0, 10.0, 6.4, 1.0 / 3.0, -0.001].map(shown),
            ["0", "10", "6.4", "0.33", "0"]
        );
    }
}
