//! Tries a scheduler in many orders of its threads.
//!
//! Real threads meet a bad order once in a million runs, and the stepper never
//! stops a scheduler in the middle of its work. Here the locks are shuttle's:
//! whenever a thread takes one, another may go on instead, as a seed decides. So
//! a deadlock, or a wake that comes a moment too early, is found within a second.
//!
//! No guest runs: virtual CPUs play scripts. This crate knows no version; the
//! runners bring the scenarios.

use common::drive::{Progress, Schedule};
use common::sync::waiting;
use common::{Pcpu, Time};
use evidence::Panic;
use evidence::confine;
use evidence::search::{Answer, Failure, Report, Request, What};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Something to try in many orders. It panics if it does not end well.
pub struct Scenario {
    /// What it is, in a few words.
    pub name: &'static str,
    /// Does it.
    pub run: fn(),
}

/// Another thread beside the physical CPUs, with its name.
pub type Other = (&'static str, Box<dyn FnOnce() + Send>);

/// Runs each physical CPU in a thread of its own until all is done, and the
/// others beside them.
pub fn drive<S>(scheduler: &Arc<S>, pcpus: Vec<Pcpu<()>>, others: Vec<Other>)
where
    S: Send + Sync + 'static,
    for<'a> &'a S: Schedule<()>,
{
    let pcpus = pcpus.into_iter().map(|pcpu| {
        let scheduler = Arc::clone(scheduler);
        let name = format!("pcpu {}", pcpu.id);
        spawn(name, move || run_pcpu(&*scheduler, pcpu))
    });
    let others = others
        .into_iter()
        .map(|(name, run)| spawn(name.into(), run));
    // All are started before the first is waited for.
    for thread in pcpus.chain(others).collect::<Vec<_>>() {
        thread.join().expect("shuttle ends the run at a panic");
    }
}

/// Lets the other threads go on: for a thread that waits for one of them.
pub fn yield_now() {
    shuttle::thread::yield_now();
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> shuttle::thread::JoinHandle<()> {
    let builder = shuttle::thread::Builder::new().name(name);
    builder.spawn(run).expect("shuttle has room for a thread")
}

/// What [`common::drive::threads`] does, without the host's clock.
fn run_pcpu(mut scheduler: impl Schedule<()>, mut pcpu: Pcpu<()>) {
    loop {
        match scheduler.schedule_once(&mut pcpu) {
            Progress::Ran => {}
            Progress::Idle { wake: Time::NEVER } => {
                pcpu.kick.sleep(None);
                pcpu.kick.take();
            }
            Progress::Idle { wake } => {
                pcpu.kick.take();
                pcpu.now = pcpu.now.max(wake);
                yield_now();
            }
            Progress::Done => return,
        }
    }
}

/// Tries `scenarios` if the command line asks for it: `run-v6 search REQUEST
/// REPORT`. Otherwise nothing.
pub fn asked(scenarios: &[Scenario]) -> Option<ExitCode> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [verb, request, report] = &arguments[..] else {
        return None;
    };
    if verb != Path::new("search") {
        return None;
    }
    Some(match answer(scenarios, request, report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn answer(scenarios: &[Scenario], request: &Path, report: &Path) -> Result<(), Box<dyn Error>> {
    let request: Request = serde_json::from_slice(&std::fs::read(request)?)?;
    let answer = Answer::at(report)?;
    confine::within_folder_of(report)?;
    answer.leave(&search(scenarios, &request))?;
    Ok(())
}

/// Tries each scenario in the orders of the request, until one goes wrong.
pub fn search(scenarios: &[Scenario], request: &Request) -> Report {
    let first_panic = remember_first_panic();
    let mut orders = 0;
    for scenario in scenarios {
        let tried = catch_unwind(AssertUnwindSafe(|| try_orders(scenario, request)));
        match tried {
            Ok(tried) => orders += tried,
            Err(_) => {
                let panic = lock(&first_panic).take();
                let failure = Some(Failure {
                    scenario: scenario.name.into(),
                    what: what(panic),
                    waiting: waiting()
                        .into_iter()
                        .map(|waiting| (waiting.thread, waiting.place.to_string()))
                        .collect(),
                });
                return Report { orders, failure };
            }
        }
    }
    let failure = None;
    Report { orders, failure }
}

/// Half of the orders are random at every step; in the other half threads have
/// priorities that change a few times only, which finds other faults.
fn try_orders(scenario: &Scenario, request: &Request) -> usize {
    /// How often priorities change.
    const DEPTH: usize = 3;
    /// A right scheduler needs a tenth of it.
    const STEPS: usize = 30_000;
    let config = || {
        let mut config = Config::new();
        config.stack_size = 1 << 18;
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::FailAfter(STEPS);
        config.silence_warnings = true;
        config
    };
    let half = request.orders.div_ceil(2);
    let random = RandomScheduler::new_from_seed(request.seed, half);
    let priorities = PctScheduler::new_from_seed(request.seed, DEPTH, half);
    Runner::new(random, config()).run(scenario.run)
        + Runner::new(priorities, config()).run(scenario.run)
}

fn what(panic: Option<Panic>) -> What {
    let Some(panic) = panic else {
        return What::Deadlock;
    };
    match &panic.message {
        message if message.starts_with("deadlock!") => What::Deadlock,
        message if message.contains("exceeded max_steps bound") => What::Endless,
        _ => What::Panic(panic),
    }
}

/// From now on the first panic is kept, and none is printed.
fn remember_first_panic() -> Arc<Mutex<Option<Panic>>> {
    let first = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&first);
    evidence::report_panics(move |panic| {
        lock(&kept).get_or_insert(panic);
    });
    first
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
