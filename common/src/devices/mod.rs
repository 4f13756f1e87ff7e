//! The devices of the machine: a serial port and local APICs.
//!
//! A device is a plain value with reads and writes. It knows neither the bus
//! nor any CPU; what it wants done elsewhere, it returns.

pub mod apic;
mod com1;

pub use apic::{Apic, Ipi, IpiTarget};
pub(crate) use com1::Com1;
