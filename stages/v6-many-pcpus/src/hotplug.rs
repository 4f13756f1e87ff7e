//! A physical CPU goes, and comes back.

use crate::{Runnable, Scheduler};
use common::Time;
use v5::State;

/// A physical CPU cannot be plugged or unplugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HotplugError {
    /// There is no such physical CPU.
    #[error("pcpu {0} does not exist: there are {1}, numbered from 0")]
    NoSuchPcpu(usize, usize),
    /// It is the last one.
    #[error("pcpu {0} is the last that is plugged in")]
    LastOne(usize),
    /// It is as it should be already.
    #[error("pcpu {0} is {state} already", state = if *.1 { "plugged in" } else { "unplugged" })]
    Already(usize, bool),
}

impl<R: Runnable> Scheduler<R> {
    /// Takes a physical CPU out of use. Whoever waits or sleeps there goes to
    /// others, even if it may not run there: better so than never. Who runs
    /// there leaves it at once.
    ///
    /// # Exercise v6-E5: a physical CPU goes and comes back
    ///
    /// `drained` holds all who stood in its queue, and nobody else can find them
    /// now. Each of them may meanwhile have been woken or paused: ask its place,
    /// under its lock. Who is still ready, *there*, goes to another queue; who
    /// is still asleep, there, sleeps on another. At the end kick the physical
    /// CPU, so that it lets go of the one that runs.
    ///
    /// # Errors
    /// If there is none of this number, it is unplugged already, or it is the
    /// last one.
    pub fn unplug(&self, pcpu: usize) -> Result<(), HotplugError> {
        let drained = self.close(pcpu)?;
        // BEGIN SOLUTION
        for id in drained {
            let Ok(entry) = self.table.get(id) else {
                continue;
            };
            let mut place = entry.place();
            match place.state {
                State::Ready if place.pcpu == pcpu => self.enqueue(id, &mut place),
                State::Asleep(due) if place.pcpu == pcpu => self.lay_down(id, &mut place, due),
                _ => {}
            }
        }
        self.slots[pcpu].kick.kick();
        Ok(())
        // END SOLUTION
        // STUB: todo!("v6-E5: {} must go elsewhere", drained.len())
    }

    /// Puts a physical CPU to use again. It fetches its work itself.
    ///
    /// # Errors
    /// If there is none of this number, or it is plugged in already.
    pub fn plug(&self, pcpu: usize) -> Result<(), HotplugError> {
        let slot = self.slot(pcpu)?;
        if std::mem::replace(&mut slot.local().online, true) {
            return Err(HotplugError::Already(pcpu, true));
        }
        slot.kick.kick();
        Ok(())
    }

    /// Marks a physical CPU as unplugged, and empties its queue. All queues are
    /// locked for this, in their order: of two who unplug the last two, one must
    /// see what the other does.
    fn close(&self, pcpu: usize) -> Result<Vec<v5::Id>, HotplugError> {
        self.slot(pcpu)?;
        let mut locals: Vec<_> = self.slots.iter().map(|slot| slot.local()).collect();
        if !locals[pcpu].online {
            return Err(HotplugError::Already(pcpu, false));
        }
        if locals.iter().filter(|local| local.online).count() == 1 {
            return Err(HotplugError::LastOne(pcpu));
        }
        let local = &mut locals[pcpu];
        local.online = false;
        let ready = std::iter::from_fn(|| local.take());
        let mut drained: Vec<_> = ready.map(|(ticket, _)| ticket.id).collect();
        let sleepers = std::iter::from_fn(|| local.take_due(Time::NEVER));
        drained.extend(sleepers.map(|ticket| ticket.id));
        Ok(drained)
    }

    fn slot(&self, pcpu: usize) -> Result<&crate::queue::Slot, HotplugError> {
        let none = HotplugError::NoSuchPcpu(pcpu, self.slots.len());
        self.slots.get(pcpu).ok_or(none)
    }
}
