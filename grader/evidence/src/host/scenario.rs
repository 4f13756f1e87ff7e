//! What a runner of many VMs is asked to run.

use crate::Engine;
use common::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A set of VMs on a host. Like the scenario of a single guest it holds no
/// expected result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What to run them on.
    pub engine: Engine,
    /// The VMs, numbered from 0.
    pub vms: Vec<VmSetup>,
    /// How many physical CPUs there are.
    pub pcpus: usize,
    /// Who steps them.
    pub order: Order,
    /// Run it so many times, each with the next seed for the order. If it is
    /// more than once, no records are reported.
    pub seeds: u64,
    /// How long a turn is, in ticks.
    pub slice: u64,
    /// The virtual time at which all is ended.
    pub limit: Time,
    /// What the VMs' owner asks, and when. They are carried out in the order of
    /// their times, those of one time in this order.
    pub commands: Vec<Command>,
    /// What version 7 does about spinning vCPUs.
    pub policy: Policy,
    /// How many records to report; the rest is only counted.
    pub records: u64,
    /// Seed of the garbage that the registers hold at first.
    pub garbage: u64,
    /// Write the evidence down when all is over, and not at each event: so recording
    /// disturbs the run less, and a process that dies leaves nothing.
    pub hold: bool,
    /// Count everything, and say how long it took.
    pub measure: bool,
    /// Seconds of the host's CPU after which the runner is killed.
    pub patience: u64,
}

/// One VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSetup {
    /// The ELF image to boot.
    pub image: PathBuf,
    /// Bytes of guest-physical memory.
    pub memory: u64,
    /// How many vCPUs it has.
    pub vcpus: u8,
    /// How much it counts beside the others.
    pub weight: u32,
    /// The physical CPU on which it is placed at first; `None` leaves that to the
    /// version.
    pub home: Option<usize>,
    /// On which physical CPUs it may run, one bit each; `None` for all.
    pub affinity: Option<u64>,
    /// When it is started; [`Time::NEVER`] leaves that to a command.
    pub start: Time,
    /// What the guest sets its own timer to, in its variable `tick_length`, if it
    /// has one; `None` for what the image says.
    pub guest_tick: Option<u32>,
}

/// In which order the physical CPUs go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One thread steps them, nearly in the order of their clocks.
    Fair(u64),
    /// One thread steps them, as badly as this seed can.
    Adversarial(u64),
    /// Each has a host thread of its own: never twice the same.
    Threads,
}

impl Order {
    /// What decides the order; `None` if nothing does.
    pub fn seed(self) -> Option<u64> {
        match self {
            Order::Fair(seed) | Order::Adversarial(seed) => Some(seed),
            Order::Threads => None,
        }
    }

    /// The same kind of order with the seed that comes so many after its own.
    pub fn later(self, seeds: u64) -> Order {
        match self {
            Order::Fair(seed) => Order::Fair(seed.wrapping_add(seeds)),
            Order::Adversarial(seed) => Order::Adversarial(seed.wrapping_add(seeds)),
            Order::Threads => Order::Threads,
        }
    }
}

/// Something that the VMs' owner asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// When.
    pub at: Time,
    /// What.
    pub deed: Deed,
}

/// What can be asked: of a VM by its number, or of a physical CPU by its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Start a VM.
    Start(u32),
    /// Let a VM stand still.
    Pause(u32),
    /// Let a VM go on that was paused.
    Resume(u32),
    /// End a VM from outside.
    ShutDown(u32),
    /// Forget a VM that has ended.
    Destroy(u32),
    /// Take a physical CPU away.
    Unplug(usize),
    /// Give it back.
    Plug(usize),
}

impl Deed {
    /// The VM that it is about, if it is about one.
    pub fn vm(self) -> Option<u32> {
        match self {
            Deed::Start(vm)
            | Deed::Pause(vm)
            | Deed::Resume(vm)
            | Deed::ShutDown(vm)
            | Deed::Destroy(vm) => Some(vm),
            Deed::Unplug(_) | Deed::Plug(_) => None,
        }
    }

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Deed::Start(_) => "start",
            Deed::Pause(_) => "pause",
            Deed::Resume(_) => "resume",
            Deed::ShutDown(_) => "shut-down",
            Deed::Destroy(_) => "destroy",
            Deed::Unplug(_) => "unplug",
            Deed::Plug(_) => "plug",
        }
    }

    /// The number of its VM or physical CPU.
    pub fn number(self) -> usize {
        match self {
            Deed::Unplug(pcpu) | Deed::Plug(pcpu) => pcpu,
            _ => self.vm().unwrap_or_default() as usize,
        }
    }
}

/// As on the command line: `pause:2`.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name(), self.number())
    }
}

/// What version 7 does about vCPUs that spin for a lock whose holder does not
/// run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Nothing.
    #[default]
    None,
    /// The raw CPU notices loops of `pause` and exits; the turn is over then.
    SpinExits,
    /// The guest says by a port whom it waits for.
    YieldPort,
    /// The vCPUs of a VM run at the same time or not at all.
    CoScheduling,
}

impl Scenario {
    /// How long a turn is unless a scenario says otherwise.
    pub const SLICE: u64 = 10_000;

    /// These VMs on one physical CPU, with the usual host.
    pub fn new(vms: Vec<VmSetup>) -> Scenario {
        Scenario {
            engine: Engine::Interp,
            vms,
            pcpus: 1,
            order: Order::Fair(1),
            seeds: 1,
            slice: Scenario::SLICE,
            limit: crate::Scenario::LIMIT,
            commands: Vec::new(),
            policy: Policy::None,
            records: crate::Scenario::RECORDS,
            garbage: 1,
            hold: false,
            measure: false,
            patience: crate::Scenario::PATIENCE,
        }
    }

    /// Everything that is asked and when, the starts of the VMs included, in the
    /// order in which it is carried out.
    pub fn plan(&self) -> Vec<Command> {
        let starts = self.vms.iter().zip(0..).map(|(setup, vm)| Command {
            at: setup.start,
            deed: Deed::Start(vm),
        });
        let starts = starts.filter(|start| start.at != Time::NEVER);
        let mut plan: Vec<_> = starts.chain(self.commands.iter().copied()).collect();
        plan.sort_by_key(|command| command.at);
        plan
    }
}

impl VmSetup {
    /// The weight unless a scenario says otherwise.
    pub const WEIGHT: u32 = 100;

    /// A VM of `image` as it usually is, with one vCPU, started at once.
    pub fn new(image: PathBuf) -> VmSetup {
        VmSetup {
            image,
            memory: crate::Scenario::MEMORY,
            vcpus: 1,
            weight: VmSetup::WEIGHT,
            home: None,
            affinity: None,
            start: Time::ZERO,
            guest_tick: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_in_the_order_of_time_and_begins_with_the_starts() {
        let mut late = VmSetup::new(PathBuf::new());
        late.start = Time(500);
        let mut never = late.clone();
        never.start = Time::NEVER;
        let mut scenario = Scenario::new(vec![VmSetup::new(PathBuf::new()), late, never]);
        let command = |at, deed| Command { at: Time(at), deed };
        scenario.commands = vec![command(500, Deed::Pause(1)), command(0, Deed::Pause(0))];
        let deeds: Vec<_> = scenario.plan().iter().map(|one| one.deed).collect();
        let (start, pause) = (Deed::Start, Deed::Pause);
        assert_eq!(deeds, [start(0), pause(0), start(1), pause(1)]);
    }
}
