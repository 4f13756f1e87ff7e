//! Forwards and back, and why the run stops.

use super::target::Debugger;
use crate::error::LabError;
use crate::session::words::{self, Printed};
use evidence::session::{Until, Why};
use gdbstub::common::{Signal, Tid};
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::target::ext::base::multithread::{
    MultiThreadResume, MultiThreadSchedulerLocking, MultiThreadSchedulerLockingOps,
    MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::reverse_exec::{
    ReplayLogPosition, ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps,
};
use gdbstub::target::ext::breakpoints::WatchKind;

/// Where gdb wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the next place, or the end.
    On,
    /// Until this thread has executed an instruction.
    Step(Tid),
    /// To the last place before this moment, or the beginning.
    Back,
    /// To the last moment at which this thread was about to execute an instruction.
    StepBack(Tid),
}

/// Why it stops there; `None` if gdb has something to say.
pub(super) type Reason = Option<MultiThreadStopReason<u64>>;

impl Debugger {
    /// Goes where gdb wants to.
    ///
    /// # Errors
    /// If the runner is gone, or on Ctrl-C.
    pub(super) fn travel(&mut self) -> Result<Reason, LabError> {
        let watched = self.watched().unwrap_or_default();
        let reason = match self.way {
            Way::On => {
                self.session.run(self.to_a_place())?;
                self.reason(&watched)
            }
            Way::Step(thread) => self.step(thread, &watched),
            Way::Back => self.back(),
            Way::StepBack(thread) => self.step_back(thread),
        }?;
        match self.session.stop().why {
            Why::Interrupted => Ok(None),
            _ => Ok(Some(reason)),
        }
    }

    fn step(
        &mut self,
        thread: Tid,
        watched: &[Vec<u8>],
    ) -> Result<MultiThreadStopReason<u64>, LabError> {
        if thread != self.current() && !self.session.is_over() {
            let vcpu = self.vcpu_of(thread);
            let until = self.to_a_place();
            self.session.run(Until { vcpu, ..until })?;
            if self.session.stop().why != Why::Turn {
                return self.reason(watched);
            }
        }
        self.session.step(1)?;
        if self.session.stop().why != Why::Arrived {
            return self.reason(watched);
        }
        match self.watched()? == watched {
            true => Ok(stopped(thread)),
            false => self.changed(thread, watched),
        }
    }

    /// Why the run stands here. `watched` stood in the watched places when it was
    /// asked to go on.
    fn reason(&mut self, watched: &[Vec<u8>]) -> Result<MultiThreadStopReason<u64>, LabError> {
        let current = self.current();
        Ok(match self.session.stop().why {
            Why::Address => MultiThreadStopReason::SwBreak(current),
            Why::Changed => {
                let who = self.thread_of(self.session.stop().before);
                self.changed(who, watched)?
            }
            Why::Over => self.replay_log(ReplayLogPosition::End),
            _ => stopped(current),
        })
    }

    /// A watched place has changed, and this thread did it.
    fn changed(
        &mut self,
        who: Tid,
        before: &[Vec<u8>],
    ) -> Result<MultiThreadStopReason<u64>, LabError> {
        let now = self.watched()?;
        let differs = now
            .iter()
            .zip(before)
            .position(|(now, before)| now != before);
        let range = self.places.watched.get(differs.unwrap_or(0));
        Ok(
            range.map_or(stopped(who), |range| MultiThreadStopReason::Watch {
                tid: who,
                kind: WatchKind::Write,
                addr: range.address,
            }),
        )
    }

    /// Back to a place. A watched one is found before the instruction that changed
    /// it: to gdb, going back undoes the change.
    fn back(&mut self) -> Result<MultiThreadStopReason<u64>, LabError> {
        if !self.places.watched.is_empty() {
            // What the last instruction did is behind us, unless we look.
            let after = self.watched()?;
            if !self.session.step_back()? {
                return Ok(self.replay_log(ReplayLogPosition::Begin));
            }
            if self.watched()? != after {
                return self.changed(self.current(), &after);
            }
            if self.is_at_breakpoint() {
                return Ok(MultiThreadStopReason::SwBreak(self.current()));
            }
        }
        if !self.session.back_until(&self.to_a_place())? {
            return Ok(self.replay_log(ReplayLogPosition::Begin));
        }
        if self.session.stop().why == Why::Interrupted || self.is_at_breakpoint() {
            return Ok(MultiThreadStopReason::SwBreak(self.current()));
        }
        let after = self.watched()?;
        self.session.step_back()?;
        self.changed(self.current(), &after)
    }

    fn step_back(&mut self, thread: Tid) -> Result<MultiThreadStopReason<u64>, LabError> {
        let there_is_one = match self.vcpu_of(thread) {
            None => self.session.step_back()?,
            Some(name) => self.session.back_until(&Until {
                vcpu: Some(name),
                ..Until::default()
            })?,
        };
        Ok(match there_is_one {
            true => stopped(thread),
            false => self.replay_log(ReplayLogPosition::Begin),
        })
    }

    fn replay_log(&self, pos: ReplayLogPosition) -> MultiThreadStopReason<u64> {
        let tid = Some(self.current());
        MultiThreadStopReason::ReplayLog { tid, pos }
    }

    /// What gdb's user is to read before the stop: what the guests have printed
    /// since the last one, how the run has ended, and what became of it if it is
    /// not where it was to go.
    pub(super) fn report(&mut self) -> String {
        let news = self.session.news();
        let mut text = String::new();
        let mut printed = Printed::default();
        for news in news.get(self.told.min(news.len())..).unwrap_or_default() {
            text += &printed.hear(news);
            if let Some((who, what)) = self.session.in_words(news)
                && ["panic", "stand", "vm", "wrong", "end"].contains(&who)
            {
                text += &format!("{who}: {what}\n");
            }
        }
        text += &printed.rest();
        self.told = news.len();
        if let Why::Back(gone) = self.session.stop().why
            && let Some(words) = words::lost(gone, self.session.stop())
        {
            text += &format!("{words}\n");
        }
        if self.session.is_over() && self.way == Way::On {
            text +=
                "The run is over. You can go back from here: reverse-stepi, reverse-continue.\n";
        }
        text
    }
}

fn stopped(thread: Tid) -> MultiThreadStopReason<u64> {
    MultiThreadStopReason::SignalWithThread {
        tid: thread,
        signal: Signal::SIGTRAP,
    }
}

impl MultiThreadResume for Debugger {
    /// What carries bytes to the stub sees that the run is to go on, and calls
    /// `travel`.
    fn resume(&mut self) -> Result<(), LabError> {
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), LabError> {
        self.way = Way::On;
        Ok(())
    }

    fn set_resume_action_continue(&mut self, _: Tid, _: Option<Signal>) -> Result<(), LabError> {
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Debugger {
    fn set_resume_action_step(&mut self, thread: Tid, _: Option<Signal>) -> Result<(), LabError> {
        self.way = Way::Step(thread);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Debugger {
    /// Who runs when is the version's decision. The step of the one that is about
    /// to run needs nobody else's.
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), LabError> {
        Ok(())
    }
}

impl ReverseCont<Tid> for Debugger {
    fn reverse_cont(&mut self) -> Result<(), LabError> {
        self.way = Way::Back;
        Ok(())
    }
}

impl ReverseStep<Tid> for Debugger {
    fn reverse_step(&mut self, thread: Tid) -> Result<(), LabError> {
        self.way = Way::StepBack(thread);
        Ok(())
    }
}
