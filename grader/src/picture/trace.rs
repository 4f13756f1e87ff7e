//! The trace of a run, as it stands in a file: format [`SCHEMA`].
//!
//! `grader/formats/trace.schema.json` says the same for programs. Times are ticks
//! of virtual time (on kvm: microseconds of the host). Nothing is ever taken out
//! of this format; readers pass over what they do not know.

use serde::{Deserialize, Serialize};

/// The format's name and version.
pub const SCHEMA: &str = "heptavisor/trace/v1";

/// What happened in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trace {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version that ran, such as `v2`.
    pub stage: String,
    /// What ran it: `interp` or `kvm`.
    pub engine: String,
    /// The command that makes the same run.
    pub again: String,
    /// How many physical CPUs there were.
    pub pcpus: usize,
    /// When all was over.
    pub until: u64,
    /// How many events were recorded beyond the last one kept here.
    pub missing: u64,
    /// The VMs, numbered from 0.
    pub vms: Vec<Vm>,
    /// The file that it was read from was cut off: events are lost, nobody knows how
    /// many, and all else is of the whole run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What each vCPU did when, sorted by VM, vCPU and time. Between two spans of
    /// a vCPU nothing is known of it.
    pub spans: Vec<Span>,
    /// Timer interrupts and IPIs, in the order in which they became due.
    pub interrupts: Vec<Interrupt>,
    /// When a vCPU had a lock of its guest and no physical CPU, sorted by time, VM
    /// and vCPU.
    pub holds: Vec<Hold>,
    /// Everything that happened, in the order in which it was recorded: that of
    /// time on each physical CPU.
    pub events: Vec<Event>,
}

/// One VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Vm {
    /// Its guest, or the path of its image.
    pub name: String,
    /// How many vCPUs it has.
    pub vcpus: u8,
    /// How much it counts beside others.
    pub weight: u32,
    /// How it ended, in words.
    pub ending: String,
    /// Where the time of its vCPUs went, all together.
    pub split: Split,
    /// Its exits to the monitor by their kinds, the most frequent first.
    pub exits: Vec<Count>,
    /// The traps that its virtual CPU served, likewise; none on kvm.
    pub traps: Vec<Count>,
    /// Its guest's names for places, lowest address first.
    pub symbols: Vec<Symbol>,
}

/// Where time went, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Split {
    /// Instructions of the guest ran.
    pub guest: u64,
    /// The VMM worked for it: one tick a trap.
    pub vmm: u64,
    /// It could have run, and others did.
    pub waiting: u64,
    /// It slept until an interrupt.
    pub halted: u64,
    /// Its owner had it stand still.
    pub paused: u64,
}

/// How often something was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// A name of a place in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Its address.
    pub address: u64,
    /// The name.
    pub name: String,
}

/// What a vCPU did for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Span {
    /// Whose.
    pub vm: u32,
    /// Its number in that VM.
    pub vcpu: u8,
    /// What it did.
    pub state: State,
    /// From when.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// Where it ran, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcpu: Option<usize>,
    /// The last exit before it ran no longer, by its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// Where the guest was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// It stood in a loop with `pause` then: it waited for a sibling. For how long it
    /// had, nobody knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spins: bool,
}

/// What a vCPU can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs on a physical CPU.
    Running,
    /// It could run, and has no physical CPU.
    Waiting,
    /// It sleeps until an interrupt.
    Halted,
    /// Its owner has it stand still.
    Paused,
}

/// An interrupt from when it was due until the guest took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interrupt {
    /// For whom.
    pub vm: u32,
    /// Its number in that VM.
    pub vcpu: u8,
    /// Which.
    pub vector: u8,
    /// Who sent it.
    pub source: Source,
    /// When the timer expired, or when it was sent.
    pub due: u64,
    /// When the VMM injected it; `None` if it never did.
    pub delivered: Option<u64>,
    /// On which physical CPU.
    pub pcpu: Option<usize>,
    /// So many periods of the timer ended before that one was taken.
    pub merged: u64,
    /// How it went, and why it came late if it did.
    pub words: String,
}

/// Who sends an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The vCPU's own timer.
    Timer,
    /// A vCPU of the same VM: an IPI.
    Vcpu {
        /// Its number.
        vcpu: u8,
        /// Where it was when it sent it.
        pcpu: usize,
    },
}

/// A vCPU had a lock of its guest, and no physical CPU: whoever wants the lock
/// waits, whatever it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// Whose.
    pub vm: u32,
    /// Which vCPU had it.
    pub vcpu: u8,
    /// When it was taken off its physical CPU.
    pub from: u64,
    /// When it was put onto one again, or all was over.
    pub to: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// When, by the clock of its physical CPU.
    pub time: u64,
    /// Where.
    pub pcpu: usize,
    /// To which VM.
    pub vm: u32,
    /// To which vCPU of it.
    pub vcpu: u8,
    /// What it was.
    pub kind: Kind,
    /// Which of its kind, such as `mmio` or `cli`.
    pub name: String,
    /// All of it in words.
    pub text: String,
    /// Where the guest was; empty if nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// What kinds of events there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The raw CPU came back to the virtual CPU.
    Trap,
    /// The virtual CPU came back to the monitor.
    Exit,
    /// The monitor injected an interrupt.
    Inject,
    /// A device was accessed.
    Device,
}

