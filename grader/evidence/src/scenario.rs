//! What a runner is asked to run.

use crate::Engine;
use common::Time;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One run of one guest.
///
/// It holds no seed and no expected result: the image was made from the seed
/// by the parent, so that nothing in the runner's process knows what the guest
/// should print. (A [`ThreadKernel`] is the exception: there the student writes
/// a part of the guest, and what it prints is not all that is looked at.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What to run it on.
    pub engine: Engine,
    /// The ELF image to boot.
    pub image: PathBuf,
    /// The image is a thread kernel that needs the student's pieces: the runner
    /// joins the two and leaves the whole in [`image`](Scenario::image).
    pub threads: Option<ThreadKernel>,
    /// Bytes of guest-physical memory.
    pub memory: u64,
    /// Period of the host's timer, in ticks of virtual time.
    pub tick: u64,
    /// What the guest sets its own timer to, in its variable `tick_length`, if it
    /// has one; `None` for what the image says.
    pub guest_tick: Option<u32>,
    /// The virtual time at which the run is ended if the guest still runs.
    pub limit: Time,
    /// How many records to report; the rest is only counted.
    pub records: u64,
    /// Seed of the garbage that the registers hold before they are prepared.
    pub garbage: u64,
    /// The number of the vCPU.
    pub vcpu: u64,
    /// Kick the physical CPU at this entry into the guest, counted from 0. A
    /// run that stops for it is continued.
    pub kick_at: Option<u64>,
    /// Write the evidence down when all is over, and not at each event: so recording
    /// disturbs the run less, and a process that dies leaves nothing.
    pub hold: bool,
    /// Count everything, and say how long it took.
    pub measure: bool,
    /// Seconds of the host's CPU after which the runner is killed. Virtual time
    /// ends every run long before: this is for code that does not come back.
    pub patience: u64,
}

/// A guest of version 4's catalogue, without the student's pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadKernel {
    /// Its name.
    pub guest: String,
    /// What it is made from.
    pub seed: u64,
}

impl Scenario {
    /// Guest-physical memory unless a scenario says otherwise.
    pub const MEMORY: u64 = 16 << 20;
    /// Period of the host's timer unless a scenario says otherwise.
    pub const TICK: u64 = 10_000;
    /// The end of time unless a scenario says otherwise: a second or so of the
    /// software CPU.
    pub const LIMIT: Time = Time(50_000_000);
    /// Records reported unless a scenario says otherwise.
    pub const RECORDS: u64 = 40_000;

    /// Seconds of the host's CPU unless a scenario says otherwise; a run takes
    /// less than one.
    pub const PATIENCE: u64 = 5;

    /// A run of `image` with the usual machine.
    pub fn new(image: PathBuf) -> Scenario {
        Scenario {
            engine: Engine::Interp,
            image,
            threads: None,
            memory: Scenario::MEMORY,
            tick: Scenario::TICK,
            guest_tick: None,
            limit: Scenario::LIMIT,
            records: Scenario::RECORDS,
            garbage: 1,
            vcpu: 0,
            kick_at: None,
            hold: false,
            measure: false,
            patience: Scenario::PATIENCE,
        }
    }
}
