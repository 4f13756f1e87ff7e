//! Gradescope: a `results.json` for each student, and the zip file that makes one
//! there.
//!
//! Format: the autograder specification of Gradescope, "Output format".

use super::{Entry, pretty, told, word, write_bytes};
use crate::batch::config::Config;
use crate::batch::record::StageRecord;
use crate::error::LabError;
use crate::handout::project_files;
use crate::verdict::{CheckVerdict, Outcome};
use crate::workspace::Workspace;
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What their machine runs once, when the bundle is uploaded.
const SETUP: &str = include_str!("../../gradescope/setup.sh");
/// What it runs for each submission.
const RUN: &str = include_str!("../../gradescope/run_autograder");
/// Where the bundle holds the course's rules, and which versions it grades. What
/// it runs looks there.
const RULES: &str = "course.json";
const VERSIONS: &str = "versions";

pub(super) fn results(entry: &Entry, config: &Config) -> Value {
    let seen = super::seen::seen(entry, config);
    let Some(score) = seen.grade.score() else {
        return not_graded(entry.record.has_errors());
    };
    let mut output = entry.record.notes.join("\n");
    if let Some(reason) = &entry.record.reason {
        output = format!("{reason}\n{output}");
    }
    for stage in &entry.record.stages {
        if let Some(diagnostics) = &stage.result.diagnostics {
            output += &format!("\n{diagnostics}");
        }
    }
    for stage in &seen.record.stages {
        if !stage.result.announced.is_none() {
            output += &format!("\n{}: {}", stage.result.stage, stage.result.announced);
        }
    }
    let checks = entry.checks().zip(1..);
    let tests = checks.map(|((stage, check), number)| test(stage, check, number, config));
    json!({
        // Without it the sum of the tests counts, which knows nothing of late days.
        "score": score,
        "output": super::markup::printable(output.trim()),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests.collect::<Vec<_>>(),
        "extra_data": { "grades": pretty(&json!(grades(&seen))) },
    })
}

/// Something could not be graded: neither a score nor tests that would add up to
/// one. Gradescope then shows that there is no result, and no zero.
fn not_graded(host_failed: bool) -> Value {
    let why = match host_failed {
        true => "the host failed",
        false => "the engine shows nothing of it",
    };
    json!({
        "output": format!("This could not be graded yet, through no fault of yours: {why}."),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    })
}

fn grades(entry: &Entry) -> Vec<(String, Option<f64>)> {
    let stages = entry.grade.stages.iter();
    stages.map(|one| (one.stage.clone(), one.score)).collect()
}

fn test(stage: &StageRecord, check: &CheckVerdict, number: u32, config: &Config) -> Value {
    let name = &stage.result.stage;
    let of = f64::from(stage.result.of.max(1));
    let worth = |points: u32| f64::from(points) * config.weight(name) / of;
    // Not "after_published": the course's rules say when, and not Gradescope.
    let visibility = match config.hides(name, &check.name) {
        true => "hidden",
        false => "visible",
    };
    let mut test = json!({
        "name": format!("{name}: {}", check.name),
        "number": format!("{}.{number}", name.trim_start_matches('v')),
        "output": super::markup::printable(&format!("{}\n{}", word(check), told(check))),
        "output_format": "text",
        "tags": [name],
        "visibility": visibility,
        "score": worth(check.points),
        "max_score": worth(check.of),
    });
    match check.outcome {
        Outcome::Pass => test["status"] = json!("passed"),
        Outcome::Fail => test["status"] = json!("failed"),
        // Neither: their page then goes by the score alone.
        Outcome::Skipped | Outcome::Error => {}
    }
    test
}

/// Writes the zip file to upload: their two programs, the clean tree, the course's
/// `rules` (the file) and which `versions` to grade. Lists of students and results
/// that lie in the tree stay at home.
pub(super) fn bundle(
    workspace: &Workspace,
    rules: Option<&Path>,
    versions: &[&str],
    out: &Path,
) -> Result<(), LabError> {
    let failed = |error: &dyn std::fmt::Display| LabError::infrastructure(out.display(), error);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, bytes: &[u8], mode| -> Result<(), LabError> {
        let options = SimpleFileOptions::default().unix_permissions(mode);
        zip.start_file(name, options)
            .map_err(|error| failed(&error))?;
        zip.write_all(bytes).map_err(|error| failed(&error))
    };
    put("setup.sh", SETUP.as_bytes(), 0o755)?;
    put("run_autograder", RUN.as_bytes(), 0o755)?;
    put(VERSIONS, versions.join(",").as_bytes(), 0o644)?;
    if let Some(rules) = rules {
        let bytes = std::fs::read(rules).map_err(|error| failed(&error))?;
        put(RULES, &bytes, 0o644)?;
    }
    for file in project_files(workspace).map_err(|error| failed(&error))? {
        let bytes = std::fs::read(&file).map_err(|error| failed(&error))?;
        put(
            &format!("tree/{}", workspace.relative(&file)),
            &bytes,
            0o644,
        )?;
    }
    let bytes = zip.finish().map_err(|error| failed(&error))?.into_inner();
    write_bytes(out, &bytes)
}