impl Kind {
    /// As in the file.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Trap => "trap",
            Kind::Exit => "exit",
            Kind::Inject => "inject",
            Kind::Device => "device",
        }
    }
}

impl State {
    /// As in the file.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Waiting => "waiting",
            State::Halted => "halted",
            State::Paused => "paused",
        }
    }
}

impl Split {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.guest + self.vmm + self.waiting + self.halted + self.paused
    }

    /// Its parts, each with its name.
    pub fn parts(&self) -> [(&'static str, u64); 5] {
        [
            ("guest", self.guest),
            ("VMM", self.vmm),
            ("waiting", self.waiting),
            ("halted", self.halted),
            ("paused", self.paused),
        ]
    }
}

impl Span {
    /// Which loop it spun in at its end, by the guest's name for it, if it spun.
    pub fn spins_in(&self) -> Option<&str> {
        let name = self
            .place
            .as_deref()
            .and_then(|place| place.split('+').next());
        self.spins.then_some(name.unwrap_or("a loop with pause"))
    }
}

impl Interrupt {
    /// For how long it was due before it was taken.
    pub fn late(&self) -> Option<u64> {
        self.delivered.map(|time| time.saturating_sub(self.due))
    }
}

impl Trace {
    /// What a vCPU is called: by its VM alone if that has only one.
    pub fn vcpu_name(&self, vm: u32, vcpu: u8) -> String {
        match self.vms.get(vm as usize) {
            Some(Vm { vcpus: 1, .. }) => format!("vm {vm}"),
            _ => format!("vm {vm} vcpu {vcpu}"),
        }
    }

    /// What the lane of a vCPU is called, in a few letters: with the name of its
    /// guest, if it is the only one of its VM.
    pub fn lane_name(&self, vm: u32, vcpu: u8) -> String {
        let name = self.vcpu_name(vm, vcpu);
        match self.vms.get(vm as usize) {
            Some(one) if one.vcpus == 1 => {
                let guest = one.name.rsplit(['/', '\\']).next().unwrap_or_default();
                let short: String = guest.chars().take(10).collect();
                format!("{name} {short}")
            }
            _ => name,
        }
    }

    /// What ran on a physical CPU, in the order of time.
    pub fn lane(&self, pcpu: usize) -> Vec<&Span> {
        let mut lane: Vec<_> = self
            .spans
            .iter()
            .filter(|span| span.pcpu == Some(pcpu))
            .collect();
        lane.sort_by_key(|span| (span.from, span.to));
        lane
    }

    /// All vCPUs, by their VM and number.
    pub fn vcpus(&self) -> impl Iterator<Item = (u32, u8)> {
        let vms = self.vms.iter().zip(0..);
        vms.flat_map(|(one, vm)| (0..one.vcpus).map(move |vcpu| (vm, vcpu)))
    }

    /// What one vCPU did, in the order of time.
    pub fn spans_of(&self, vm: u32, vcpu: u8) -> impl Iterator<Item = &Span> {
        let spans = self.spans.iter();
        spans.filter(move |span| (span.vm, span.vcpu) == (vm, vcpu))
    }

    /// Whether a vCPU had its guest's lock in a span in which it did not run.
    pub fn has_lock(&self, span: &Span) -> bool {
        let key = (span.from, span.vm, span.vcpu);
        let holds = &self.holds;
        let found = holds.binary_search_by_key(&key, |hold| (hold.from, hold.vm, hold.vcpu));
        span.state != State::Running && found.is_ok()
    }

    /// The loops that vCPUs spun in at the end of a turn that ended from `from` to `to`.
    pub fn loops(&self, from: u64, to: u64) -> Vec<&str> {
        let spans = self.spans.iter();
        let spans = spans.filter(|span| (from..=to).contains(&span.to));
        let mut loops: Vec<_> = spans.filter_map(Span::spins_in).collect();
        loops.sort_unstable();
        loops.dedup();
        loops
    }

    /// Until when the events of a physical CPU are known.
    pub fn known(&self, pcpu: usize) -> u64 {
        if !self.cut {
            return self.until;
        }
        let events = self.events.iter().filter(|event| event.pcpu == pcpu);
        events.map(|event| event.time).max().unwrap_or(0)
    }

    /// For how long nobody ran on a physical CPU.
    pub fn idle(&self, pcpu: usize) -> u64 {
        let lane = self.lane(pcpu);
        let busy: u64 = lane.iter().map(|span| span.to - span.from).sum();
        self.until.saturating_sub(busy)
    }
}
