//! `cargo lab run`: boots a guest and shows what happens.

use super::list::guests_of;
use crate::cli::RunArguments;
use crate::compile::{Compiled, compile};
use crate::error::LabError;
use crate::fate::Fate;
use crate::observation::{Observation, Order, observe};
use crate::stages::Stage;
use crate::suggest;
use crate::workspace::Workspace;
use common::trace::Text;
use std::io::Write;
use std::time::Duration;

/// Whoever runs a guest by hand can stop it by hand, too.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many records a trace shows at most.
const TRACE: u64 = 200_000;

/// Runs a guest. The exit code is 0 if the guest said that all went well.
pub(super) fn run(workspace: &Workspace, arguments: &RunArguments) -> Result<u8, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    let order = order(stage, arguments)?;
    let runner = match compile(stage, workspace)? {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => {
            eprintln!("{}\n\n{}", rejection.lead, rejection.diagnostics.trim_end());
            return Ok(1);
        }
    };
    let mut stdout = std::io::stdout().lock();
    let run = observe(&runner, &order, |console| {
        // Whoever closed the pipe does not want to see the rest.
        let _ = stdout.write_all(console).and_then(|()| stdout.flush());
    })?;
    drop(stdout);
    let fate = Fate::of(&run);
    report(&run, &fate, arguments.trace);
    Ok(match fate {
        Fate::Ended(ending) if ending.is_success() => 0,
        _ => 1,
    })
}

fn order(stage: &Stage, arguments: &RunArguments) -> Result<Order, LabError> {
    let image = match &arguments.image {
        Some(path) => std::fs::read(path).map_err(|error| {
            LabError::Usage(format!(
                "the image '{}' cannot be read: {error}. Give the path of an ELF file, or choose a \
                 guest with --guest (see `cargo lab list`).",
                path.display()
            ))
        })?,
        None => catalogued(stage, arguments)?,
    };
    let mut order = Order::new(image)
        .tick(arguments.tick)
        .limit(arguments.limit);
    order = order.vcpu(arguments.vcpu);
    order.scenario.kick_at = arguments.kick_at;
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    if arguments.trace {
        order.scenario.records = TRACE;
    }
    Ok(order)
}

fn catalogued(stage: &Stage, arguments: &RunArguments) -> Result<Vec<u8>, LabError> {
    let all = guests_of(stage);
    let known: Vec<_> = all.iter().map(|guest| guest.name).collect();
    let name = arguments
        .guest
        .as_deref()
        .or(known.first().copied())
        .unwrap_or_default();
    match all.iter().find(|guest| guest.name == name) {
        Some(guest) => Ok(guest.build(arguments.seed).elf()),
        None => Err(suggest::unknown(
            "guest",
            name,
            &known,
            "See `cargo lab list`.",
        )),
    }
}

fn report(run: &Observation, fate: &Fate, trace: bool) {
    let evidence = &run.evidence;
    let symbols = &run.image.symbols;
    if evidence.console.last().is_some_and(|&byte| byte != b'\n') {
        eprintln!();
    }
    if trace {
        eprint!("{}", Text::new(symbols).all(&evidence.records));
    }
    show_output_of_the_code(run);
    let Some(end) = &evidence.end else {
        eprintln!("{fate}");
        return;
    };
    match fate {
        Fate::Ended(ending) if !ending.is_success() => {
            eprintln!("{}\n", end.explanation.to_string().trim_end());
        }
        _ => eprintln!("{fate} at time {}", end.now),
    }
    if trace && end.records > evidence.records.len() as u64 {
        let missing = end.records - evidence.records.len() as u64;
        eprintln!("(the trace above lacks its last {missing} lines)");
    }
    let exits: Vec<_> = end
        .exits
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if !exits.is_empty() {
        eprintln!("exits: {}", exits.join(", "));
    }
}

/// What the version's code printed by itself: for its author only.
fn show_output_of_the_code(run: &Observation) {
    for (name, bytes) in [
        ("stdout", &run.finished.stdout),
        ("stderr", &run.finished.stderr),
    ] {
        if !bytes.is_empty() {
            eprintln!("your code printed to {name}:");
            for line in String::from_utf8_lossy(bytes).lines() {
                eprintln!("  | {line}");
            }
        }
    }
}
