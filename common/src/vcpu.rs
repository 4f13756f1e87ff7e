//! The virtual CPU: what the monitor sees.

use crate::{Fault, Mmio, Pcpu, Size, Time, Trap};
use serde::{Deserialize, Serialize};

/// A virtual CPU, whoever makes it: trap and emulate on a raw CPU (versions 1
/// to 3), or hardware through KVM.
///
/// It runs *on* a physical CPU, which it is lent for the time of a call. Its
/// registers stay in that CPU between calls.
pub trait Vcpu: Send {
    /// What a physical CPU must be to run this.
    type Cpu;

    /// Runs guest code on `pcpu` until the monitor is needed or `until` is
    /// reached, and says why it stopped. Call [`Pcpu::run`] instead, which
    /// keeps the trace.
    ///
    /// # Panics
    /// If a read still waits for [`complete`](Vcpu::complete).
    fn run(&mut self, pcpu: &mut Pcpu<Self::Cpu>, until: Time) -> Exit;

    /// Answers the read that the last exit asked for, with the device's value.
    ///
    /// # Panics
    /// If no read waits for an answer.
    fn complete(&mut self, pcpu: &mut Pcpu<Self::Cpu>, value: u64);

    /// Whether [`inject`](Vcpu::inject) would be accepted now.
    fn can_inject(&self) -> bool;

    /// Makes the guest take interrupt `vector` before its next instruction.
    ///
    /// # Errors
    /// [`NotReady`] if the guest has interrupts closed; nothing has changed
    /// then, and [`want_window`](Vcpu::want_window) tells when to try again.
    fn inject(&mut self, vector: u8) -> Result<(), NotReady>;

    /// Asks for [`Exit::WindowOpen`] as soon as the guest takes interrupts.
    fn want_window(&mut self, on: bool);
}

/// The guest takes no interrupt now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest has interrupts closed")]
pub struct NotReady;

/// Why a virtual CPU came back to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The guest wrote `value`, cut to `size`, to an I/O port.
    PortOut {
        /// The port.
        port: u16,
        /// Width of the access.
        size: Size,
        /// What it wrote; the bits above `size` are zero.
        value: u32,
    },
    /// The guest reads an I/O port: answer with [`Vcpu::complete`].
    PortIn {
        /// The port.
        port: u16,
        /// Width of the access.
        size: Size,
    },
    /// The guest accessed memory where there is no RAM. A read wants an answer
    /// with [`Vcpu::complete`].
    Mmio(Mmio),
    /// The guest executed `hlt`: it waits for an interrupt.
    Halted,
    /// The guest takes interrupts now, as [`Vcpu::want_window`] asked.
    WindowOpen,
    /// The time given to [`Vcpu::run`] is up. Nothing happened in the guest.
    Deadline,
    /// Somebody kicked the physical CPU. Nothing happened in the guest.
    Kicked,
    /// The guest waits in a loop of `pause` for something that another vCPU
    /// must do. Only an engine that can see such loops reports them; nothing
    /// has to be done about it, and nothing is lost.
    SpinLoop,
    /// The guest did something that this version of the virtual CPU does not
    /// support; the guest cannot go on.
    Unsupported(Trap),
    /// A fault that could not be delivered, however hard the CPU tried: the
    /// triple fault. A real machine resets here.
    Shutdown(Chain),
    /// The engine itself cannot go on, through no deed of the guest: the host
    /// refuses to run it. The virtual CPU says more, each engine in its own way.
    Failed,
}

impl Exit {
    /// The kind of exit in one lower-case word, for histograms.
    pub const fn kind(self) -> &'static str {
        match self {
            Exit::PortOut { .. } => "port-out",
            Exit::PortIn { .. } => "port-in",
            Exit::Mmio(_) => "mmio",
            Exit::Halted => "halted",
            Exit::WindowOpen => "window-open",
            Exit::Deadline => "deadline",
            Exit::Kicked => "kicked",
            Exit::SpinLoop => "spin-loop",
            Exit::Unsupported(_) => "unsupported",
            Exit::Shutdown(_) => "shutdown",
            Exit::Failed => "failed",
        }
    }
}

/// The faults that led to a shutdown, each raised while the one before it was
/// being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The fault whose delivery failed: the guest's own, or the one that came in
    /// its place because its gate was broken.
    pub first: Fault,
    /// What went wrong while delivering it, if it did.
    pub second: Option<Fault>,
    /// What went wrong while delivering the double fault, if it did.
    pub third: Option<Fault>,
}
