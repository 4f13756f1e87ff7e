//! `cargo lab trace`: a run as a picture.

use super::run::{self, runner};
use super::run_host;
use super::say::{self, note};
use crate::cli::{EngineName, RunArguments, SingleArguments};
use crate::cli_trace::{DiffArguments, PictureArguments, TraceArguments, TraceCommand};
use crate::engine::Choice;
use crate::error::LabError;
use crate::host_order::observe_host;
use crate::observation::observe;
use crate::picture::{self, Part, Trace};
use crate::stages::Stage;
use crate::workspace::Workspace;
use std::io::IsTerminal;
use std::path::Path;

/// How wide a line is where nobody says how wide the terminal is.
const WIDTH: usize = 100;

/// Makes a picture of a trace.
type Make<'a> = &'a dyn Fn(&Trace) -> String;

/// Shows a run, or compares two. The exit code is 1 if there is nothing to show,
/// or if the two differ.
pub(super) fn trace(
    workspace: impl FnOnce() -> Result<Workspace, LabError>,
    arguments: TraceArguments,
) -> Result<u8, LabError> {
    let TraceArguments {
        command,
        run,
        pictures,
    } = arguments;
    if let Some(TraceCommand::Diff(arguments)) = command {
        return diff(&arguments);
    }
    let Some(mut run) = run else {
        return Err(LabError::Usage(String::from(
            "say what to show: a version, such as `cargo lab trace v2`, or a saved trace",
        )));
    };
    let trace = match run.stage.contains(['.', '/', '\\']) {
        true => Some(read(Path::new(&run.stage))?),
        false => {
            // As many records as a trace has.
            run.trace = true;
            record(&workspace()?, &run)?
        }
    };
    match trace {
        Some(trace) => show(&trace, &pictures).map(|()| 0),
        None => Ok(1),
    }
}

/// Runs what the command line asks for; if the version does not compile, it has
/// been said why.
fn record(workspace: &Workspace, arguments: &RunArguments) -> Result<Option<Trace>, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    let Choice { engine, why } = Choice::or_error(arguments.engine, stage)?;
    if let Some(why) = why {
        note!("{why}");
    }
    if stage.has_many_vms() {
        let mut order = run_host::order(stage, engine, arguments)?;
        let Some(runner) = runner(workspace, stage)? else {
            return Ok(None);
        };
        let run = whole(
            |hold| {
                order.scenario.hold = hold;
                observe_host(&runner, order.clone(), |_| {})
            },
            |run| {
                run.evidence
                    .runs
                    .last()
                    .is_some_and(|run| run.end.is_some())
            },
        )?;
        return match run.finished {
            None => Err(LabError::Interrupted),
            Some(_) => Ok(Some(picture::of_host(&run, stage.name))),
        };
    }
    let mut order = run::order(stage, engine, arguments)?;
    let Some(runner) = runner(workspace, stage)? else {
        return Ok(None);
    };
    let run = whole(
        |hold| {
            order.scenario.hold = hold;
            observe(&runner, &order, |_| {})
        },
        |run| run.evidence.end.is_some(),
    )?;
    let name = match &arguments.image {
        Some(path) => path.display().to_string(),
        None => run::guest(stage, arguments)?.name().to_string(),
    };
    let again = command(stage, &name, arguments);
    Ok(Some(picture::of_guest(&run, stage.name, &name, &again)))
}

/// Makes a run that writes its evidence down when it is over; and if the process
/// died before, the same run again, which then leaves what there was.
fn whole<T>(
    mut run: impl FnMut(bool) -> Result<T, LabError>,
    has_end: impl Fn(&T) -> bool,
) -> Result<T, LabError> {
    match run(true) {
        Ok(run) if has_end(&run) => Ok(run),
        Err(LabError::Interrupted) => Err(LabError::Interrupted),
        _ => run(false),
    }
}

