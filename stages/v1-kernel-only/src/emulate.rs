//! What each version contributes to the virtual CPU. Given: nothing to do here.
//!
//! The loop in [`virtual_cpu`](crate::virtual_cpu) is written once, for all
//! versions. It knows nothing of interrupts or user mode: it asks an
//! [`Emulate`], and a version that adds something wraps the one below and
//! hands on what it does not know.
//!
//! The rule that makes this work: handlers **return values and never act for
//! the whole**. "Raise this exception" goes back to the loop, which asks the
//! outermost version to deliver it.

use common::{Context, Exit, Fault, NotReady, Trap};

/// The privileged half of a CPU, emulated: what the traps mean.
///
/// It is `Clone`, so that a checkpoint is a copy.
pub trait Emulate: Clone + Send {
    /// Asked before each entry: may the guest simply run on?
    ///
    /// # Errors
    /// What has to happen instead, such as an interrupt that is due.
    fn before_enter(&mut self, context: &mut Context) -> Result<Limit, Next>;

    /// Says what to do about a trap: mine, or the version's below.
    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next;

    /// Makes the guest see an interrupt or exception: builds its frame and
    /// moves RIP to its handler. A fault on the way comes back as another
    /// [`Next::Raise`].
    fn deliver(&mut self, context: &mut Context, event: Event) -> Next;

    /// Finishes the port read that the last [`Exit::PortIn`] asked for.
    fn finish_port_read(&mut self, context: &mut Context, value: u64);

    /// Whether an interrupt would be taken now.
    fn can_inject(&self) -> bool;

    /// Makes `vector` the next thing that is delivered.
    ///
    /// # Errors
    /// [`NotReady`] while the guest has interrupts closed.
    fn inject(&mut self, vector: u8) -> Result<(), NotReady>;

    /// Asks for [`Exit::WindowOpen`] once interrupts are open.
    fn want_window(&mut self, on: bool);
}

/// Something that the guest's handler table decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interrupt, from outside the instruction stream.
    Interrupt(u8),
    /// An exception, caused by the instruction at RIP.
    Exception(Fault),
}

/// What the loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Enter the guest again.
    Resume,
    /// Deliver this to the guest.
    Raise(Event),
    /// Go back to the monitor.
    Exit(Exit),
}

/// How far the guest may run before it has to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As far as time allows.
    Time,
    /// One instruction: the shadow of `sti` is one instruction long.
    OneInstruction,
}

impl Limit {
    /// The smaller of this limit and `budget` instructions.
    pub fn of(self, budget: u64) -> u64 {
        match self {
            Limit::Time => budget,
            Limit::OneInstruction => budget.min(1),
        }
    }
}
