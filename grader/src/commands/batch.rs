//! `cargo lab batch` and `cargo lab merge`: a class, graded.

use super::paint::{Paint, bar};
use super::say::{self, say};
use crate::batch::parts::{Census, Part};
use crate::batch::record::{Record, State};
use crate::batch::roster::Roster;
use crate::batch::{Batch, News, Toolbox, merge};
use crate::cli_class::{BatchArguments, MergeArguments};
use crate::error::LabError;
use crate::stages::Stage;
use crate::submission::{self, Origin, Submission};
use crate::workers;
use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Grades a class.
pub(super) fn batch(workspace: &Workspace, arguments: &BatchArguments) -> Result<u8, LabError> {
    let stages = Stage::named_or_all(&arguments.stages, workspace)?;
    let roster = match &arguments.roster {
        Some(path) => Roster::read(path)?,
        None => Roster::default(),
    };
    let handed_in = submission::discover(&arguments.submissions)?;
    let unread = submission::unread(&arguments.submissions)?;
    for Submission { origin, .. } in &unread {
        if let Origin::Unread(why) = origin {
            say!("not read: {why}");
        }
    }
    let all = roster.complete(handed_in, &unread);
    let submissions = arguments.shard.select(all.clone());
    if !arguments.unsafe_host {
        refuse_unsafe_host()?;
    }
    say!("building the clean tree …");
    let launcher = std::env::current_exe()
        .map_err(|error| LabError::infrastructure("this program cannot be found", error))?;
    let toolbox = Toolbox::prepare(workspace, &stages)?.confined_by(launcher)?;
    if toolbox.compiler.reads_everything() {
        say!(
            "the compiler works on this host only if it may read all files: what comes past the \
             check of a submission's words could compile them in"
        );
    }
    let batch = Batch {
        toolbox,
        stages,
        seed: arguments.seed,
        engine: arguments.engine,
        out: arguments.out.clone(),
        jobs: arguments.jobs.map_or_else(workers::all_cores, usize::from),
        own: !arguments.reference_only,
    };
    let progress = Progress::of(submissions.len());
    let records = batch.run(&submissions, |news| progress.hear(&news))?;
    let names = batch.stages.iter().map(|stage| stage.name.to_string());
    let part = Part::new(arguments.shard, names.collect());
    Part::add_all(BTreeSet::from([part]), &arguments.out)?;
    let strangers = Record::strangers(&arguments.out, &all);
    for path in strangers.iter().map(|path| path.display()) {
        match &arguments.roster {
            Some(_) => say!("'{path}' is of nobody in this class: remove it"),
            None => say!("'{path}' is of no entry here: remove it if it is of nobody in the class"),
        }
    }
    if arguments.roster.is_some() {
        for one in all.iter().filter(|one| !roster.knows(&one.name)) {
            say!("not on the roster: {}", one.name);
        }
    }
    Ok(summary(&records, "run the same command again"))
}

/// Joins results.
pub(super) fn merge(arguments: &MergeArguments) -> Result<u8, LabError> {
    let census = Census::of(&arguments.results);
    let records = merge::merge(&arguments.results, &arguments.out)?;
    let advice = "run the batch of their part again, and then this command";
    let code = summary(&records, advice);
    let is_whole = tell(&census);
    Part::add_all(census.parts, &arguments.out)?;
    Ok(if is_whole { code } else { code.max(1) })
}

/// Says what is odd about the parts, and whether the class is whole.
fn tell(census: &Census) -> bool {
    for (part, places) in &census.twice {
        let places: Vec<_> = places
            .iter()
            .map(|one| format!("'{}'", one.display()))
            .collect();
        say!("part {part} is there twice: in {}", places.join(" and "));
    }
    for part in &census.missing {
        say!("part {part} is missing: grade it, and join all parts again");
    }
    for folder in &census.unfinished {
        let shown = folder.display();
        say!("'{shown}' was not graded to its end: run its batch again, and join all parts again");
    }
    census.missing.is_empty() && census.unfinished.is_empty()
}

