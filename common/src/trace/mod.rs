//! What happened, as typed events with virtual time and place.
//!
//! Events are recorded by this crate, at the raw CPU, at the virtual CPU's
//! boundary and at the bus, and never by the code of a version.

mod device;
mod histogram;
mod instruction;
mod recorder;
mod text;
mod words;

pub use histogram::Histogram;
pub use recorder::{Recorder, Sink};
pub use text::{Line, Text};

use crate::{Exit, Size, Time, Trap};
use serde::{Deserialize, Serialize};

/// One event with its time and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Virtual time of the physical CPU.
    pub time: Time,
    /// The physical CPU.
    pub pcpu: usize,
    /// The guest's RIP when its CPU was last looked at.
    pub rip: u64,
    /// What happened.
    pub event: Event,
}

/// Something that happened between the guest and the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The raw CPU is entered with a budget of instructions.
    Enter {
        /// Instructions at most.
        budget: u64,
    },
    /// The raw CPU came back.
    Trap {
        /// Why.
        trap: Trap,
        /// Instructions that retired since the entry.
        retired: u64,
    },
    /// The virtual CPU came back to the monitor.
    Exit(Exit),
    /// The monitor injected an interrupt.
    Inject(u8),
    /// A device was accessed through the bus.
    Device(DeviceAccess),
    /// From here on another vCPU runs on this physical CPU.
    Runs(VcpuName),
    /// The physical CPU found nothing to run.
    Idle,
}

/// Which vCPU of which VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VcpuName {
    /// The VM's number.
    pub vm: u32,
    /// The vCPU's number within its VM.
    pub vcpu: u8,
}

/// One access that the bus carried to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAccess {
    /// Who answered.
    pub device: Device,
    /// Port or guest-physical address.
    pub address: u64,
    /// Width.
    pub size: Size,
    /// Whether the guest wrote.
    pub write: bool,
    /// What was written, or what the device answered.
    pub value: u64,
}

/// The devices of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// COM1, the console.
    Serial,
    /// The port that ends the machine.
    ExitPort,
    /// A local APIC.
    Apic,
    /// The port by which a guest gives the rest of its turn away.
    YieldPort,
    /// Nobody: reads give all ones, writes vanish, as on a PC.
    Nobody,
}
