//! Pages for people: one for the class, one for each student. Each is one file
//! that needs nothing else, runs no program and asks no server.

use super::markup::escape;
use super::{Class, Entry, told, word};
use crate::batch::record::{StageRecord, State};
use crate::batch::score::{StageGrade, shown};
use crate::verdict::{CheckVerdict, Outcome, StageVerdict};
use std::collections::BTreeMap;
use std::fmt::Write;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0}\
td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}pre{white-space:pre-wrap;\
background:#f5f5f5;padding:.5rem}.bar{display:inline-block;height:.8rem;background:#4677b8}\
.passed{color:#176f2c}.failed{color:#a40e26}.late{color:#8a5a00}";

/// How many of the hardest checks and most common failures are shown.
const SHOWN: usize = 10;

pub(super) fn class(class: &Class) -> String {
    let course = match class.config.course.as_str() {
        "" => "Heptavisor",
        course => course,
    };
    let body = String::from(
        "<p>This page is for you and not for the class: it has all names, and the hidden checks.</p>\n",
    );
    let body = body + &distribution(class) + &hardest(class) + &failures(class) + &table(class);
    page(&format!("{course}: the class"), &body)
}

/// The page of a student, from what is [seen](super::seen) of the submission.
pub(super) fn student(entry: &Entry) -> String {
    let student = &entry.student;
    let name = format!("{} {}", student.first_name, student.last_name);
    let name = match name.trim() {
        "" => student.id.clone(),
        name => format!("{name} ({})", student.id),
    };
    let mut body = String::new();
    match (entry.record.state, &entry.record.reason) {
        (State::Missing, _) => body += "<p>Nothing was handed in.</p>\n",
        (State::Error, _) => body += "<p>This could not be graded yet. It is not your fault.</p>\n",
        (_, Some(reason)) => body += &format!("<p class=\"failed\">{}</p>\n", escape(reason)),
        _ => {}
    }
    for note in &entry.record.notes {
        body += &format!("<p>{}</p>\n", escape(note));
    }
    if entry.record.state == State::Graded {
        let stages = entry.record.stages.iter().enumerate();
        if let Some(score) = entry.grade.score() {
            let (score, of) = (shown(score), shown(entry.grade.of()));
            body += &format!("<p>All versions: {score} of {of} points</p>\n");
        }
        body.extend(stages.map(|(at, stage)| version(entry, stage, at)));
    }
    page(&name, &body)
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// One version on a student's page.
fn version(entry: &Entry, stage: &StageRecord, at: usize) -> String {
    let result = &stage.result;
    let mut text = format!(
        "<h2>{} {}</h2>\n",
        escape(&result.stage),
        escape(&result.title)
    );
    text += &points(result, &entry.grade.stages[at]);
    if let Some(diagnostics) = &result.diagnostics {
        text += &format!("<pre>{}</pre>\n", escape(diagnostics));
    }
    if let Some(own) = &stage.own {
        text += &match (own.points, &own.reason) {
            (Some(points), _) => {
                format!(
                    "<p>On your own earlier versions: {points} of {}</p>\n",
                    result.of
                )
            }
            (None, reason) => format!(
                "<p>Not tried on your own earlier versions: {}</p>\n",
                escape(reason.as_deref().unwrap_or("not graded"))
            ),
        };
    }
    let rows: String = result.checks.iter().map(check).collect();
    match rows.is_empty() {
        true => text,
        false => format!(
            "{text}<table>\n<tr><th>check</th><th></th><th class=\"n\">points</th></tr>\n{rows}\
             </table>\n"
        ),
    }
}

/// How a version's number comes about: the checks, its weight, the days.
fn points(result: &StageVerdict, grade: &StageGrade) -> String {
    let passed = |check: &&CheckVerdict| check.outcome == Outcome::Pass;
    let passed = result.checks.iter().filter(passed).count();
    let mut text = format!("<p>{passed} of {} checks passed", result.checks.len());
    let Some(score) = grade.score else {
        return text + "; the rest is graded later</p>\n";
    };
    let _ = write!(text, ": {} of {} points", result.points, result.of);
    if !result.announced.is_none() {
        let _ = write!(text, "; {}", result.announced);
    }
    text += "</p>\n";
    if grade.of != f64::from(result.of) {
        let (raw, of) = (shown(grade.raw), shown(grade.of));
        let _ = writeln!(text, "<p>In the grade these count as {raw} of {of}.</p>");
    }
    if grade.late_days > 0 {
        let days = match grade.late_days {
            1 => String::from("1 day"),
            late => format!("{late} days"),
        };
        let free = match grade.free_days {
            0 => String::new(),
            free => format!(", {free} free"),
        };
        let cost = shown(grade.penalty);
        let _ = writeln!(
            text,
            "<p class=\"late\">{days} late{free}: less {cost}.</p>"
        );
    }
    let (score, of) = (shown(score), shown(grade.of));
    text + &format!("<p><strong>{score} of {of} points</strong></p>\n")
}

fn check(check: &CheckVerdict) -> String {
    let class = match check.outcome {
        Outcome::Pass => "passed",
        _ => "failed",
    };
    let outcome = match (check.outcome, &check.reason) {
        (Outcome::Skipped, Some(reason)) => format!("{}: {}", word(check), escape(reason)),
        _ => word(check).to_string(),
    };
    let told = match check.outcome {
        Outcome::Pass => escape(&check.tests),
        _ => format!(
            "<details><summary>{}</summary><pre>{}</pre></details>",
            escape(&check.tests),
            escape(&told(check))
        ),
    };
    format!(
        "<tr><td>{}<br>{told}</td><td class=\"{class}\">{}</td><td class=\"n\">{}/{}</td></tr>\n",
        escape(&check.name),
        outcome,
        check.points,
        check.of
    )
}

/// How many reached which part of the points.
fn distribution(class: &Class) -> String {
    let mut tenths = [0_usize; 10];
    for entry in &class.entries {
        if let Some(score) = entry.grade.score().filter(|_| entry.grade.of() > 0.0) {
            let tenth = (score / entry.grade.of() * 10.0) as usize;
            tenths[tenth.min(9)] += 1;
        }
    }
    let most = tenths.iter().copied().max().unwrap_or(0).max(1);
    let mut text = String::from("<h2>Distribution</h2>\n<table>\n");
    for (tenth, count) in tenths.iter().enumerate() {
        let (from, to) = (tenth * 10, tenth * 10 + if tenth == 9 { 10 } else { 9 });
        let width = count * 300 / most;
        let _ = writeln!(
            text,
            "<tr><td class=\"n\">{from}–{to} %</td><td class=\"n\">{count}</td><td><span \
             class=\"bar\" style=\"width:{width}px\"></span></td></tr>"
        );
    }
    text + "</table>\n"
}

/// The checks that the fewest pass, of those who handed the version in.
fn hardest(class: &Class) -> String {
    let mut checks: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for (stage, check) in class.entries.iter().flat_map(Entry::checks) {
        if matches!(check.outcome, Outcome::Pass | Outcome::Fail) {
            let counts = checks
                .entry((&stage.result.stage, &check.name))
                .or_default();
            counts.0 += usize::from(check.outcome == Outcome::Pass);
            counts.1 += 1;
        }
    }
    let mut checks: Vec<_> = checks.into_iter().collect();
    checks.sort_by_key(|(_, (passed, made))| passed * 1000 / made);
    let rows = checks
        .iter()
        .take(SHOWN)
        .map(|((stage, check), (passed, made))| {
            let (stage, check) = (escape(stage), escape(check));
            format!(
                "<tr><td>{stage}</td><td>{check}</td><td class=\"n\">{passed} of {made}</td></tr>\n"
            )
        });
    let rows: String = rows.collect();
    format!(
        "<h2>Hardest checks</h2>\n<table>\n<tr><th></th><th>check</th><th class=\"n\">passed</th>\
         </tr>\n{rows}</table>\n"
    )
}

/// What was seen most often where something else was expected.
fn failures(class: &Class) -> String {
    let mut seen: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for (stage, check) in class.entries.iter().flat_map(Entry::checks) {
        let failure = check.failure.as_ref();
        if let Some(failure) = failure.filter(|failure| failure.not_yet.is_none()) {
            let key = (&*stage.result.stage, &*check.name, &*failure.seen);
            *seen.entry(key).or_default() += 1;
        }
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = seen.iter().take(SHOWN).map(|((stage, check, what), count)| {
        let [stage, check, what] = [stage, check, what].map(|text| escape(text));
        format!("<tr><td class=\"n\">{count}</td><td>{stage}</td><td>{check}</td><td>{what}</td></tr>\n")
    });
    let rows: String = rows.collect();
    format!(
        "<h2>Common failures</h2>\n<table>\n<tr><th class=\"n\">how many</th><th></th><th>check\
         </th><th>what was seen</th></tr>\n{rows}</table>\n"
    )
}

/// What differs on the student's own earlier versions; nothing if nothing does.
fn own(stage: &StageRecord) -> String {
    let said = match &stage.own {
        Some(own) => match own.points {
            None => String::from("own: not tried"),
            Some(_) if own.differs.is_empty() => return String::new(),
            Some(points) => format!("own: {points} of {}", stage.result.of),
        },
        None => return String::new(),
    };
    format!("<br><small>{said}</small>")
}

/// Everybody with everything.
fn table(class: &Class) -> String {
    let mut text = String::from(
        "<h2>Students</h2>\n<p>own: the points \
        on the student's own earlier versions, where these are others than on the reference.</p>\n<table>\n<tr><th>student</th>",
    );
    let longest = class
        .entries
        .iter()
        .max_by_key(|entry| entry.grade.stages.len());
    for stage in longest.iter().flat_map(|entry| &entry.grade.stages) {
        let _ = write!(text, "<th class=\"n\">{}</th>", escape(&stage.stage));
    }
    text += "<th class=\"n\">all</th><th></th></tr>\n";
    let points = |score: Option<f64>| score.map_or(String::from("?"), shown);
    for entry in &class.entries {
        let name = escape(&entry.record.submission);
        let _ = write!(
            text,
            "<tr><td><a href=\"students/{name}.html\">{name}</a></td>"
        );
        for (grade, stage) in entry.grade.stages.iter().zip(&entry.record.stages) {
            let (score, own) = (points(grade.score), own(stage));
            let _ = write!(text, "<td class=\"n\">{score}{own}</td>");
        }
        let state = match entry.record.state {
            State::Graded if entry.record.has_errors() => "the host failed",
            State::Graded => "",
            State::Missing => "missing",
            State::Unreadable => "unreadable",
            State::Error => "the host failed",
        };
        let _ = writeln!(
            text,
            "<td class=\"n\">{}</td><td>{state}</td></tr>",
            points(entry.grade.score())
        );
    }
    text + "</table>\n"
}
