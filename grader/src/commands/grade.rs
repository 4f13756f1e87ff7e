//! `cargo lab grade`: what is right, what is not, where and why.

use super::next::{Below, mistakes, next};
use super::paint::Paint;
use super::say::{self, say};
use crate::cli::GradeArguments;
use crate::error::LabError;
use crate::grade::{Grading, Progress};
use crate::kept::Kept;
use crate::stages::Stage;
use crate::verdict::{CheckVerdict, FailureReport, Outcome, StageVerdict};
use crate::workspace::Workspace;

/// Grades, and shows the verdict.
pub(super) fn grade(workspace: &Workspace, arguments: &GradeArguments) -> Result<u8, LabError> {
    let stages = Stage::named_or_all(&arguments.stages, workspace)?;
    let grading = Grading {
        check: arguments.check.clone(),
        seed: arguments.seed,
        engine: arguments.engine,
        ..Grading::of(stages)
    };
    let kept = Kept::look(workspace)?;
    if arguments.json {
        let verdict = grading.run(workspace, |_| {})?;
        kept.keep(&verdict, &grading)?;
        say::for_programs(&verdict.json())?;
        return Ok(verdict.exit_code());
    }
    let paint = Paint::stdout();
    let verdict = grading.run(workspace, |progress| follow(paint, progress))?;
    kept.keep(&verdict, &grading)?;
    for stage in &verdict.stages {
        details(paint, stage, &Below::of(stage, &kept), usize::MAX);
    }
    Ok(verdict.exit_code())
}

/// One line for each check, as soon as it has been made.
fn follow(paint: Paint, progress: Progress<'_>) {
    match progress {
        Progress::Compiling(stage) if paint.is_on() => {
            say::piece(&paint.faint(&format!("building {} …", stage.name)));
        }
        Progress::Compiled if paint.is_on() => say::piece("\r\x1b[K"),
        Progress::Chosen(why) => say!("{why}"),
        Progress::Made(check) => say!("{}", line(paint, check)),
        _ => {}
    }
}

/// A check and how it came out.
pub(super) fn line(paint: Paint, check: &CheckVerdict) -> String {
    let (word, of, name) = (word(paint, check), check.of, &check.name);
    match (check.outcome, &check.reason) {
        (Outcome::Skipped, Some(why)) => {
            format!("{word}    –/{of:<3} {name}: {}", paint.faint(why))
        }
        _ => format!("{word}  {:>3}/{of:<3} {name}", check.points),
    }
}

fn word(paint: Paint, check: &CheckVerdict) -> String {
    match check.outcome {
        Outcome::Pass => paint.good("pass   "),
        Outcome::Fail if check.is_not_yet() => paint.open("not yet"),
        Outcome::Fail => paint.bad("FAIL   "),
        Outcome::Skipped => paint.open("skipped"),
        Outcome::Error => paint.bad("ERROR  "),
    }
}

/// What there is to say about a version after its checks; of those that failed
/// only the first `failures` are told.
pub(super) fn details(paint: Paint, stage: &StageVerdict, below: &Below, failures: usize) {
    if let Some(diagnostics) = &stage.diagnostics {
        say!("{}", diagnostics.trim_end());
    }
    let errors = stage
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Error);
    let mut reasons: Vec<_> = errors.filter_map(|check| check.reason.as_ref()).collect();
    reasons.dedup();
    for reason in reasons {
        say!("\nchecks could not be made: {reason}");
    }
    let failed = mistakes(stage, below).into_iter();
    let failed = failed.filter_map(|check| Some((check, check.failure.as_ref()?)));
    for (turn, (check, failure)) in failed.take(failures).enumerate() {
        say!("");
        match turn < IN_FULL {
            true => explain(paint, stage, below, check, failure),
            false => mention(paint, stage, check, failure),
        }
    }
    say!("\n{}", total(stage));
    for line in next(paint, stage, below) {
        say!("{line}");
    }
}

