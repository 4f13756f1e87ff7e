//! The frames of the evidence about many VMs: one JSON value a line.

use super::What;
use super::scenario::Deed;
use crate::Measured;
use crate::frame::{Bytes, GivenUp, Panic, RegisterFile};
use common::trace::{Record, VcpuName};
use common::{Ending, Explanation, Time, drive};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The first frame's text: which format the others are in.
pub const SCHEMA: &str = "heptavisor/host-evidence/v1";

/// One line of an evidence file. All between two [`Frame::Run`]s belongs to the
/// first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// The first frame.
    Begin {
        /// [`SCHEMA`].
        schema: String,
    },
    /// A run begins.
    Run {
        /// The seed of its order; 0 if it has none.
        seed: u64,
    },
    /// Something happened. Entries, and traps that only end them, are left out:
    /// they are the stepper's affair.
    Record(Record),
    /// A vCPU came back while the guest's lock was its own.
    Holds(Holds),
    /// A guest wrote to its console.
    Console {
        /// Whose.
        vm: u32,
        /// What.
        bytes: Bytes,
    },
    /// The version was asked for something.
    CarriedOut(CarriedOut),
    /// A VM has ended, says the version.
    Ended(Ended),
    /// The machine saw something that must not be.
    Violation(Violation),
    /// Somebody is not where the version's own books say, or is there twice.
    Lost(Lost),
    /// The engine refuses to make the VMs, in its own words.
    Refused(String),
    /// The stand stopped the version, since it got nowhere.
    GivenUp(GivenUp),
    /// The version's code panicked.
    Panic(Panic),
    /// How things stood with a VM when the run was over or it was destroyed.
    Vm(Box<VmEnd>),
    /// The last frame of a run: it is over and the runner still stands.
    End(End),
}

/// A vCPU came back from its physical CPU while the guest's lock was its own: so
/// says the guest, in its variable [`LOCK_OWNER`](super::LOCK_OWNER).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Which.
    pub vcpu: VcpuName,
    /// When, by the clock of its physical CPU.
    pub time: Time,
}

/// Something that the version was asked for, and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedOut {
    /// When.
    pub time: Time,
    /// What was asked.
    pub deed: Deed,
    /// Why the version refused, if it did.
    pub refused: Option<String>,
}

/// A VM has ended, says the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub vm: u32,
    /// When that was known.
    pub time: Time,
    /// How.
    pub ending: Ending,
}

/// Something that must not be, seen by the machine as a vCPU came onto a
/// physical CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which vCPU.
    pub vcpu: VcpuName,
    /// On which physical CPU.
    pub pcpu: usize,
    /// When.
    pub time: Time,
    /// What.
    pub what: What,
}

/// The version's books contradict each other: somebody is lost, or stands in two
/// places at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When that was so for the first time.
    pub time: Time,
    /// What the books say, in words.
    pub wrong: String,
}

/// What the version's books say about a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it is doing, in one word, such as `asleep`.
    pub state: Cow<'static, str>,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// Where its time went.
    pub account: Account,
}

/// Where a VM's time went since its start, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// It ran.
    pub run: u64,
    /// It was ready, and others ran.
    pub waiting: u64,
    /// It slept.
    pub halted: u64,
    /// It was paused.
    pub paused: u64,
}

impl Account {
    /// All four together.
    pub fn total(&self) -> u64 {
        self.run + self.waiting + self.halted + self.paused
    }
}

/// How things stood with a VM at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmEnd {
    /// Which.
    pub vm: u32,
    /// When.
    pub now: Time,
    /// What the version says of it; `None` if it cannot be asked any more.
    pub claim: Option<Claim>,
    /// What the machine saw of its vCPUs.
    pub vcpus: Vec<VcpuEnd>,
    /// Its last records, oldest first.
    pub last: Vec<Record>,
    /// If it died: where it was and why it came there, for people. Nobody knows
    /// on an engine that keeps the registers to itself.
    pub explanation: Option<Explanation>,
    /// Why the engine could not go on with it, in its own words.
    pub failure: Option<String>,
    /// What the guest counted in its own memory: variables by their names.
    pub probes: Vec<(String, Vec<u64>)>,
}

/// What the machine saw of a vCPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcpuEnd {
    /// For how many ticks it really ran.
    pub ran: u64,
    /// When it last left a physical CPU.
    pub left: Time,
    /// Its registers then.
    pub registers: RegisterFile,
}

/// How a run was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why; `None` if the version panicked or was stopped.
    pub outcome: Option<Outcome>,
    /// The clock of each physical CPU.
    pub clocks: Vec<Time>,
    /// How many records there were, those beyond the scenario's bound included.
    pub records: u64,
    /// Everything in numbers, if the scenario asks for them.
    pub measured: Option<Measured>,
}

/// Why a run was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The version says that no VM is left alive.
    Done,
    /// The limit came first.
    LimitReached,
    /// Every physical CPU slept, with nobody to wake it.
    Stuck,
}

impl From<drive::Outcome> for Outcome {
    fn from(outcome: drive::Outcome) -> Outcome {
        match outcome {
            drive::Outcome::Done => Outcome::Done,
            drive::Outcome::LimitReached => Outcome::LimitReached,
            drive::Outcome::Stuck => Outcome::Stuck,
        }
    }
}
