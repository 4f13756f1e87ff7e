//! The stand for a *set* of VMs on one or several physical CPUs: what versions
//! 5, 6 and 7 are run on.
//!
//! ```text
//!  scenario.rs    what to run: VMs, physical CPUs, order, commands
//!  stand.rs       makes the machine, and lets the version run it
//!    drive.rs       calls the version's scheduler, and carries out commands
//!    eye.rs         looks at every vCPU as it comes and goes
//!    watch.rs       looks at every event
//!    report.rs      looks at the VMs when all is over
//!  frame.rs, writer.rs, reader.rs                     the evidence
//! ```
//!
//! The version keeps its books about its VMs (who has ended, where their time
//! went), and what they say is reported as a claim. Beside it stands what the
//! machine saw by itself.

mod drive;
mod eye;
mod frame;
mod reader;
mod report;
mod scenario;
mod stand;
mod watch;
mod writer;

pub use drive::Hypervisor;
pub use eye::{Eye, What};
pub use frame::{
    Account, CarriedOut, Claim, End, Ended, Frame, Holds, Lost, Outcome, SCHEMA, VcpuEnd,
    Violation, VmEnd,
};
pub use reader::{Evidence, Reader, RunEvidence};
pub use scenario::{Command, Deed, Order, Policy, Scenario, VmSetup};
pub use stand::{Host, VcpuParts, VmParts, main};
pub use watch::LOCK_OWNER;
pub use writer::CONSOLE_BOUND;
