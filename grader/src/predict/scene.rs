//! The run that a question is about.

use crate::checks::{self, HostRun, Problem, Run};
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::host_order::{HostOrder, observe_host};
use crate::observation::{Order, observe};
use crate::stages::Stage;
use common::Ending;
use guests::catalogue;
use std::path::Path;

/// How many records a run may have to be looked at.
const RECORDS: u64 = 200_000;

/// A run that can be made again.
#[derive(Clone)]
pub enum Scene {
    /// Of one guest.
    Guest {
        /// Which.
        guest: Guest,
        /// What it is made from.
        seed: u64,
        /// Its image, and the machine.
        order: Order,
    },
    /// Of a set of VMs.
    Vms(HostOrder),
}

/// Such a run, and what was recorded.
pub enum Seen {
    /// Of one guest.
    Guest(Box<Run>),
    /// Of a set of VMs.
    Vms(Box<HostRun>),
}

/// What can be looked at in a run.
pub(super) trait Recorded: Sized {
    /// The run, if it is one of this sort.
    fn of(seen: &Seen) -> Option<&Self>;
}

impl Recorded for Run {
    fn of(seen: &Seen) -> Option<&Run> {
        match seen {
            Seen::Guest(run) => Some(run),
            Seen::Vms(_) => None,
        }
    }
}

impl Recorded for HostRun {
    fn of(seen: &Seen) -> Option<&HostRun> {
        match seen {
            Seen::Vms(run) => Some(run),
            Seen::Guest(_) => None,
        }
    }
}

impl Scene {
    /// A guest on the usual machine.
    pub(super) fn guest(guest: Guest, seed: u64) -> Scene {
        let order = guest.order(seed);
        Scene::Guest { guest, seed, order }
    }

    /// The same on another machine, if it is one guest's.
    pub(super) fn on(self, change: impl FnOnce(Order) -> Order) -> Scene {
        match self {
            Scene::Guest { guest, seed, order } => Scene::Guest {
                guest,
                seed,
                order: change(order),
            },
            vms => vms,
        }
    }

    /// What the guest prints on a machine that is right; nothing of many VMs.
    pub fn console(&self) -> String {
        match self {
            Scene::Guest { guest, seed, .. } => {
                String::from_utf8_lossy(&guest.expected(*seed).console).into_owned()
            }
            Scene::Vms(_) => String::new(),
        }
    }

    /// The command that makes the run under `stage`.
    pub fn command(&self, stage: &Stage) -> String {
        match self {
            Scene::Guest { guest, seed, order } => {
                checks::command_of_guest(stage.name, *guest, *seed, &order.scenario)
            }
            Scene::Vms(order) => order.command(stage.name),
        }
    }

    /// Makes the run under the stage that `runner` holds.
    ///
    /// # Errors
    /// If it cannot be made, or somebody presses Ctrl-C.
    pub fn run(&self, stage: &'static Stage, runner: &Path) -> Result<Seen, LabError> {
        Ok(match self {
            Scene::Guest { guest, seed, order } => {
                let mut order = order.clone();
                order.scenario.records = RECORDS;
                let observation = observe(runner, &order, |_| {})?;
                Seen::Guest(Box::new(Run::new(stage.name, *guest, *seed, observation)))
            }
            Scene::Vms(order) => {
                let mut order = order.clone();
                order.scenario.records = RECORDS;
                let observation = observe_host(runner, order, |_| {})?;
                if observation.finished.is_none() {
                    return Err(LabError::Interrupted);
                }
                let run = HostRun::all(stage.name, observation).swap_remove(0);
                Seen::Vms(Box::new(run))
            }
        })
    }
}

impl Seen {
    /// Whether the guests did what their models say, and all of it was recorded:
    /// nobody should learn from another run.
    ///
    /// # Errors
    /// What was different.
    pub fn expect_right(&self) -> Result<(), Problem> {
        match self {
            Seen::Guest(run) => {
                run.expect_model()?;
                let dies = matches!(run.expected.ending, catalogue::Ending::Death(_));
                if dies && !matches!(run.fate, Fate::Ended(Ending::Died(_))) {
                    let expected = "the guest dies at the instruction that cannot be carried out";
                    return Err(run.failed(expected).into());
                }
                let end = run.observation.evidence.end.as_ref();
                complete(end.map_or(0, |end| end.records), run.records().len())
            }
            Seen::Vms(run) => {
                run.expect_no_violations()?;
                run.expect_nobody_lost()?;
                run.expect_models()?;
                let evidence = run.evidence();
                let end = evidence.end.as_ref();
                complete(end.map_or(0, |end| end.records), evidence.records.len())
            }
        }
    }
}

/// Passes if there are all records.
fn complete(all: u64, kept: usize) -> Result<(), Problem> {
    match all <= kept as u64 {
        true => Ok(()),
        false => Err(LabError::Infrastructure(format!(
            "the run has {all} records, of which {kept} were kept: too many to look at"
        ))
        .into()),
    }
}
