//! Classroom 50, the successor of GitHub Classroom: a `result.json`.

use super::Entry;
use crate::batch::config::Config;
use crate::verdict::Outcome;
use serde_json::{Value, json};

/// The format's name.
const SCHEMA: &str = "classroom50/result/v1";

/// The result; `None` as long as the host kept something from being graded, since
/// there a missing file says so, and a low score would be a lie.
pub(super) fn result(entry: &Entry, config: &Config) -> Option<Value> {
    let seen = super::seen::seen(entry, config);
    let score = seen.grade.score()?;
    let tests = seen.checks().map(|(stage, check)| {
        json!({
            "test-name": format!("{}: {}", stage.result.stage, check.name),
            "passed": check.outcome == Outcome::Pass,
            "score": check.points,
            "max-score": check.of,
        })
    });
    let whole = |points: f64| points.round() as i64;
    Some(json!({
        "schema": SCHEMA,
        "classroom": config.course,
        "assignment": "heptavisor",
        "assignment_type": "individual",
        "owner": entry.student.id,
        "submission": entry.record.submission,
        "commit": "",
        "release": "",
        "review": "",
        "datetime": entry.time.map(|time| time.to_string()).unwrap_or_default(),
        "score": whole(score),
        "max-score": whole(seen.grade.of()),
        "tests": tests.collect::<Vec<_>>(),
    }))
}
