//! What a check works with.

use super::{HostRun, Run};
use crate::error::LabError;
use crate::fate::Fate;
use crate::guest::Guest;
use crate::host_order::{HostOrder, observe_host};
use crate::observation::{Order, observe};
use crate::workspace::Workspace;
use common::{Ending, Exit, Time};
use evidence::host;
use evidence::{Engine, Scenario};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
    /// What runs the guests.
    pub engine: Engine,
    /// Processor seconds that a run is given. Checks are made at the same time:
    /// one learns from another that the version hangs, or has been too soon.
    patience: AtomicU64,
}

/// The end of time for guests that end by themselves: they need a quarter of it
/// at most.
const LIMIT: u64 = 8_000_000;

/// Seconds for a version that has already been seen to hang: still several
/// times what a run takes.
const LITTLE_PATIENCE: u64 = 2;

/// The same of the host's time, for one that sleeps.
const LITTLE_BACKSTOP: Duration = Duration::from_secs(10);

/// A tick of the software CPU is an instruction, and on kvm it is a microsecond:
/// much time, but a kernel may be emulated there and the host may be busy.
const SLOWER: u64 = 10;

/// The end of time on hardware.
fn later(limit: Time) -> Time {
    Time(limit.0.saturating_mul(SLOWER))
}

/// The same VMs on hardware, where the order of several physical CPUs is the
/// host's affair, so that one run is as good as another.
fn on_hardware(mut order: HostOrder) -> HostOrder {
    let scenario = &mut order.scenario;
    scenario.engine = Engine::Kvm;
    scenario.limit = later(scenario.limit);
    scenario.seeds = 1;
    scenario.patience *= SLOWER;
    if scenario.pcpus > 1 {
        scenario.order = host::Order::Threads;
    }
    order.backstop *= SLOWER as u32;
    order
}

impl<'a> Bench<'a> {
    /// A bench for a version's runner.
    pub fn new(
        workspace: &'a Workspace,
        stage: &'static str,
        runner: &'a Path,
        seed: u64,
        engine: Engine,
    ) -> Bench<'a> {
        // Checks make further seeds by adding to this one.
        let seed = seed.min(u64::MAX - 1_000);
        let patience = AtomicU64::new(match engine {
            Engine::Interp => Scenario::PATIENCE,
            Engine::Kvm => SLOWER * Scenario::PATIENCE,
        });
        Bench {
            workspace,
            stage,
            runner,
            seed,
            engine,
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
        let mut order = arrange(guest.order(seed).limit(LIMIT)).engine(self.engine);
        order.scenario.patience = self.patience();
        if self.patience() == LITTLE_PATIENCE {
            order.backstop = order.backstop.min(LITTLE_BACKSTOP);
        }
        if self.is_hardware() {
            order.scenario.limit = later(order.scenario.limit);
            order.backstop *= SLOWER as u32;
        }
        let observation = observe(self.runner, &order, |_| {})?;
        let run = Run::new(self.stage, guest, seed, observation);
        if run.fate == Fate::Hung {
            self.lose_patience();
        }
        // The host's fault, and nobody else's.
        let end = run.observation.evidence.end.as_ref();
        match end.and_then(|end| end.failure.as_ref()) {
            Some(why) if run.fate == Fate::Ended(Ending::Died(Exit::Failed)) => {
                Err(LabError::infrastructure("kvm cannot go on", why))
            }
            _ => Ok(run),
        }
    }

    fn patience(&self) -> u64 {
        self.patience.load(Ordering::Relaxed)
    }

    fn lose_patience(&self) {
        self.patience.store(LITTLE_PATIENCE, Ordering::Relaxed);
    }

    /// Whether the host's own CPU runs the guests: then nothing is seen of what
    /// happens between two exits, and no time is exact.
    pub fn is_hardware(&self) -> bool {
        self.engine == Engine::Kvm
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
            order.scenario.patience = order.scenario.patience.min(self.patience());
        }
        if self.is_hardware() {
            order = on_hardware(order);
        }
        let observation = observe_host(self.runner, order, |_| {})?;
        if observation.finished.is_none() {
            return Err(LabError::Interrupted);
        }
        let runs = HostRun::all(self.stage, observation);
        if runs.iter().any(|run| run.fate == Some(Fate::Hung)) {
            self.lose_patience();
        }
        Ok(runs)
    }
}
