//! A host without `fork` has no sessions: the value cannot be made.

use super::protocol::{Decision, Order, What};
use common::inspect::Inspector;
use common::trace::{Record, VcpuName};
use common::{Context, Time};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A run that is looked at; there is none here.
#[derive(Clone)]
pub enum Session {}

#[allow(missing_docs)] // as where there is one
impl Session {
    pub fn begin(_socket: &Path) -> io::Result<Session> {
        Err(ErrorKind::Unsupported.into())
    }

    pub fn inspector(&self) -> Inspector {
        match *self {}
    }

    pub fn hears(&self, _record: &Record) {
        match *self {}
    }

    pub fn put(&self, _what: What) {
        match *self {}
    }

    pub fn decided(&self, _decision: Decision) {
        match *self {}
    }

    pub fn state(&self, _state: Vec<(String, String)>) {
        match *self {}
    }

    pub fn knows(&self, _contexts: impl Fn(VcpuName) -> Option<Context> + Send + 'static) {
        match *self {}
    }

    pub fn order(&self) -> Option<Order> {
        match *self {}
    }

    pub fn over(&self, _now: Time, _context: Option<&mut Context>) -> ! {
        match *self {}
    }
}
