//! What this scheduler schedules. Given: nothing to do here.

use common::{Pcpu, Time};
use v5::{Id, Stop, Switch, Vm};

/// Something that can be on one physical CPU at a time, and on another later: a
/// VM here, a vCPU in version 7.
pub trait Runnable: Send {
    /// What a physical CPU must be to run this.
    type Cpu;

    /// Puts its context onto `pcpu`.
    fn load(&mut self, pcpu: &mut Pcpu<Self::Cpu>);

    /// Takes its context off `pcpu`.
    fn store(&mut self, pcpu: &mut Pcpu<Self::Cpu>);

    /// Lets it run, now that it is on `pcpu`, until `until` at most.
    fn turn(&mut self, pcpu: &mut Pcpu<Self::Cpu>, until: Time, peers: &dyn Peers) -> Stop;
}

/// What one of them can ask about others while it runs.
pub trait Peers {
    /// Something has come for `id` at `now`: it is to look for itself, soon,
    /// whether it runs, waits or sleeps.
    fn wake(&self, id: Id, now: Time);

    /// `id` should run before others, if it is ready: somebody waits for it. It
    /// gets no more time by that, only sooner. Whether it is the next to run now.
    /// Not if it waits on the physical CPU `except`, if there is one.
    fn promote(&self, id: Id, except: Option<usize>) -> bool;
}

/// A VM of version 5, which knows of no others.
impl<V: Switch> Runnable for Vm<V> {
    type Cpu = V::Cpu;

    fn load(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        Vm::load(self, pcpu);
    }

    fn store(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        Vm::store(self, pcpu);
    }

    fn turn(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time, _: &dyn Peers) -> Stop {
        Vm::turn(self, pcpu, until)
    }
}
