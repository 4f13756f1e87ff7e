//! `cargo lab compare`: the same workload on every engine that works here.

use super::run::{PATIENCE, runner};
use super::run_host::{show_piece, usual_order, usual_pcpus};
use super::say;
use crate::checks::{HostRun, Problem, Run};
use crate::cli::{CompareArguments, OrderName};
use crate::compare::{Column, Comparison, SCHEMA};
use crate::engine::{self, with_mend};
use crate::error::LabError;
use crate::guest::Guest;
use crate::host_order::{HostOrder, observe_host};
use crate::observation::observe;
use crate::stages::Stage;
use crate::vm_spec;
use crate::workspace::Workspace;
use evidence::host::{Order, Policy};
use evidence::{Engine, Measured};
use kvm::Ability;
use std::path::Path;

/// Compares. The exit code is 0 if the guests did right on every engine.
pub(super) fn compare(workspace: &Workspace, arguments: &CompareArguments) -> Result<u8, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    let workload = workload(stage, arguments)?;
    let report = engine::probed();
    let lack = engine::lack(report, stage);
    let Some(runner) = runner(workspace, stage)? else {
        return Ok(1);
    };
    let engines = match lack {
        None => &[Engine::Interp, Engine::Kvm][..],
        Some(_) => &[Engine::Interp],
    };
    let measure = |engine: &Engine| match stage.has_many_vms() {
        false => single(stage, &runner, &workload[0], arguments.seed, *engine),
        true => many(stage, &runner, &workload, arguments.seed, *engine),
    };
    let columns: Result<Vec<_>, _> = engines.iter().map(measure).collect();
    let comparison = Comparison {
        schema: SCHEMA,
        stage: stage.name,
        workload,
        columns: columns?,
        missing: lack.map(with_mend),
        kvm_lacks: match lack {
            None => engine::lacks_of_guests(report)
                .iter()
                .map(ToString::to_string)
                .collect(),
            Some(_) => Vec::new(),
        },
        kvm_emulates: report.has(Ability::Interrupt) && !report.has(Ability::SystemCall),
    };
    match arguments.json {
        true => say::for_programs(&comparison.json())?,
        false => say::piece(&comparison.to_string()),
    }
    let well = comparison.columns.iter().all(|one| one.wrong.is_none());
    Ok(if well { 0 } else { 1 })
}

/// The guest or the VMs that are asked for, or else those that show the version.
fn workload(stage: &Stage, arguments: &CompareArguments) -> Result<Vec<String>, LabError> {
    if let Some(name) = &arguments.guest {
        let guest = Guest::find(name, stage)?;
        return Ok(vec![guest.name().to_string()]);
    }
    Ok(match stage.has_many_vms() {
        true => show_piece(stage)
            .iter()
            .map(|one| one.to_string())
            .collect(),
        false => {
            let first = Guest::made_for(stage).first().map(Guest::name);
            vec![first.unwrap_or_default().to_string()]
        }
    })
}

/// What was measured, or why nothing was: a version may stop before it has an end.
fn column(
    engine: Engine,
    measured: Option<Measured>,
    judged: Result<(), Problem>,
) -> Result<Column, LabError> {
    match (measured, judged) {
        (Some(measured), judged) => Ok(Column::new(engine, measured, judged)),
        (None, Err(problem)) => Ok(Column::new(engine, Measured::default(), Err(problem))),
        (None, Ok(())) => Err(LabError::Infrastructure(format!(
            "the run on {engine} was not measured"
        ))),
    }
}

/// What was measured of one guest.
pub(super) fn single(
    stage: &'static Stage,
    runner: &Path,
    guest: &str,
    seed: u64,
    engine: Engine,
) -> Result<Column, LabError> {
    let guest = Guest::find(guest, stage)?;
    let mut order = guest.order(seed).engine(engine);
    order.scenario.measure = true;
    order.scenario.records = 0;
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    let run = Run::new(stage.name, guest, seed, observe(runner, &order, |_| {})?);
    let end = run.observation.evidence.end.as_ref();
    let measured = end.and_then(|end| end.measured.clone());
    let judged = run.expect_model();
    column(engine, measured, judged)
}

/// What was measured of a set of VMs.
pub(super) fn many(
    stage: &'static Stage,
    runner: &Path,
    workload: &[String],
    seed: u64,
    engine: Engine,
) -> Result<Column, LabError> {
    let vms = workload.iter().map(|text| vm_spec::vm(text, seed, stage));
    let vms: Result<Vec<_>, _> = vms.collect();
    let pcpus = usual_pcpus(stage) as usize;
    let mut order = HostOrder::new(vms?).engine(engine).pcpus(pcpus);
    order.scenario.order = match usual_order(engine, pcpus) {
        OrderName::Threads => Order::Threads,
        _ => Order::Fair(seed),
    };
    // Where the engine can tell of spinning, it shall.
    if stage.name == "v7" && engine == Engine::Interp {
        order.scenario.policy = Policy::SpinExits;
    }
    order.scenario.measure = true;
    order.scenario.records = 0;
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    let observation = observe_host(runner, order, |_| {})?;
    if observation.finished.is_none() {
        return Err(LabError::Interrupted);
    }
    let run = HostRun::all(stage.name, observation).swap_remove(0);
    let end = run.evidence().end.as_ref();
    let measured = end.and_then(|end| end.measured.clone());
    let judged = run.expect_over().and_then(|()| run.expect_models());
    column(engine, measured, judged)
}
