//! What is asked and answered: one JSON value a line.

use crate::frame::{Bytes, Frame, RegisterFile};
use crate::host;
use common::inspect::{self, Walk};
use common::trace::{self, VcpuName};
use common::{Context, Exit, Fault, Gpr, Space, Time, Trap};
use serde::{Deserialize, Serialize};

/// The first answer's text: which format the others are in.
pub const SCHEMA: &str = "heptavisor/session/v1";

/// What the controller asks. Each request but [`Request::Interrupt`] has one
/// answer, and the next waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Go on. The answer comes at the next [`Stop`].
    Run(Until),
    /// Stop a run that goes on, wherever it is.
    Interrupt,
    /// Go back to the checkpoint below. The answer is its [`Stop`].
    Retreat,
    /// Make a checkpoint here. The answer is a [`Stop`] of the process above it.
    Mark,
    /// Show memory: as many of `length` bytes as there are.
    Read {
        /// Whose; `None` for the code that is about to run.
        of: Option<VcpuName>,
        /// From where.
        place: Place,
        /// How many.
        length: usize,
    },
    /// Change memory.
    Write {
        /// From where.
        place: Place,
        /// To what.
        bytes: Bytes,
    },
    /// Show the way of an address through the page tables.
    Walk {
        /// Through whose; `None` for the code that is about to run.
        of: Option<VcpuName>,
        /// The guest-virtual address.
        address: u64,
    },
    /// Show all that a CPU holds for the code that runs.
    Registers {
        /// Whose; `None` for the code that is about to run.
        of: Option<VcpuName>,
    },
    /// Change a register.
    Set {
        /// Which.
        register: Register,
        /// To what.
        value: u64,
    },
    /// Have the virtual CPU do something now. The answer comes at the next
    /// [`Stop`], and its news say what came of it.
    Order(Order),
}

/// How far a run goes on: to the first of these, or to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// To this position, or the first moment behind it.
    pub position: Option<u64>,
    /// Until a physical CPU has come to this time.
    pub time: Option<Time>,
    /// Until something of these kinds has happened.
    pub kinds: Vec<Kind>,
    /// Until a guest is about to execute the instruction at one of these
    /// addresses.
    pub addresses: Vec<u64>,
    /// Until what stands in one of these places is no longer what it was.
    pub changed: Vec<Range>,
    /// Addresses and changes count only in this VM, if one is named.
    pub vm: Option<u32>,
    /// Until this vCPU is about to execute an instruction.
    pub vcpu: Option<VcpuName>,
    /// Where the kinds, addresses, changes and the vCPU hit does not stop the run,
    /// and the last such place is told at the end of it.
    pub scan: bool,
}

/// A kind of event to stop at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The guest needed somebody. (A budget that is used up is no event for
    /// people.)
    Trap,
    /// The virtual CPU came back to the monitor.
    Exit,
    /// An interrupt was injected.
    Injection,
    /// Another vCPU came onto a physical CPU, or nobody did.
    Switch,
    /// A device was accessed.
    Device,
}

impl Kind {
    /// The kind of an event, if one may stop at it.
    pub const fn of(event: trace::Event) -> Option<Kind> {
        match event {
            trace::Event::Trap {
                trap: Trap::Budget | Trap::Kicked,
                ..
            }
            | trace::Event::Enter { .. } => None,
            trace::Event::Trap { .. } => Some(Kind::Trap),
            trace::Event::Exit(_) => Some(Kind::Exit),
            trace::Event::Inject(_) => Some(Kind::Injection),
            trace::Event::Device(_) => Some(Kind::Device),
            trace::Event::Runs(_) | trace::Event::Idle => Some(Kind::Switch),
        }
    }
}

/// Some bytes at a guest-virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first.
    pub address: u64,
    /// How many.
    pub length: usize,
}

impl Range {
    /// What stands there in `space`; less if not all is mapped to RAM.
    pub fn read(&self, space: &Space) -> Vec<u8> {
        inspect::read(space, self.address, self.length)
    }
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// As the code that runs sees it, whatever it may do there.
    Virtual(u64),
    /// In the guest's RAM.
    Physical(u64),
}

/// A register that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// A general one.
    General(Gpr),
    /// The address of the next instruction.
    Rip,
    /// The user's flags; other bits of the value do not count.
    Flags,
    /// Base of the FS segment.
    FsBase,
    /// Base of the GS segment.
    GsBase,
}

/// Something that the virtual CPU is to do before the next instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Take this interrupt.
    Inject(u8),
    /// Open or close interrupts, as if the guest had.
    SetInterrupts(bool),
}

/// What the runner answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The first, which nobody asked for: [`SCHEMA`].
    Hello(String),
    /// The run stands.
    Stopped(Box<Stop>),
    /// What is in memory.
    Bytes(Bytes),
    /// The way of an address.
    Walked(Walk),
    /// What a CPU holds.
    Registers(Box<RegisterSet>),
    /// It is done.
    Done,
    /// It cannot be done, in words.
    Refused(String),
}