/// Other people's code is run on a host that can keep it in, or on purpose.
fn refuse_unsafe_host() -> Result<(), LabError> {
    let lacks = evidence::confine::lacks();
    match lacks.is_empty() {
        true => Ok(()),
        false => Err(LabError::Usage(format!(
            "this host lacks {}. Submissions could do there what you can. Grade in a container or \
             a virtual machine that you throw away, and say so with --unsafe-host",
            lacks.join("; and ")
        ))),
    }
}

/// How many of each kind there were, and the exit code: 3 if the host kept
/// something from being graded, with `advice` on it. That a student failed is no failure of a batch.
fn summary(records: &[Record], advice: &str) -> u8 {
    let count = |state| records.iter().filter(|one| one.state == state).count();
    let [graded, missing, unreadable] =
        [State::Graded, State::Missing, State::Unreadable].map(count);
    say!("{graded} graded, {missing} missing, {unreadable} unreadable");
    let failed: Vec<_> = records.iter().filter(|one| one.has_errors()).collect();
    if failed.is_empty() {
        return 0;
    }
    let names: Vec<_> = failed.iter().map(|one| one.submission.as_str()).collect();
    say!(
        "the host failed on {}: they have lost no points; {advice}",
        names.join(", ")
    );
    3
}

/// Shows how far a batch has come: a bar on a terminal, lines elsewhere.
struct Progress {
    of: usize,
    paint: Paint,
    done: Mutex<usize>,
}

impl Progress {
    fn of(of: usize) -> Progress {
        Progress {
            of,
            paint: Paint::stdout(),
            done: Mutex::new(0),
        }
    }

    fn hear(&self, news: &News<'_>) {
        let Ok(mut done) = self.done.lock() else {
            return; // somebody panicked while printing: nothing to add
        };
        if let News::Done(record, is_known) = news {
            *done += 1;
            let width = self.of.to_string().len();
            let clear = if self.paint.is_on() { "\r\x1b[K" } else { "" };
            let line = line(self.paint, record);
            let known = match is_known {
                true => self.paint.faint("  (known)"),
                false => String::new(),
            };
            say!("{clear}{:>width$}/{} {line}{known}", *done, self.of);
        }
        if let News::Dropped(submission, versions) = news {
            let clear = if self.paint.is_on() { "\r\x1b[K" } else { "" };
            say!(
                "{clear}{submission}: {} was graded with another tree, compiler, engine or seed \
                 before, and is no longer in the results: grade it again",
                versions.join(", ")
            );
        }
        if self.paint.is_on() {
            let (part, whole) = (*done as u32, self.of as u32);
            let now = match news {
                News::Stage(submission, stage) => format!("{submission}: {stage} graded"),
                News::Done(..) | News::Dropped(..) => String::new(),
            };
            let end = if *done == self.of { "\r\x1b[K" } else { "" };
            say::piece(&format!(
                "\r\x1b[K{} {part}/{whole} {now}{end}",
                bar(part, whole)
            ));
        }
    }
}

/// One submission in one line.
fn line(paint: Paint, record: &Record) -> String {
    let name = &record.submission;
    let reason = record.reason.as_deref().unwrap_or_default();
    match record.state {
        State::Missing => format!("{name}: {}", paint.open("nothing handed in")),
        State::Unreadable => format!("{name}: {}", paint.bad(reason)),
        State::Error => format!("{name}: {} {reason}", paint.bad("the host failed:")),
        State::Graded => {
            let stages = record.stages.iter().map(|stage| {
                let result = &stage.result;
                let points = match (stage.handed_in, result.compiles) {
                    (false, _) => String::from("–"),
                    _ if result.has_errors() => String::from("error"),
                    (_, false) => String::from("rejected"),
                    _ => result.points.to_string(),
                };
                format!("{} {points}", result.stage)
            });
            let notes = match record.notes.len() {
                0 => String::new(),
                notes => format!("  ({notes} notes)"),
            };
            format!("{name}: {}{notes}", stages.collect::<Vec<_>>().join("  "))
        }
    }
}