/// The points, and what they were given for.
pub(super) fn total(stage: &StageVerdict) -> String {
    let StageVerdict {
        points,
        of,
        skipped,
        engine,
        announced,
        ..
    } = stage;
    let name = format!("{} {}", stage.stage, stage.title);
    match (&**engine, of) {
        ("interp", _) if announced.is_none() => format!("{name}: {points} of {of} points"),
        ("interp", _) => format!("{name}: {points} of {of} public points; {announced}"),
        (_, 0) => {
            let reason = stage.checks.first().and_then(|check| check.reason.as_ref());
            let why = reason.map_or("", String::as_str);
            format!("{name}: skipped: {why}")
        }
        _ => format!(
            "{name}: {points} of {of} points on {engine}, {skipped} skipped. On {engine} your \
             monitor and your schedulers run, and your virtual CPU does not."
        ),
    }
}

/// How many failures are told in full. One mistake often fails many checks, and
/// the first ones are nearest to it.
const IN_FULL: usize = 2;

fn title(paint: Paint, stage: &StageVerdict, check: &CheckVerdict) {
    let title = format!("{} · {}", stage.stage, check.name);
    say!(
        "{title:66} {}  {}/{}",
        paint.bad("FAIL"),
        check.points,
        check.of
    );
}

fn mention(paint: Paint, stage: &StageVerdict, check: &CheckVerdict, failure: &FailureReport) {
    title(paint, stage, check);
    row("expected", &failure.expected);
    row("seen", &failure.seen);
    row("more", &failure.again);
}

fn explain(
    paint: Paint,
    stage: &StageVerdict,
    below: &Below,
    check: &CheckVerdict,
    failure: &FailureReport,
) {
    title(paint, stage, check);
    row("tests", &check.tests);
    row("expected", &failure.expected);
    row("seen", &failure.seen);
    block(&[&failure.moments, &failure.registers]);
    if let Some(below) = below.suspect(check) {
        row(
            "where",
            &format!("perhaps in {below}: cargo lab grade {below}"),
        );
    }
    for decides in &failure.places {
        row(
            "where",
            &format!(
                "{} decides this: {}",
                decides.exercise,
                places(&decides.places)
            ),
        );
    }
    row("thought", &failure.thought);
    row("again", &failure.again);
    if !failure.look.is_empty() {
        row("look", &failure.look);
    }
    if !failure.step.is_empty() {
        row("step", &failure.step);
        row("", "(with `debug` for `step`, gdb stands there)");
    }
}

/// Places as `folder/a.rs:3, :9, b.rs:7`: what was said is not said again.
pub(super) fn places(all: &[String]) -> String {
    let mut text = String::new();
    let (mut folder, mut file) = ("", "");
    for place in all {
        let (path, line) = place.rsplit_once(':').unwrap_or((place, ""));
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let shown = match (parent == folder, name == file) {
            (true, true) => format!(":{line}"),
            (true, false) => format!("{name}:{line}"),
            (false, _) => format!("{parent}/{name}:{line}"),
        };
        text += if text.is_empty() { "" } else { ", " };
        text += &shown;
        (folder, file) = (parent, name);
    }
    text
}

fn row(name: &str, text: &str) {
    say!("  {name:9} {text}");
}

/// Blocks of lines with an empty line around each.
fn block(blocks: &[&[String]]) {
    let told: Vec<_> = blocks.iter().filter(|lines| !lines.is_empty()).collect();
    for lines in &told {
        say!("");
        lines.iter().for_each(|line| say!("    {line}"));
    }
    if !told.is_empty() {
        say!("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_say_nothing_twice() {
        let all = ["s/v1/a.rs:3", "s/v1/a.rs:9", "s/v1/b.rs:7"].map(String::from);
        assert_eq!(places(&all), "s/v1/a.rs:3, :9, b.rs:7");
    }
}
