//! JUnit XML, for test viewers: a suite for each version, a case for each check.

use super::markup::escape;
use super::{Entry, told, word};
use crate::batch::config::Config;
use crate::batch::record::{StageRecord, State};
use crate::verdict::{CheckVerdict, Outcome};
use std::fmt::Write;

/// How cases came out.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

pub(super) fn junit(entry: &Entry, config: &Config) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut all = Counts::default();
    let mut suites = String::new();
    for stage in &entry.record.stages {
        let (suite, counts) = suite(entry, stage, config);
        suites += &suite;
        all.tests += counts.tests;
        all.failures += counts.failures;
        all.errors += counts.errors;
        all.skipped += counts.skipped;
    }
    let name = escape(&entry.record.submission);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "<testsuites name=\"{name}\"{}>", attributes(&all));
    text + &suites + "</testsuites>\n"
}

fn attributes(counts: &Counts) -> String {
    let Counts {
        tests,
        failures,
        errors,
        skipped,
    } = counts;
    format!(
        " tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\""
    )
}

fn suite(entry: &Entry, stage: &StageRecord, config: &Config) -> (String, Counts) {
    let result = &stage.result;
    // Then the record's "not handed in" is not known either.
    let host_failed = entry.record.state == State::Error;
    let mut counts = Counts::default();
    let mut cases = String::new();
    for check in &result.checks {
        counts.tests += 1;
        let body = body(stage, check, config, &mut counts);
        let _ = writeln!(
            cases,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"0\">{body}</testcase>",
            escape(&check.name),
            escape(&result.stage),
        );
    }
    if result.checks.is_empty() {
        counts.tests = 1;
        let body = match host_failed {
            true => {
                counts.errors = 1;
                let why = entry.record.reason.as_deref().unwrap_or_default();
                format!("<error message=\"the host failed: {}\"/>", escape(why))
            }
            false => {
                counts.skipped = 1;
                let why = result.diagnostics.as_deref().unwrap_or_default();
                format!("<skipped message=\"{}\"/>", escape(why))
            }
        };
        let name = if host_failed { "graded" } else { "handed in" };
        let _ = writeln!(
            cases,
            "    <testcase name=\"{name}\" classname=\"{}\" time=\"0\">{body}</testcase>",
            escape(&result.stage),
        );
    }
    let of = format!("{} of {} points", result.points, result.of);
    let points = match config.hides_any(&result.stage) {
        _ if host_failed || result.has_errors() => String::from("not graded yet: the host failed"),
        true => String::from("some checks are hidden until later"),
        false => of,
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\"{}>\n    <properties><property name=\"points\" value=\"{}\"/></properties>",
        escape(&format!("{} {}", result.stage, result.title)),
        attributes(&counts),
        escape(&points),
    );
    text += &cases;
    if let Some(diagnostics) = result.diagnostics.as_ref().filter(|_| !host_failed) {
        let _ = writeln!(text, "    <system-out>{}</system-out>", escape(diagnostics));
    }
    (text + "  </testsuite>\n", counts)
}

fn body(stage: &StageRecord, check: &CheckVerdict, config: &Config, counts: &mut Counts) -> String {
    if config.hides(&stage.result.stage, &check.name) {
        counts.skipped += 1;
        return String::from("<skipped message=\"hidden until later\"/>");
    }
    let element = match check.outcome {
        Outcome::Pass => return String::new(),
        Outcome::Fail => {
            counts.failures += 1;
            "failure"
        }
        Outcome::Error => {
            counts.errors += 1;
            "error"
        }
        Outcome::Skipped => {
            counts.skipped += 1;
            let reason = check.reason.as_deref().unwrap_or_default();
            return format!("<skipped message=\"{}\"/>", escape(reason));
        }
    };
    let message = match (&check.failure, &check.reason) {
        (Some(failure), _) => &failure.seen,
        (None, Some(reason)) => reason,
        (None, None) => "",
    };
    format!(
        "<{element} message=\"{}\" type=\"{}\">{}</{element}>",
        escape(message),
        word(check),
        escape(&told(check)),
    )
}