/// The command that makes the same trace of one guest.
fn command(stage: &Stage, name: &str, arguments: &RunArguments) -> String {
    let guest = match arguments.image {
        Some(_) => "image",
        None => "guest",
    };
    let SingleArguments {
        tick,
        vcpu,
        kick_at,
    } = arguments.single;
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let limit = (arguments.limit != evidence::Scenario::LIMIT.0).then_some(arguments.limit);
    let limit = number(limit).map(|limit| match arguments.limit {
        u64::MAX => String::from("never"),
        _ => limit,
    });
    let engine = (arguments.engine != EngineName::Interp).then(|| arguments.engine.name().into());
    let options = [
        (guest, Some(name.to_string())),
        ("seed", number(Some(arguments.seed))),
        ("guest-tick", number(arguments.guest_tick.map(u64::from))),
        ("limit", limit),
        ("tick", number(tick)),
        ("vcpu", number(vcpu)),
        ("kick-at", number(kick_at)),
        ("engine", engine),
    ];
    let given = options.into_iter();
    let given = given.filter_map(|(option, value)| Some(format!(" --{option} {}", value?)));
    format!(
        "cargo lab trace {}{}",
        stage.name,
        given.collect::<String>()
    )
}

/// Reads a saved trace.
fn read(path: &Path) -> Result<Trace, LabError> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        LabError::Usage(format!(
            "the trace '{shown}' cannot be read: {error}. Save one with `cargo lab trace v2 --json \
             FILE`."
        ))
    })?;
    let found = picture::read(&String::from_utf8_lossy(&bytes));
    let found = found.map_err(|why| LabError::Usage(format!("'{shown}' {why}")))?;
    if let Some(what) = found.note {
        note!("'{shown}': {what}");
    }
    Ok(found.trace)
}

/// Makes the pictures that are asked for.
fn show(trace: &Trace, pictures: &PictureArguments) -> Result<(), LabError> {
    let PictureArguments {
        text,
        json,
        html,
        svg,
        from,
        to,
        perfetto,
    } = pictures;
    let part = Part::of(trace, *from, *to).map_err(LabError::Usage)?;
    let files: [(&Option<_>, Make<'_>); 4] = [
        (json, &picture::to_json),
        (html, &picture::page),
        (svg, &|trace| picture::svg(trace, part)),
        (perfetto, &picture::perfetto),
    ];
    let asked: Vec<_> = files
        .iter()
        .filter_map(|(path, make)| Some((path.as_deref()?, make)))
        .collect();
    for (path, make) in &asked {
        write(path, &make(trace))?;
    }
    if *text || asked.is_empty() {
        say::piece(&picture::text(trace, part, width()));
    }
    Ok(())
}

/// Writes a file, or to standard output.
fn write(path: &Path, text: &str) -> Result<(), LabError> {
    if path == Path::new("-") {
        return say::for_programs(text);
    }
    std::fs::write(path, text).map_err(|error| {
        LabError::infrastructure(format!("'{}' cannot be written", path.display()), error)
    })?;
    note!("{} ({} kB)", path.display(), text.len().div_ceil(1000));
    Ok(())
}

/// How wide the terminal is, if it is one.
fn width() -> usize {
    let size = std::io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size);
    size.flatten()
        .map_or(WIDTH, |(width, _)| usize::from(width.0))
}

fn diff(arguments: &DiffArguments) -> Result<u8, LabError> {
    let [one, other] = [&arguments.one, &arguments.other].map(|path| read(path));
    let names = [&arguments.one, &arguments.other].map(|path| path.display().to_string());
    let (text, are_equal) = picture::diff(&one?, &other?, &names, arguments.lines, width());
    say::piece(&text);
    Ok(if are_equal { 0 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_died_runs_again_and_leaves_what_there_was() {
        let mut asked = Vec::new();
        let run = |hold: bool| {
            asked.push(hold);
            match hold {
                true => Err(LabError::Infrastructure(String::from("it left nothing"))),
                false => Ok("the beginning"),
            }
        };
        assert_eq!(whole(run, |_| false).ok(), Some("the beginning"));
        assert_eq!(asked, [true, false]);
    }

    #[test]
    fn a_run_that_came_to_its_end_or_was_interrupted_is_made_once() {
        let mut times = 0;
        let mut count = || times += 1;
        let end = whole(
            |_| {
                count();
                Ok(())
            },
            |()| true,
        );
        assert!(end.is_ok());
        let stop = whole(
            |_| {
                count();
                Err::<(), _>(LabError::Interrupted)
            },
            |()| true,
        );
        assert!(matches!(stop, Err(LabError::Interrupted)));
        assert_eq!(times, 2);
    }
}
