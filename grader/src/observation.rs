//! One run of one guest in a process of its own, and what is known of it.

use crate::child::Finished;
use crate::desk::{Desk, did_not_begin};
use crate::error::LabError;
use common::{Image, Time};
use evidence::{Engine, Evidence, Reader, Scenario, ThreadKernel};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The host's time after which a run is given up unless an order says otherwise.
pub const BACKSTOP: Duration = Duration::from_secs(30);

/// A guest to run, and on what machine.
#[derive(Clone, Debug)]
pub struct Order {
    /// The guest's ELF image; of a thread kernel one without the student's
    /// pieces, whose symbols serve until the whole is there.
    pub image: Vec<u8>,
    /// The machine; its `image` is set when the order is carried out.
    pub scenario: Scenario,
    /// The host's time after which the run is given up: for code that sleeps.
    /// (Code that computes without end is given up after the scenario's
    /// patience, which does not depend on what else the host does.)
    pub backstop: Duration,
}

impl Order {
    /// A run of an image on the usual machine.
    pub fn new(image: Vec<u8>) -> Order {
        Order {
            image,
            scenario: Scenario::new(PathBuf::new()),
            backstop: BACKSTOP,
        }
    }

    /// A run of a thread kernel, which the runner completes, on the usual
    /// machine. `outline` is its image without the student's pieces.
    pub fn of_threads(kernel: ThreadKernel, outline: Vec<u8>) -> Order {
        let mut order = Order::new(outline);
        order.scenario.threads = Some(kernel);
        order
    }

    /// The same on another engine.
    pub fn engine(mut self, engine: Engine) -> Order {
        self.scenario.engine = engine;
        self
    }

    /// The same with the host's timer ringing every `ticks`.
    pub fn tick(mut self, ticks: u64) -> Order {
        self.scenario.tick = ticks;
        self
    }

    /// The same with a guest whose own timer ticks every `ticks`, if it has one.
    pub fn guest_tick(mut self, ticks: u32) -> Order {
        self.scenario.guest_tick = Some(ticks);
        self
    }

    /// The same with the guest's time over at `limit`.
    pub fn limit(mut self, limit: u64) -> Order {
        self.scenario.limit = Time(limit);
        self
    }

    /// The same with a kick at one entry into the guest.
    pub fn kick_at(mut self, entry: u64) -> Order {
        self.scenario.kick_at = Some(entry);
        self
    }

    /// The same as vCPU number `vcpu`.
    pub fn vcpu(mut self, vcpu: u64) -> Order {
        self.scenario.vcpu = vcpu;
        self
    }
}

/// What is known of a run.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The machine it ran on.
    pub scenario: Scenario,
    /// The guest, for its symbols and entry.
    pub image: Image,
    /// What the machine reported.
    pub evidence: Evidence,
    /// How the process ended.
    pub finished: Finished,
}

/// Runs a guest under the stage that `runner` holds. `follow` gets the console
/// as it grows.
///
/// # Errors
/// If the run cannot be made at all: nothing in this is the student's doing.
pub fn observe(
    runner: &Path,
    order: &Order,
    mut follow: impl FnMut(&[u8]),
) -> Result<Observation, LabError> {
    let mut image =
        Image::parse(&order.image).map_err(|error| LabError::Usage(error.to_string()))?;
    let desk = Desk::new()?;
    let mut scenario = order.scenario.clone();
    scenario.image = desk.write("guest.elf", &order.image)?;

    let mut reader = Reader::default();
    let mut shown = 0;
    let finished = desk.run(runner, &scenario, order.backstop, |piece| {
        reader.feed(piece);
        follow(&reader.evidence.console[shown..]);
        shown = reader.evidence.console.len();
    });
    let finished = finished?;
    let evidence = reader.evidence;
    if evidence == Evidence::default() {
        return Err(did_not_begin(&finished));
    }
    if scenario.threads.is_some() {
        // What the student's pieces made of it is theirs: it may be anything.
        let whole = std::fs::read(&scenario.image).ok();
        image = whole
            .and_then(|bytes| Image::parse(&bytes).ok())
            .unwrap_or(image);
    }
    scenario.image = PathBuf::new();
    Ok(Observation {
        scenario,
        image,
        evidence,
        finished,
    })
}
