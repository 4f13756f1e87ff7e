//! The grader: runs guests under a version, looks at what the machine saw, and
//! says what is right, what is not, and where.
//!
//! ```text
//!  commands      what the `cargo lab` command does
//!    doctor      what this host can do           <- engine: which one a run gets
//!    compare     one workload on every engine
//!    kept        what is known already            -> cache: verdicts by what they depend on
//!    picture     a run as a timeline, a page, a file
//!    step        a run that is stopped, changed and taken back   <- session
//!    debug       the same in front of gdb                        <- session
//!    grade       builds a version, makes its checks, says the verdict
//!      checks    what must hold of each version
//!      compile   builds the runner               <- the student's code
//!      observation, host_order, desk, child, fate  <- runs it, in its own process
//! ```
//!
//! The stage crates are untrusted. Their code runs only in the runner's
//! process, never in this one; what they say of themselves is a claim, held
//! against what the machine recorded ([`evidence`]). Whatever they do becomes a
//! verdict, and never this program's crash.

pub mod bank;
pub mod batch;
pub mod cache;
pub mod checks;
pub mod child;
pub mod cli;
pub mod cli_class;
mod cli_number;
pub mod cli_trace;
pub mod commands;
pub mod compare;
pub mod compile;
pub mod csv;
mod desk;
pub mod difference;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod exercises;
pub mod export;
pub mod fate;
pub mod fingerprint;
pub mod grade;
pub mod guest;
pub mod handout;
pub mod host_order;
pub mod host_trace;
pub mod interrupt;
pub mod kept;
pub mod markers;
pub mod observation;
pub mod picture;
pub mod predict;
#[cfg(unix)]
pub mod session;
pub mod snapshot;
pub mod stages;
pub mod submission;
mod suggest;
pub mod text;
pub mod verdict;
pub mod vm_fate;
pub mod vm_spec;
pub mod workers;
pub mod workspace;
