//! Breakpoints and watchpoints. They are conditions of the session: no byte of the
//! guest changes, and there may be as many as one likes.

use super::target::Debugger;
use crate::commands::say::note;
use crate::error::LabError;
use evidence::session::{Place, Range, Until};
use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};

/// Where the run is to stop.
#[derive(Default)]
pub(super) struct Places {
    /// Breakpoints. Two at one place are two.
    pub(super) addresses: Vec<u64>,
    /// Watchpoints.
    pub(super) watched: Vec<Range>,
}

impl Debugger {
    /// Nobody wants to stop anywhere any more.
    pub(super) fn forget_places(&mut self) {
        self.places = Places::default();
    }

    /// As far as the next place.
    pub(super) fn to_a_place(&self) -> Until {
        Until {
            addresses: self.places.addresses.clone(),
            changed: self.places.watched.clone(),
            vm: self.vm,
            ..Until::default()
        }
    }

    /// Whether the run stands at a breakpoint.
    pub(super) fn is_at_breakpoint(&self) -> bool {
        let stop = self.session.stop();
        let rip = stop.scene.as_ref().map(|scene| scene.registers.rip);
        let counts = self.vm.is_none() || self.vm == stop.vcpu.map(|name| name.vm);
        counts && rip.is_some_and(|rip| self.places.addresses.contains(&rip))
    }

    /// What stands in the watched places.
    pub(super) fn watched(&mut self) -> Result<Vec<Vec<u8>>, LabError> {
        let vcpus = self.session.vcpus().iter();
        let of = vcpus.copied().find(|name| Some(name.vm) == self.vm);
        let of = of.filter(|name| Some(name.vm) != self.session.stop().vcpu.map(|name| name.vm));
        let of = of.or(self.session.stop().vcpu);
        let session = &mut self.session;
        let read = |range: &Range| session.read_of(of, Place::Virtual(range.address), range.length);
        self.places.watched.iter().map(read).collect()
    }
}

impl Breakpoints for Debugger {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Debugger {
    fn add_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        self.places.addresses.push(address);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(remove(&mut self.places.addresses, &address))
    }
}

impl HwBreakpoint for Debugger {
    fn add_hw_breakpoint(&mut self, address: u64, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(address, kind)
    }

    fn remove_hw_breakpoint(&mut self, address: u64, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(address, kind)
    }
}

impl HwWatchpoint for Debugger {
    fn add_hw_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        if kind != WatchKind::Write {
            note!(
                "refused: nobody sees what a guest reads, so there are no read watchpoints. Watch \
                 for changes with `watch`, or break where the code reads."
            );
            return Ok(false);
        }
        self.places.watched.push(range(address, length));
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        _: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(remove(&mut self.places.watched, &range(address, length)))
    }
}

fn range(address: u64, length: u64) -> Range {
    Range {
        address,
        length: length as usize,
    }
}

/// Takes one of them away; says whether there was one.
fn remove<T: PartialEq>(places: &mut Vec<T>, place: &T) -> bool {
    let found = places.iter().position(|known| known == place);
    found.map(|number| places.swap_remove(number)).is_some()
}