/// Where a run stands, and what has happened since the last stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Why it stands.
    pub why: Why,
    /// How many checkpoints there are below.
    pub depth: u32,
    /// Where in the run.
    pub position: u64,
    /// The clock of the physical CPU.
    pub time: Time,
    /// How far any physical CPU has come.
    pub latest: Time,
    /// The physical CPU.
    pub pcpu: usize,
    /// Who runs there, if versions tell vCPUs apart.
    pub vcpu: Option<VcpuName>,
    /// Whose instruction was the one before this moment, if versions tell vCPUs
    /// apart.
    pub before: Option<VcpuName>,
    /// The guest; `None` if none is on a physical CPU, as when all is over.
    pub scene: Option<Scene>,
    /// The last place that a [scan](Until::scan) came across.
    pub last_hit: Option<u64>,
    /// How many news there were before the following; those that were told with
    /// this number or a higher one have not happened.
    pub from: u64,
    /// What has happened.
    pub news: Vec<News>,
}

/// Why a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The position or time that was asked for has come.
    Arrived,
    /// Something of a kind that was asked for has happened.
    Happened,
    /// The guest is at an address that was asked for.
    Address,
    /// What stood in a place that was asked for has changed.
    Changed,
    /// The vCPU that was asked for is about to execute an instruction.
    Turn,
    /// The controller asked.
    Interrupted,
    /// The run is over. Its last news say how.
    Over,
    /// This is a checkpoint, and the process above it is gone.
    Back(Gone),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gone {
    /// It was asked to.
    Retreated,
    /// It did not come to another instruction of the guest for a long time.
    Hung,
    /// It left by itself, with this exit code.
    Exited(i32),
    /// This signal ended it.
    Signal(i32),
}

/// The guest between two instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// The registers.
    pub registers: RegisterFile,
    /// Base of the FS segment.
    pub fs_base: u64,
    /// Base of the GS segment.
    pub gs_base: u64,
    /// Guest-physical address of the page tables.
    pub root: u64,
    /// Whether memory is seen with the kernel's rights.
    pub kernel_view: bool,
    /// What stands at RIP: the longest that an instruction can be, or less where
    /// less is mapped.
    pub code: Bytes,
    /// The state that the virtual CPU emulates: names and values.
    pub state: Vec<(String, String)>,
}

/// All that a CPU holds for the code that it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterSet {
    /// The general ones.
    pub registers: RegisterFile,
    /// Base of the FS segment.
    pub fs_base: u64,
    /// Base of the GS segment.
    pub gs_base: u64,
    /// The SSE registers.
    pub xmm: [u128; 16],
    /// Control and status of SSE arithmetic.
    pub mxcsr: u32,
}

impl RegisterSet {
    /// What is in `context`.
    pub fn of(context: &Context) -> RegisterSet {
        RegisterSet {
            registers: RegisterFile::of(context),
            fs_base: context.fs_base,
            gs_base: context.gs_base,
            xmm: context.xmm,
            mxcsr: context.mxcsr,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The position of the first moment after it.
    pub position: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The evidence of a run of one VM.
    One(Frame),
    /// The evidence of a run of many VMs.
    Many(host::Frame),
    /// The virtual CPU has decided something.
    Decided(Decision),
}

impl From<Frame> for What {
    fn from(frame: Frame) -> What {
        What::One(frame)
    }
}

impl From<host::Frame> for What {
    fn from(frame: host::Frame) -> What {
        What::Many(frame)
    }
}

/// What was seen at the face of the virtual CPU's emulation: the version's own
/// decisions, as it said them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Asked about a trap, it said this.
    OnTrap {
        /// RIP before and after.
        rip: [u64; 2],
        /// What it said.
        next: Next,
    },
    /// Asked before an entry, it said that this comes first.
    BeforeEntry(Next),
    /// Asked before an entry, it let the guest run one instruction only.
    OneInstruction,
    /// It was to deliver something.
    Delivered {
        /// What.
        event: Event,
        /// RIP before and after.
        rip: [u64; 2],
        /// RSP before and after.
        rsp: [u64; 2],
        /// What it said then.
        next: Next,
    },
    /// The monitor wanted to inject this vector.
    Inject {
        /// The vector.
        vector: u8,
        /// Whether it was taken.
        taken: bool,
    },
    /// The monitor wants to know when interrupts are open, or no longer.
    Window(bool),
    /// Whoever looks gave an order.
    Ordered {
        /// Which.
        order: Order,
        /// Whether the virtual CPU could follow it.
        done: bool,
    },
}

/// What a virtual CPU's emulation says how to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// The guest runs on.
    Resume,
    /// This is to be delivered.
    Raise(Event),
    /// The monitor is needed.
    Exit(Exit),
}

/// What a guest's handler table decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An interrupt.
    Interrupt(u8),
    /// An exception.
    Exception(Fault),
}
