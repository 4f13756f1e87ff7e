//! The locks of schedulers that several physical CPUs use at once.
//!
//! They are the standard library's, with one thing more: with the feature
//! `search`, and inside a test that the `shuttle` crate runs, a lock is one of
//! shuttle's. Then every lock is a place where shuttle may go on with another
//! thread, so that it finds orders which real threads meet once in a million
//! runs, such as a deadlock. A program does not notice the difference, nor does
//! one that is built with the feature and runs outside shuttle.

#[cfg(feature = "search")]
pub use search::{Waiting, waiting};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError};
use std::time::Duration;

/// A lock around a value. A thread that panics while it holds the lock does not
/// spoil it for the others: their VMs go on.
///
/// Inside shuttle whoever wants the value needs its turn first. The turn is
/// shuttle's; the value has the host's lock in any case, which nobody else can
/// have then. So what is shuttle's is compiled here once, and not again for each
/// type of value wherever it is locked.
pub struct Mutex<T> {
    #[cfg(feature = "search")]
    turn: Option<search::Turn>,
    value: std::sync::Mutex<T>,
}

/// The value while it is locked. The lock is given back when this is dropped.
pub struct MutexGuard<'a, T> {
    // Given back in this order: who has the turn next must find the value free.
    value: std::sync::MutexGuard<'a, T>,
    #[cfg(feature = "search")]
    turn: Option<(search::Taken<'a>, &'a std::sync::Mutex<T>)>,
}

/// Turns, as shuttle gives them, and who waits for one, so that a deadlock can be
/// told.
#[cfg(feature = "search")]
mod search {
    use super::{unless_taken, unpoisoned};
    use std::collections::BTreeMap;
    use std::panic::Location;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Whether shuttle runs the code that asks.
    pub(super) fn is_on() -> bool {
        shuttle::current::try_get_current_task().is_some()
    }

    /// What only one thread has at a time. Before it is taken, and when it is
    /// given back, shuttle may go on with another thread.
    pub(super) struct Turn(shuttle::sync::Mutex<()>);

    /// It is given back when this is dropped.
    pub(super) type Taken<'a> = shuttle::sync::MutexGuard<'a, ()>;

    impl Turn {
        /// One that nobody has; `None` outside shuttle, where none is needed.
        pub(super) fn new() -> Option<Turn> {
            is_on().then(|| Turn(shuttle::sync::Mutex::new(())))
        }

        #[track_caller]
        pub(super) fn take(&self) -> Taken<'_> {
            let _waiting = note();
            unpoisoned(self.0.lock())
        }

        pub(super) fn try_take(&self) -> Option<Taken<'_>> {
            unless_taken(self.0.try_lock())
        }
    }

    /// A thread that waits for a lock.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Waiting {
        /// The thread's name.
        pub thread: String,
        /// Where it asked for the lock.
        pub place: &'static Location<'static>,
    }

    static WAITING: Mutex<BTreeMap<usize, Waiting>> = Mutex::new(BTreeMap::new());

    fn all() -> MutexGuard<'static, BTreeMap<usize, Waiting>> {
        WAITING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The threads that wait for a lock now.
    pub fn waiting() -> Vec<Waiting> {
        all().values().cloned().collect()
    }

    /// Notes that the calling thread waits for a lock, until this is dropped.
    #[track_caller]
    fn note() -> impl Drop {
        let task = shuttle::current::me();
        let name = shuttle::current::get_name_for_task(task);
        let waiting = Waiting {
            thread: name.map_or(String::from("a thread"), String::from),
            place: Location::caller(),
        };
        all().insert(task.into(), waiting);
        Note(task.into())
    }

    struct Note(usize);

    impl Drop for Note {
        fn drop(&mut self) {
            all().remove(&self.0);
        }
    }
}

impl<T> Mutex<T> {
    /// A lock, open, around `value`.
    pub fn new(value: T) -> Mutex<T> {
        Mutex {
            #[cfg(feature = "search")]
            turn: search::Turn::new(),
            value: std::sync::Mutex::new(value),
        }
    }

    /// Waits until nobody else has the lock, and takes it.
    #[cfg_attr(feature = "search", track_caller)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(feature = "search")]
        let turn = self.turn.as_ref().map(search::Turn::take);
        MutexGuard {
            value: unpoisoned(self.value.lock()),
            #[cfg(feature = "search")]
            turn: turn.map(|turn| (turn, &self.value)),
        }
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(feature = "search")]
        let turn = match &self.turn {
            Some(turn) => Some(turn.try_take()?),
            None => None,
        };
        Some(MutexGuard {
            value: unless_taken(self.value.try_lock())?,
            #[cfg(feature = "search")]
            turn: turn.map(|turn| (turn, &self.value)),
        })
    }

    /// The value, when nobody else can have it any more.
    pub fn into_inner(self) -> T {
        unpoisoned(self.value.into_inner())
    }
}

fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

fn unless_taken<G>(locked: Result<G, TryLockError<G>>) -> Option<G> {
    match locked {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(value) => value.fmt(f),
            None => f.write_str("<locked>"),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A place where threads sleep until another one says that something changed.
pub(crate) struct Condvar {
    #[cfg(feature = "search")]
    searched: Option<shuttle::sync::Condvar>,
    host: std::sync::Condvar,
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar {
            #[cfg(feature = "search")]
            searched: search::is_on().then(shuttle::sync::Condvar::new),
            host: std::sync::Condvar::new(),
        }
    }

    /// Wakes all who sleep here.
    pub(crate) fn wake_all(&self) {
        #[cfg(feature = "search")]
        if let Some(sleepers) = &self.searched {
            return sleepers.notify_all();
        }
        self.host.notify_all();
    }

    /// Opens the lock, sleeps until woken or until `most` is over (shuttle knows
    /// no time: there this returns at once if `most` says when), and takes the
    /// lock again. It may also wake for nothing.
    ///
    /// # Panics
    /// If the lock was made inside shuttle and this outside, or the other way
    /// round.
    pub(crate) fn wait<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        #[cfg(feature = "search")]
        let guard = match (&self.searched, guard) {
            (None, guard @ MutexGuard { turn: None, .. }) => guard,
            (Some(_), guard @ MutexGuard { turn: Some(_), .. }) if most.is_some() => return guard,
            (
                Some(sleepers),
                MutexGuard {
                    value,
                    turn: Some((turn, lock)),
                },
            ) => {
                drop(value);
                let turn = unpoisoned(sleepers.wait(turn));
                return MutexGuard {
                    value: unpoisoned(lock.lock()),
                    turn: Some((turn, lock)),
                };
            }
            _ => panic!("a lock of shuttle's with sleepers of the host's"),
        };
        let value = match most {
            None => unpoisoned(self.host.wait(guard.value)),
            Some(most) => unpoisoned(self.host.wait_timeout(guard.value, most)).0,
        };
        MutexGuard {
            value,
            #[cfg(feature = "search")]
            turn: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_lock_that_is_taken_is_not_given_to_a_second() {
        let lock = Mutex::new(1);
        let guard = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert_eq!(lock.try_lock().as_deref(), Some(&1));
    }

    #[test]
    fn a_panic_under_the_lock_leaves_the_value_to_the_others() {
        let lock = Arc::new(Mutex::new(1));
        let other = Arc::clone(&lock);
        let panicked = std::thread::spawn(move || {
            *other.lock() = 2;
            let _guard = other.lock();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*lock.lock(), 2);
    }
}
