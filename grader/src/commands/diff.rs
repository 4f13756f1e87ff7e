//! `cargo lab diff`: what a version added to another.

use super::compare::{many, single};
use super::run::{PATIENCE, runner};
use super::run_host::{show_piece, usual_pcpus};
use super::say;
use crate::cli::DiffArguments;
use crate::compare::Column;
use crate::difference::{Code, Difference, First, SCHEMA};
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::host_order::{HostOrder, observe_host};
use crate::observation::observe;
use crate::stages::{STAGES, Stage};
use crate::text::count;
use crate::vm_fate::VmFate;
use crate::vm_spec;
use crate::workspace::Workspace;
use common::Time;
use evidence::Engine;
use evidence::host::{Order, RunEvidence};
use std::path::PathBuf;

/// A version that is ready to be run.
struct Ready {
    stage: &'static Stage,
    runner: PathBuf,
}

/// Shows the difference. The exit code is 1 if a version does not compile, or the
/// guest that both should run went wrong on one of them.
pub(super) fn diff(workspace: &Workspace, arguments: &DiffArguments) -> Result<u8, LabError> {
    let (older, newer) = pair(workspace, arguments)?;
    let workload = workload(older, newer, arguments)?;
    let code = Code::of(older, newer, workspace)
        .map_err(|error| LabError::infrastructure("the sources cannot be read", error))?;
    let mut ready = Vec::new();
    for stage in [older, newer] {
        match runner(workspace, stage)? {
            Some(runner) => ready.push(Ready { stage, runner }),
            None => return Ok(1),
        }
    }
    let columns: Result<Vec<_>, _> = ready
        .iter()
        .map(|one| one.measure(&workload, arguments.seed))
        .collect();
    let difference = Difference {
        schema: SCHEMA,
        older: older.name,
        older_title: older.title,
        newer: newer.name,
        newer_title: newer.title,
        code,
        workload,
        columns: columns?,
        first: first(&ready[0], &ready[1], arguments.seed)?,
    };
    match arguments.json {
        true => say::for_programs(&difference.json())?,
        false => say::piece(&difference.to_string()),
    }
    let well = difference.columns.iter().all(|one| one.wrong.is_none());
    Ok(if well { 0 } else { 1 })
}

/// The two versions, the older one first.
fn pair(
    workspace: &Workspace,
    arguments: &DiffArguments,
) -> Result<(&'static Stage, &'static Stage), LabError> {
    let one = Stage::find(&arguments.older, workspace)?;
    let other = Stage::find(&arguments.newer, workspace)?;
    match one.number().cmp(&other.number()) {
        std::cmp::Ordering::Less => Ok((one, other)),
        std::cmp::Ordering::Greater => Ok((other, one)),
        std::cmp::Ordering::Equal => Err(LabError::Usage(format!(
            "{0} and {0} are the same version: name two that differ, such as `cargo lab diff v2 v3`",
            one.name
        ))),
    }
}

/// A guest that both versions can run: the one that is asked for, or the first of
/// the older one; of those below it if it has none that is whole.
fn workload(older: &Stage, newer: &Stage, arguments: &DiffArguments) -> Result<String, LabError> {
    if let Some(name) = &arguments.guest {
        let guest = Guest::find(name, older)?;
        return Ok(Guest::find(guest.name(), newer)?.name().to_string());
    }
    let below = STAGES.iter().rev().filter(|stage| stage.name <= older.name);
    let own = below.flat_map(Guest::made_for).map(|guest| guest.name());
    let mut both = own.filter(|name| Guest::find(name, newer).is_ok());
    let found = both.find(|name| Guest::find(name, older).is_ok());
    Ok(found.unwrap_or_default().to_string())
}

impl Ready {
    /// What is counted of a guest, alone or as the only VM.
    fn measure(&self, guest: &str, seed: u64) -> Result<Column, LabError> {
        let Ready { stage, runner } = self;
        let column = match stage.has_many_vms() {
            false => single(stage, runner, guest, seed, Engine::Interp),
            true => many(stage, runner, &[guest.to_string()], seed, Engine::Interp),
        };
        Ok(column?.of_stage(stage.name))
    }

