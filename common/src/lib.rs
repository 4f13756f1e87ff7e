//! The machine under every version of the hypervisor.
//!
//! ```text
//!  monitor (the versions)       runs a Vcpu, gets an Exit, asks devices
//!  ------------------------------------------------------------------
//!  Vcpu  -> Exit                the virtual CPU: what kvm.ko plays
//!  Cpu   -> Trap                the raw CPU: the silicon
//!  Memory, devices, Time, trace the rest of the machine
//! ```
//!
//! A [`Trap`] goes from the raw CPU to whoever builds a virtual CPU from it; an
//! [`Exit`] goes from the virtual CPU to the monitor. This crate holds what
//! lies *below* the versions, and never a decision that a version teaches.

pub mod boot;
pub mod bus;
mod context;
mod cpu;
pub mod devices;
pub mod drive;
mod ending;
mod explain;
mod fault;
mod host_timer;
pub mod image;
pub mod inspect;
pub mod interp;
mod memory;
mod pause;
mod pcpu;
mod registers;
pub mod scripted;
mod size;
mod symbols;
pub mod sync;
mod time;
pub mod trace;
mod trap;
mod vcpu;

pub use boot::Boot;
pub use bus::Bus;
pub use context::{Context, Flush, Space, View};
pub use cpu::{Cpu, Kick};
pub use ending::Ending;
pub use explain::{Explanation, disassemble, explain};
pub use fault::{Fault, PageFaultCode};
pub use host_timer::{HostTimer, Tick};
pub use image::Image;
pub use interp::Interp;
#[cfg(unix)]
pub use memory::Template;
pub use memory::{Access, Memory, MemoryError, PAGE_SIZE, Translation, is_canonical, translate};
pub use pause::PauseFilter;
pub use pcpu::Pcpu;
pub use registers::{Gpr, Registers, flags};
pub use size::Size;
pub use symbols::{Place, Symbols};
pub use time::Time;
pub use trap::{Mmio, MmioOperation, Operand, Segment, SystemInstruction, Trap};
pub use vcpu::{Chain, Exit, NotReady, Vcpu};
