//! What a check works with.

use super::{HostRun, Run};
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::host_order::{HostOrder, observe_host};
use crate::observation::{Order, observe};
use crate::workspace::Workspace;
use evidence::Scenario;
use std::cell::Cell;
use std::path::Path;

/// A version that is ready to be run, and the seed of this grading.
pub struct Bench<'a> {
    /// The tree that it was built from.
    pub workspace: &'a Workspace,
    /// The version's name.
    pub stage: &'static str,
    /// Its runner.
    pub runner: &'a Path,
    /// The seed that guests are made from.
    pub seed: u64,
    patience: Cell<u64>,
}

/// The end of time for guests that end by themselves: they need a quarter of it
/// at most.
const LIMIT: u64 = 8_000_000;

/// Seconds for a version that has already been seen to hang: still several
/// times what a run takes.
const LITTLE_PATIENCE: u64 = 2;

impl<'a> Bench<'a> {
    /// A bench for a version's runner.
    pub fn new(
        workspace: &'a Workspace,
        stage: &'static str,
        runner: &'a Path,
        seed: u64,
    ) -> Bench<'a> {
        // Checks make further seeds by adding to this one.
        let seed = seed.min(u64::MAX - 1_000);
        let patience = Cell::new(Scenario::PATIENCE);
        Bench {
            workspace,
            stage,
            runner,
            seed,
            patience,
        }
    }

    /// Runs `guest`, made from `seed`, on the machine that `arrange` sets up.
    ///
    /// # Errors
    /// If the run cannot be made.
    pub fn run(
        &self,
        guest: impl Into<Guest>,
        seed: u64,
        arrange: impl FnOnce(Order) -> Order,
    ) -> Result<Run, LabError> {
        let guest = guest.into();
        let mut order = arrange(guest.order(seed).limit(LIMIT));
        order.scenario.patience = self.patience.get();
        let observation = observe(self.runner, &order, |_| {})?;
        let run = Run::new(self.stage, guest, seed, observation);
        if run.fate == Fate::Hung {
            self.patience.set(LITTLE_PATIENCE);
        }
        Ok(run)
    }

    /// Runs VMs once.
    ///
    /// # Errors
    /// If the run cannot be made.
    pub fn run_host(&self, order: HostOrder) -> Result<HostRun, LabError> {
        Ok(self.sweep(order.seeds(1))?.swap_remove(0))
    }

    /// Runs VMs once for each of the order's seeds, all in one process. Only a
    /// run by itself has records.
    ///
    /// # Errors
    /// If the runs cannot be made.
    pub fn sweep(&self, mut order: HostOrder) -> Result<Vec<HostRun>, LabError> {
        if order.scenario.seeds == 1 {
            order.scenario.patience = order.scenario.patience.min(self.patience.get());
        }
        let observation = observe_host(self.runner, order, |_| {})?;
        if observation.finished.is_none() {
            return Err(LabError::Interrupted);
        }
        let runs = HostRun::all(self.stage, observation);
        if runs.iter().any(|run| run.fate == Some(Fate::Hung)) {
            self.patience.set(LITTLE_PATIENCE);
        }
        Ok(runs)
    }
}
