//! `cargo lab run`: boots a guest and shows what happens.

use super::run_host;
use super::say::{if_it_takes, note, note_text};
use crate::child::Finished;
use crate::cli::{HostArguments, RunArguments, SingleArguments};
use crate::compile::{Compiled, compile};
use crate::engine::Choice;
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::observation::{Observation, Order, observe};
use crate::stages::Stage;
use crate::text;
use crate::workspace::Workspace;
use evidence::{Engine, Scenario};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Whoever runs a guest by hand can stop it by hand, too.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// After so long a run seems to hang: most take less than a second.
pub(super) const LONG: Duration = Duration::from_secs(10);

/// Says so.
pub(super) fn still_runs(stage: &Stage) {
    let name = stage.name;
    note!(
        "it still runs; Ctrl-C ends it. If it hangs, `cargo lab grade {name}` says in which check, \
         and `cargo lab step {name}` shows the way there"
    );
}

/// How many records a trace shows at most.
pub(super) const TRACE: u64 = 200_000;

/// Runs a guest. The exit code is 0 if the guest said that all went well.
pub(super) fn run(workspace: &Workspace, arguments: &RunArguments) -> Result<u8, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    let Choice { engine, why } = Choice::or_error(arguments.engine, stage)?;
    if let Some(why) = why {
        note!("{why}");
    }
    if stage.has_many_vms() {
        return run_host::run(workspace, stage, engine, arguments);
    }
    let order = order(stage, engine, arguments)?;
    let Some(runner) = runner(workspace, stage)? else {
        return Ok(1);
    };
    let mut stdout = std::io::stdout().lock();
    let show = |console: &[u8]| {
        // Whoever closed the pipe does not want to see the rest.
        let _ = stdout.write_all(console).and_then(|()| stdout.flush());
    };
    let run = if_it_takes(
        LONG,
        || still_runs(stage),
        || observe(&runner, &order, show),
    )?;
    drop(stdout);
    let fate = Fate::of(&run);
    report(&run, &fate, arguments.trace);
    Ok(match fate {
        Fate::Ended(ending) if ending.is_success() => 0,
        _ => 1,
    })
}

/// The runner of a version; if it does not compile it has been said why.
pub(super) fn runner(workspace: &Workspace, stage: &Stage) -> Result<Option<PathBuf>, LabError> {
    match compile(stage, workspace)? {
        Compiled::Runner(runner) => Ok(Some(runner)),
        Compiled::Rejected(rejection) => {
            note!("{}\n\n{}", rejection.lead, rejection.diagnostics.trim_end());
            Ok(None)
        }
    }
}

/// The run of one guest that the command line asks for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn order(
    stage: &Stage,
    engine: Engine,
    arguments: &RunArguments,
) -> Result<Order, LabError> {
    only_for_many(&arguments.host, stage)?;
    let SingleArguments {
        tick,
        vcpu,
        kick_at,
    } = arguments.single;
    if engine == Engine::Kvm {
        let why = "on kvm nobody sees the entries into the guest, so they cannot be counted";
        refuse(&[("kick-at", kick_at.is_some())], why)?;
    }
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
    let order = order.tick(tick.unwrap_or(Scenario::TICK));
    let mut order = order.limit(arguments.limit).vcpu(vcpu.unwrap_or(0));
    order.scenario.engine = engine;
    order.scenario.guest_tick = arguments.guest_tick;
    order.scenario.kick_at = kick_at;
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    if arguments.trace {
        order.scenario.records = TRACE;
    }
    Ok(order)
}

/// Refuses what a version with one VM does not know.
fn only_for_many(arguments: &HostArguments, stage: &Stage) -> Result<(), LabError> {
    let HostArguments {
        vm,
        pcpus,
        order,
        slice,
        at,
        policy,
    } = arguments;
    let given = [
        ("vm", !vm.is_empty()),
        ("pcpus", pcpus.is_some()),
        ("order", order.is_some()),
        ("slice", slice.is_some()),
        ("at", !at.is_empty()),
        ("policy", policy.is_some()),
    ];
    refuse(
        &given,
        &format!("version {} runs one VM on one physical CPU", stage.name),
    )
}

/// Refuses the first of these options that is given.
pub(super) fn refuse(options: &[(&str, bool)], why: &str) -> Result<(), LabError> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(LabError::Usage(format!(
            "--{option} makes no sense here: {why}. See `cargo lab run --help`."
        ))),
        None => Ok(()),
    }
}

/// The guest that is asked for, or the first that the version is made for.
///
/// # Errors
/// If there is none of this name.
pub(super) fn guest(stage: &Stage, arguments: &RunArguments) -> Result<Guest, LabError> {
    let first = Guest::made_for(stage).first().map(Guest::name);
    let name = arguments.guest.as_deref().or(first);
    Guest::find(name.unwrap_or_default(), stage)
}

fn report(run: &Observation, fate: &Fate, trace: bool) {
    let evidence = &run.evidence;
    let symbols = &run.image.symbols;
    if evidence.console.last().is_some_and(|&byte| byte != b'\n') {
        note!("");
    }
    let engine = run.scenario.engine;
    if trace {
        note_text(format_args!(
            "{}",
            text::trace(&evidence.records, symbols, engine)
        ));
    }
    show_output_of_the_code(&run.finished);
    let Some(end) = &evidence.end else {
        note!("{fate}");
        return;
    };
    match fate {
        Fate::Ended(ending) if !ending.is_success() => match &end.failure {
            Some(failure) => note!("{}", in_kvms_words(failure, &end.explanation.last)),
            None => note!("{}\n", end.explanation.to_string().trim_end()),
        },
        _ => note!("{fate} at time {}", end.now),
    }
    if trace && end.records > evidence.records.len() as u64 {
        let missing = end.records - evidence.records.len() as u64;
        note!("(the trace above lacks its last {missing} lines)");
    }
    let exits: Vec<_> = end
        .exits
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if !exits.is_empty() {
        note!("exits: {}", exits.join(", "));
    }
    if engine == Engine::Kvm {
        note!("{ON_KVM}");
    }
}

/// What is said after a run on kvm.
pub(super) const ON_KVM: &str = "on kvm: the host's CPU ran the guest, and the version's virtual \
     CPU did not run. A tick of time is a microsecond of the host while the guest runs; where all \
     sleep, time is put forward.";

/// Why the engine could not go on, and what had happened before.
fn in_kvms_words(failure: &str, last: &[String]) -> String {
    let mut text = format!("{failure}\n");
    if !last.is_empty() {
        text += "\n  what happened last\n";
        text += &last.join("\n");
        text += "\n";
    }
    text
}

/// What the version's code printed by itself: for its author only.
pub(super) fn show_output_of_the_code(finished: &Finished) {
    for (name, bytes) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        if !bytes.is_empty() {
            note!("your code printed to {name}:");
            for line in String::from_utf8_lossy(bytes).lines() {
                note!("  | {line}");
            }
        }
    }
}
