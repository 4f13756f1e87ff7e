//! The raw CPU: the silicon under the virtual CPU.

use crate::sync::{Condvar, Mutex};
use crate::{Context, Time, Trap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A raw, deprivileged x86-64 CPU. It runs user-ISA code at full speed and
/// stops with a [`Trap`] for everything else.
///
/// Student code does not call [`enter`](Cpu::enter): it calls
/// [`Pcpu::enter`](crate::Pcpu::enter), which charges time and keeps the trace.
pub trait Cpu: Send {
    /// The registers and memory view of the code that runs here. They stay in
    /// the CPU between entries.
    fn context(&mut self) -> &mut Context;

    /// Runs from the context's RIP until something needs attention or `budget`
    /// instructions have retired, and says why it stopped and how many
    /// instructions retired. `now` is the virtual time at entry, which `rdtsc`
    /// reads. `budget` is at least 1, and is kept exactly.
    ///
    /// An entry makes progress: before it heeds a kick, at least one instruction
    /// retires, or traps; and if the kick was pending at the entry, just one. So
    /// what holds for one instruction only (the shadow of `sti`) is not spent in
    /// vain by a kick that comes just before the entry.
    ///
    /// # Panics
    /// If a read from MMIO still waits for [`complete`](Cpu::complete).
    fn enter(&mut self, now: Time, budget: u64, kick: &Kick) -> (Trap, u64);

    /// Answers the read that the last [`Trap::Mmio`] asked for, and finishes
    /// its instruction.
    ///
    /// # Panics
    /// If no read waits for an answer.
    fn complete(&mut self, value: u64);
}

impl<C: Cpu + ?Sized> Cpu for Box<C> {
    fn context(&mut self) -> &mut Context {
        (**self).context()
    }

    fn enter(&mut self, now: Time, budget: u64, kick: &Kick) -> (Trap, u64) {
        (**self).enter(now, budget, kick)
    }

    fn complete(&mut self, value: u64) {
        (**self).complete(value);
    }
}

/// A request, from any thread, that a physical CPU look up: that it stop running
/// guest code, or wake if it sleeps.
///
/// A kick is never lost: it stays pending until somebody takes it, whether it
/// came before, during or after an entry or a sleep. One that came before an
/// entry ends it after its first instructions, never without any (see
/// [`Cpu::enter`]). Clones kick the same CPU.
#[derive(Clone)]
pub struct Kick(Arc<Bell>);

struct Bell {
    pending: AtomicBool,
    /// Held while a sleeper looks at `pending` and falls asleep, and by who
    /// kicks: so no kick comes between the two.
    falling_asleep: Mutex<()>,
    asleep: Condvar,
    /// What else a kick does, once it is pending.
    also: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Kick {
    /// A kick that is not pending.
    pub fn new() -> Kick {
        Kick(Arc::new(Bell {
            pending: AtomicBool::new(false),
            falling_asleep: Mutex::new(()),
            asleep: Condvar::new(),
            also: OnceLock::new(),
        }))
    }

    /// Has each kick, once it is pending, also do this, in the thread of who
    /// kicks: for a CPU that cannot look at the kick while it runs guest code and
    /// must be told. Whoever comes first decides; a second wish is not granted,
    /// which `false` says.
    pub fn also(&self, tell: impl Fn() + Send + Sync + 'static) -> bool {
        self.0.also.set(Box::new(tell)).is_ok()
    }

    /// Asks the CPU to look up soon.
    pub fn kick(&self) {
        self.0.pending.store(true, Ordering::Release);
        drop(self.0.falling_asleep.lock());
        self.0.asleep.wake_all();
        if let Some(tell) = self.0.also.get() {
            tell();
        }
    }

    /// Whether a kick waits to be taken.
    pub fn is_pending(&self) -> bool {
        self.0.pending.load(Ordering::Acquire)
    }

    /// Takes the kick, if there is one; it is no longer pending afterwards.
    pub fn take(&self) -> bool {
        self.0.pending.swap(false, Ordering::AcqRel)
    }

    /// Puts the calling thread to sleep until a kick is pending, or `most` of
    /// the host's time is over. The kick stays pending.
    pub fn sleep(&self, most: Option<Duration>) {
        let mut guard = self.0.falling_asleep.lock();
        while !self.is_pending() {
            guard = self.0.asleep.wait(guard, most);
            if most.is_some() {
                break;
            }
        }
    }
}

impl Default for Kick {
    fn default() -> Kick {
        Kick::new()
    }
}

impl fmt::Debug for Kick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kick").field(&self.is_pending()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kick_stays_pending_until_it_is_taken() {
        let kick = Kick::default();
        let remote = kick.clone();
        remote.kick();
        assert!(kick.is_pending());
        assert!(kick.take());
        assert!(!kick.take());
    }

    #[test]
    fn a_cpu_that_cannot_look_is_told_when_the_kick_is_pending() {
        let kick = Kick::default();
        let (sender, told) = std::sync::mpsc::channel();
        let seen = kick.clone();
        assert!(kick.also(move || sender.send(seen.is_pending()).unwrap()));
        assert!(!kick.also(|| unreachable!("the first wish stands")));
        kick.clone().kick();
        assert_eq!(told.recv(), Ok(true));
    }

    #[test]
    fn a_sleeper_wakes_by_a_kick_whenever_it_came() {
        let kick = Kick::default();
        kick.kick();
        kick.sleep(None);
        assert!(kick.take());

        let remote = kick.clone();
        let kicker = std::thread::spawn(move || remote.kick());
        kick.sleep(None);
        assert!(kick.is_pending());
        kicker.join().unwrap();
    }
}
