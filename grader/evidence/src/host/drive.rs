//! Calls a version's scheduler, and asks it what the scenario asks.

use super::frame::{CarriedOut, Claim, Ended, Frame, Lost};
use super::report::Reporter;
use super::scenario::{Command, Deed};
use super::stand::VmParts;
use super::watch::Watch;
use crate::engine::EngineCpu;
use common::drive::{Progress, Schedule};
use common::{Pcpu, Time};

/// A version that runs many VMs, as the stand sees it.
///
/// A version whose scheduler is shared by several physical CPUs implements it
/// for a reference to what they share.
pub trait Hypervisor {
    /// The physical CPUs that it runs on.
    type Cpu: EngineCpu;

    /// Takes a VM in, which is not started yet. Their numbers come in order, from
    /// 0.
    fn create(&mut self, vm: VmParts<Self::Cpu>);

    /// Does what is asked.
    ///
    /// # Errors
    /// What the version says if it refuses.
    fn carry_out(&mut self, deed: Deed, now: Time) -> Result<(), String>;

    /// The version's own: see [`Schedule::schedule_once`].
    fn schedule_once(&mut self, pcpu: &mut Pcpu<Self::Cpu>) -> Progress;

    /// Whether everybody stands where the version's own books say, and only
    /// there. It is asked between two steps, when nobody is inside the version.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    fn audit(&self) -> Result<(), String> {
        Ok(())
    }

    /// What the version's books say about a VM; `None` if there is none.
    fn claim(&self, vm: u32, now: Time) -> Option<Claim>;
}

/// A version under the stand: what a driver drives.
#[derive(Clone, Copy)]
pub(crate) struct Driven<'a, H> {
    pub(crate) hypervisor: H,
    pub(crate) watch: &'a Watch,
}

impl<H: Hypervisor> Schedule<H::Cpu> for Driven<'_, H> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<H::Cpu>) -> Progress {
        let before = self.watch.last_on(pcpu.id);
        let progress = self.hypervisor.schedule_once(pcpu);
        self.watch.turn(pcpu.id, pcpu.now);
        self.audit(pcpu.now);
        let after = self.watch.last_on(pcpu.id);
        for vm in before.into_iter().chain(after.filter(|_| after != before)) {
            self.look_whether_ended(vm, pcpu.now);
        }
        progress
    }
}

impl<H: Hypervisor> Driven<'_, H> {
    /// Reports the first time that somebody is lost or stands in two places. With
    /// several threads there is no moment at which nobody is inside.
    fn audit(&self, time: Time) {
        let looks = self.watch.strict && !self.watch.has_lost_somebody();
        if looks && let Err(wrong) = self.hypervisor.audit() {
            self.watch.loses_somebody(Lost { time, wrong });
        }
    }

    /// Reports the end of a VM as soon as the version knows of it.
    fn look_whether_ended(&mut self, vm: u32, time: Time) {
        let books = &self.watch.vms[vm as usize].books;
        if books.lock().ending.is_some() {
            return;
        }
        let claim = self.hypervisor.claim(vm, time);
        if let Some(ending) = claim.and_then(|claim| claim.ending) {
            books.lock().ending = Some(ending);
            self.watch
                .writer
                .put(Frame::Ended(Ended { vm, time, ending }));
        }
    }

    /// Asks the version for something. Of a VM that it is to forget it is reported
    /// first how things stand with it.
    pub(crate) fn ask(&mut self, deed: Deed, time: Time, reporter: &Reporter<'_>) {
        let end = match deed {
            Deed::Destroy(vm) => Some(reporter.look(vm, time, self.hypervisor.claim(vm, time))),
            _ => None,
        };
        self.watch.asks(deed);
        let done = self.hypervisor.carry_out(deed, time);
        if done.is_ok() {
            self.watch.done(deed);
        }
        if let (Ok(()), Some(end)) = (&done, end) {
            reporter.report(end);
        }
        self.watch.writer.put(Frame::CarriedOut(CarriedOut {
            time,
            deed,
            refused: done.err(),
        }));
        self.audit(time);
        if let Some(vm) = deed.vm() {
            self.look_whether_ended(vm, time);
        }
    }
}

/// What a driver calls when the time of a command has come.
pub(crate) fn control<'a, H: Hypervisor>(
    plan: Vec<Command>,
    reporter: &'a Reporter<'_>,
) -> impl FnMut(&mut Driven<'a, H>, Time) -> Time + Send + 'a {
    let mut plan = plan.into_iter().peekable();
    move |driven, now| {
        while let Some(command) = plan.next_if(|command| command.at <= now) {
            driven.ask(command.deed, now, reporter);
        }
        plan.peek().map_or(Time::NEVER, |command| command.at)
    }
}
