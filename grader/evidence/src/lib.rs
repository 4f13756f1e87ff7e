//! What a runner reports, and how.
//!
//! A *runner* is a small program that stands outside the stage crates: it joins
//! the machine, a guest image and one version of the hypervisor, and runs them
//! once, in a process of its own. It reports to a file of [`Frame`]s what the
//! machine saw. The grader reads the file as [`Evidence`] when the process is
//! gone.
//!
//! The engine is the scenario's choice: below the virtual CPU everything that
//! differs is in [`engine`], above it nothing does.
//!
//! This crate must never judge, and must never know what a guest should do:
//! both belong to the grader's own process.

mod clock;
pub mod confine;
pub mod engine;
mod frame;
mod held;
pub mod host;
mod limits;
mod lines;
mod out;
mod panics;
mod reader;
mod scenario;
pub mod seal;
pub mod search;
pub mod session;
pub mod stand;
mod tally;
mod writer;

pub use engine::Engine;
pub use frame::{Bytes, End, Frame, GivenUp, Panic, Prepared, RegisterFile, SCHEMA};
pub use panics::report_panics;
pub use reader::{Evidence, Reader};
pub use scenario::{Scenario, ThreadKernel};
pub use tally::{Measured, trap_kind};
pub use writer::{CONSOLE_BOUND, Writer};
