//! `cargo lab run`: boots a guest and shows what happens.

use crate::cli::RunArguments;
use crate::compile::{Compiled, compile};
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::observation::{Observation, Order, observe};
use crate::stages::Stage;
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
    let order = match &arguments.image {
        Some(path) => Order::new(std::fs::read(path).map_err(|error| {
            LabError::Usage(format!(
                "the image '{}' cannot be read: {error}. Give the path of an ELF file, or choose a \
                 guest with --guest (see `cargo lab list`).",
                path.display()
            ))
        })?),
        None => guest(stage, arguments)?.order(arguments.seed),
    };
    let mut order = order.tick(arguments.tick).limit(arguments.limit);
    order = order.vcpu(arguments.vcpu);
    order.scenario.guest_tick = arguments.guest_tick;
    order.scenario.kick_at = arguments.kick_at;
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    if arguments.trace {
        order.scenario.records = TRACE;
    }
    Ok(order)
}

/// The guest that is asked for, or the first that the version is made for.
fn guest(stage: &Stage, arguments: &RunArguments) -> Result<Guest, LabError> {
    let first = Guest::made_for(stage).first().map(Guest::name);
    let name = arguments.guest.as_deref().or(first);
    Guest::find(name.unwrap_or_default(), stage)
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
