//! A run that somebody looks at while it runs, stops, changes, and takes back.
//!
//! ```text
//!  controller                      protocol.rs      runner
//!    asks: run on until …   ---- one JSON line --->   look.rs    between two instructions
//!    hears: stopped, here   <--- one JSON line ----   serve.rs   answers while it stands
//!                                                     checkpoint.rs
//!                                                     news.rs    what happened, for the next answer
//! ```
//!
//! The runner stops inside the [inspector](common::inspect), below the version's
//! code, whose calls stay where they are on the stack. Nobody above notices.
//!
//! *Going back.* A checkpoint is a process: the runner forks, the parent stays
//! behind and waits, the child goes on. So all that the run is made of is kept,
//! the version's own memory too, and the host copies only what changes. To go
//! back the last process ends; its parent wakes where it stood, and can go on
//! from there, in another child. All of them have the same socket, of which only
//! the last one reads. When the controller is gone, each finds the socket closed
//! and ends.
//!
//! *Positions.* Several physical CPUs have clocks of their own, so a place in the
//! run is named by a position: how many ticks guest code has taken so far on all
//! of them together. It grows with every instruction.
//!
//! This never judges, and looking changes nothing: the records of a run that is
//! stopped and taken back are those of the plain one. Only a request to change
//! something makes it another run.

#[cfg(not(unix))]
mod absent;
#[cfg(unix)]
mod checkpoint;
#[cfg(unix)]
mod look;
#[cfg(unix)]
mod news;
#[cfg(unix)]
mod post;
mod protocol;
#[cfg(unix)]
mod serve;

#[cfg(not(unix))]
pub use absent::Session;
#[cfg(unix)]
pub use look::Session;
#[cfg(unix)]
pub use post::{Post, listen};
pub use protocol::{
    Answer, Decision, Event, Gone, Kind, News, Next, Order, Place, Range, Register, RegisterSet,
    Request, SCHEMA, Scene, Stop, Until, What, Why,
};
