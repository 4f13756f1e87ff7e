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
pub struct Mutex<T>(Lock<T>);

enum Lock<T> {
    Host(std::sync::Mutex<T>),
    #[cfg(feature = "search")]
    Searched(shuttle::sync::Mutex<T>),
}

/// The value while it is locked. The lock is given back when this is dropped.
pub struct MutexGuard<'a, T>(Guard<'a, T>);

enum Guard<'a, T> {
    Host(std::sync::MutexGuard<'a, T>),
    #[cfg(feature = "search")]
    Searched(shuttle::sync::MutexGuard<'a, T>),
}

/// Whether shuttle runs the code that asks.
#[cfg(feature = "search")]
fn is_searched() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

/// Who waits for which lock, so that a deadlock can be told.
#[cfg(feature = "search")]
mod search {
    use std::collections::BTreeMap;
    use std::panic::Location;
    use std::sync::{Mutex, MutexGuard, PoisonError};

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
    pub(super) fn note() -> impl Drop {
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
        #[cfg(feature = "search")]
        if is_searched() {
            return Mutex(Lock::Searched(shuttle::sync::Mutex::new(value)));
        }
        Mutex(Lock::Host(std::sync::Mutex::new(value)))
    }

    /// Waits until nobody else has the lock, and takes it.
    #[cfg_attr(feature = "search", track_caller)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(match &self.0 {
            Lock::Host(lock) => Guard::Host(unpoisoned(lock.lock())),
            #[cfg(feature = "search")]
            Lock::Searched(lock) => {
                let _waiting = search::note();
                Guard::Searched(unpoisoned(lock.lock()))
            }
        })
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let guard = match &self.0 {
            Lock::Host(lock) => Guard::Host(unless_taken(lock.try_lock())?),
            #[cfg(feature = "search")]
            Lock::Searched(lock) => Guard::Searched(unless_taken(lock.try_lock())?),
        };
        Some(MutexGuard(guard))
    }

    /// The value, when nobody else can have it any more.
    pub fn into_inner(self) -> T {
        match self.0 {
            Lock::Host(lock) => unpoisoned(lock.into_inner()),
            #[cfg(feature = "search")]
            Lock::Searched(lock) => unpoisoned(lock.into_inner()),
        }
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
        match &self.0 {
            Guard::Host(guard) => guard,
            #[cfg(feature = "search")]
            Guard::Searched(guard) => guard,
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Guard::Host(guard) => guard,
            #[cfg(feature = "search")]
            Guard::Searched(guard) => guard,
        }
    }
}

/// A place where threads sleep until another one says that something changed.
pub(crate) struct Condvar(Sleepers);

enum Sleepers {
    Host(std::sync::Condvar),
    #[cfg(feature = "search")]
    Searched(shuttle::sync::Condvar),
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        #[cfg(feature = "search")]
        if is_searched() {
            return Condvar(Sleepers::Searched(shuttle::sync::Condvar::new()));
        }
        Condvar(Sleepers::Host(std::sync::Condvar::new()))
    }

    /// Wakes all who sleep here.
    pub(crate) fn wake_all(&self) {
        match &self.0 {
            Sleepers::Host(sleepers) => sleepers.notify_all(),
            #[cfg(feature = "search")]
            Sleepers::Searched(sleepers) => sleepers.notify_all(),
        }
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
        MutexGuard(match (&self.0, guard.0) {
            (Sleepers::Host(sleepers), Guard::Host(guard)) => Guard::Host(match most {
                None => unpoisoned(sleepers.wait(guard)),
                Some(most) => unpoisoned(sleepers.wait_timeout(guard, most)).0,
            }),
            #[cfg(feature = "search")]
            (Sleepers::Searched(sleepers), Guard::Searched(guard)) => Guard::Searched(match most {
                None => unpoisoned(sleepers.wait(guard)),
                Some(_) => guard,
            }),
            #[cfg(feature = "search")]
            _ => panic!("a lock of shuttle's with sleepers of the host's"),
        })
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