    /// What becomes of a guest that may not be made for this version; why it
    /// cannot be run, if it cannot.
    fn fate_of_guest(&self, name: &str, seed: u64) -> Result<String, LabError> {
        let guest = match Guest::find(name, self.stage) {
            Ok(guest) => guest,
            Err(error) => return refused(error),
        };
        if self.stage.has_many_vms() {
            return self.fate_of_vms(&[name.to_string()], seed);
        }
        let mut order = guest.order(seed);
        order.scenario.records = 0;
        let run = observe(&self.runner, &order, |_| {})?;
        let Some(end) = &run.evidence.end else {
            return Ok(Fate::of(&run).to_string());
        };
        let place = run.image.symbols.place(end.registers.rip);
        let exits: Vec<_> = end
            .exits
            .iter()
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect();
        Ok(format!(
            "{} at time {}, with RIP at {place}; {}",
            Fate::of(&run),
            end.now,
            exits.join(", ")
        ))
    }

    /// The same of a set of VMs, on as many physical CPUs as is usual there.
    fn fate_of_vms(&self, vms: &[String], seed: u64) -> Result<String, LabError> {
        let order = match host(self.stage, vms, seed) {
            Ok(order) => order,
            Err(error) => return refused(error),
        };
        let pcpus = order.scenario.pcpus;
        let observation = observe_host(&self.runner, order, |_| {})?;
        let (Some(finished), Some(run)) = (&observation.finished, observation.evidence.runs.last())
        else {
            return Err(LabError::Interrupted);
        };
        if let Some(fate) = Fate::of_host(&observation.evidence, run, finished) {
            return Ok(fate.to_string());
        }
        Ok(told(run, vms.len(), pcpus))
    }
}

/// The set of VMs on a version, if it can run them.
fn host(stage: &Stage, vms: &[String], seed: u64) -> Result<HostOrder, LabError> {
    let orders: Result<Vec<_>, _> = vms
        .iter()
        .map(|text| vm_spec::vm(text, seed, stage))
        .collect();
    let mut order = HostOrder::new(orders?)
        .pcpus(usual_pcpus(stage) as usize)
        .order(Order::Fair(seed));
    order.scenario.records = 0;
    order.scenario.patience = PATIENCE.as_secs();
    vm_spec::check(&order, stage)?;
    Ok(order)
}

/// How a set of VMs ended, and when.
fn told(run: &RunEvidence, vms: usize, pcpus: usize) -> String {
    let fates = (0..vms as u32).map(|vm| VmFate::of(run, vm));
    let well = fates.filter(|fate| fate.ending().is_some_and(|ending| ending.is_success()));
    let clocks = run.end.iter().flat_map(|end| end.clocks.iter().copied());
    format!(
        "{} of {} ended with success, the last at time {}, on {}",
        well.count(),
        count(vms, "VM"),
        clocks.max().unwrap_or(Time::ZERO),
        count(pcpus, "physical CPU")
    )
}

/// Why a version cannot run something at all: that is an answer, too.
fn refused(error: LabError) -> Result<String, LabError> {
    match error {
        LabError::Usage(why) => Ok(format!("cannot be run: {why}")),
        other => Err(other),
    }
}

/// The newer version's first guest, or its set of VMs if both run sets.
fn first(older: &Ready, newer: &Ready, seed: u64) -> Result<First, LabError> {
    if older.stage.has_many_vms() {
        let vms = show_piece(newer.stage).iter().map(|vm| vm.to_string());
        let vms: Vec<_> = vms.collect();
        return Ok(First {
            workload: vms.join(", "),
            older: older.fate_of_vms(&vms, seed)?,
            newer: newer.fate_of_vms(&vms, seed)?,
        });
    }
    let guest = Guest::made_for(newer.stage)
        .first()
        .map(Guest::name)
        .unwrap_or_default();
    Ok(First {
        workload: guest.to_string(),
        older: older.fate_of_guest(guest, seed)?,
        newer: newer.fate_of_guest(guest, seed)?,
    })
}
