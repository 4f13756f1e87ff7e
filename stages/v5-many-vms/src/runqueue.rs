//! Who is ready to run, and in which order.

use crate::Share;
use common::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The ready of one physical CPU, in the order of what they have had, and its
/// sleepers, in the order in which they are due.
///
/// It holds names (`T`), not VMs: the VMs stand in a table. So a queue is small,
/// and to move somebody to another queue is to move a number. No operation takes
/// longer because many others sleep or wait: each is logarithmic.
///
/// Invariant: nobody is in it twice.
#[derive(Clone, Debug)]
pub struct Runqueue<T> {
    /// Ready: by pass, then by name.
    ready: BTreeMap<(u64, T), Share>,
    /// Asleep: by the time when they are due, then by name.
    asleep: BTreeSet<(Time, T)>,
    /// The pass of the one that was last taken, and never less than it was:
    /// everybody who is ready has had about this much.
    floor: u64,
}

impl<T: Copy + Ord> Runqueue<T> {
    /// An empty queue.
    pub fn new() -> Runqueue<T> {
        Runqueue {
            ready: BTreeMap::new(),
            asleep: BTreeSet::new(),
            floor: 0,
        }
    }

    /// Somebody's turn is over, and they want to run on: they go back to their
    /// place in the order.
    ///
    /// # Exercise v5-E3: everybody in turn (first half)
    ///
    /// The order is by pass: who has had least is first. Among those who have
    /// had the same, the name decides, so that every run is the same. When all
    /// weigh the same and use up their slices this is round robin.
    pub fn put_back(&mut self, name: T, share: Share) {
        // BEGIN SOLUTION
        self.ready.insert((share.pass, name), share);
        // END SOLUTION
        // STUB: todo!("v5-E3: put somebody into the queue")
    }

    /// Takes the first in the order out. From now on the
    /// [`floor`](Runqueue::floor) is at least its pass.
    pub fn take(&mut self) -> Option<(T, Share)> {
        // BEGIN SOLUTION
        let ((pass, name), share) = self.ready.pop_first()?;
        self.floor = self.floor.max(pass);
        Some((name, share))
        // END SOLUTION
        // STUB: todo!("v5-E3: take the first out of the queue")
    }

    /// Somebody joins who was away: they are new, or they slept. Gives the share
    /// with which they are in the queue now.
    ///
    /// # Exercise v5-E4: who halts leaves the queue (second third)
    ///
    /// Who slept for an hour has had nothing in that hour. Were their pass to
    /// stay what it was, they would now run for an hour, and nobody else. So it
    /// is lifted to the [`floor`](Runqueue::floor), but for `credit`: that much
    /// they are ahead of those who never sleep, so that they run soon when
    /// something has come for them. Nobody's pass is ever lowered.
    pub fn join(&mut self, name: T, mut share: Share, credit: u64) -> Share {
        // BEGIN SOLUTION
        share.pass = share.pass.max(self.floor.saturating_sub(credit));
        // END SOLUTION
        // STUB: // TODO v5-E4: lift the pass of somebody who was away
        self.put_back(name, share);
        share
    }

    /// Somebody sleeps here until `due`.
    pub fn sleep(&mut self, name: T, due: Time) {
        self.asleep.insert((due, name));
    }

    /// Takes out a sleeper who is due at `now`: the one who has been longest.
    pub fn take_due(&mut self, now: Time) -> Option<T> {
        if self.next_due() > now {
            return None;
        }
        self.asleep.pop_first().map(|(_, name)| name)
    }

    /// When the next sleeper is due; [`Time::NEVER`] if nobody sleeps.
    pub fn next_due(&self) -> Time {
        self.asleep.first().map_or(Time::NEVER, |(due, _)| *due)
    }

    /// Takes somebody out who is ready with this share. Whether they were here.
    pub fn remove(&mut self, name: T, share: Share) -> bool {
        self.ready.remove(&(share.pass, name)).is_some()
    }

    /// Takes a sleeper out who is due at `due`. Whether they were here.
    pub fn remove_sleeper(&mut self, name: T, due: Time) -> bool {
        self.asleep.remove(&(due, name))
    }

    /// The ready, in their order.
    pub fn ready(&self) -> impl DoubleEndedIterator<Item = (T, Share)> {
        self.ready.iter().map(|((_, name), share)| (*name, *share))
    }

    /// The sleepers, in the order in which they are due.
    pub fn sleepers(&self) -> impl Iterator<Item = (T, Time)> {
        self.asleep.iter().map(|(due, name)| (*name, *due))
    }

    /// How many are ready.
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// The least pass among the ready.
    pub fn least(&self) -> Option<u64> {
        self.ready.first_key_value().map(|((pass, _), _)| *pass)
    }

    /// What everybody here has had, more or less.
    pub fn floor(&self) -> u64 {
        self.floor
    }
}

impl<T: Copy + Ord> Default for Runqueue<T> {
    fn default() -> Runqueue<T> {
        Runqueue::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Weight;
    use proptest::prelude::*;

    fn share(pass: u64) -> Share {
        Share {
            pass,
            ..Share::default()
        }
    }

    /// Lets each in turn run a slice of `ticks`, `turns` times.
    fn turns(queue: &mut Runqueue<u32>, turns: usize, ticks: u64) -> Vec<u32> {
        let mut order = Vec::new();
        for _ in 0..turns {
            let (name, mut share) = queue.take().unwrap();
            order.push(name);
            share.charge(ticks);
            queue.put_back(name, share);
        }
        order
    }

    #[test]
    fn equals_run_in_turn() {
        let mut queue = Runqueue::new();
        (0..3).for_each(|name| queue.put_back(name, share(0)));
        assert_eq!(turns(&mut queue, 7, 1_000), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn over_time_everybody_runs_as_often_as_they_weigh() {
        let mut queue = Runqueue::new();
        for weight in [70, 30] {
            queue.put_back(weight, Share::new(Weight::new(weight).unwrap()));
        }
        let heavy = turns(&mut queue, 1_000, 10_000);
        let heavy = heavy.iter().filter(|name| **name == 70).count();
        assert!((699..=701).contains(&heavy), "{heavy} of 1,000 turns");
    }

    #[test]
    fn who_was_away_is_not_paid_for_it() {
        let mut queue = Runqueue::new();
        queue.put_back(1, share(1_000_000));
        queue.take();
        assert_eq!(queue.join(2, share(5), 0).pass, 1_000_000);
        assert_eq!(queue.join(3, share(5), 400).pass, 999_600);
        assert_eq!(queue.join(4, share(2_000_000), 400).pass, 2_000_000);
    }

    #[test]
    fn sleepers_come_back_when_they_are_due_and_in_that_order() {
        let mut queue: Runqueue<u32> = Runqueue::new();
        for (name, due) in [(1, 300), (2, 100), (3, 200)] {
            queue.sleep(name, Time(due));
        }
        assert_eq!(queue.next_due(), Time(100));
        assert_eq!(queue.take_due(Time(99)), None);
        let due: Vec<_> = std::iter::from_fn(|| queue.take_due(Time(200))).collect();
        assert_eq!(due, [2, 3]);
    }

    proptest! {
        /// A queue is a list that somebody sorts each time they look.
        #[test]
        fn the_first_is_always_the_one_with_the_least_pass(
            steps in prop::collection::vec((0..20u32, 0..50u64, any::<bool>()), 1..200),
        ) {
            let mut queue = Runqueue::new();
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (name, pass, take) in steps {
                if take {
                    model.sort();
                    let first = (!model.is_empty()).then(|| model.remove(0));
                    let taken = queue.take().map(|(name, share)| (share.pass, name));
                    prop_assert_eq!(taken, first);
                } else if model.iter().all(|(_, other)| *other != name) {
                    model.push((pass, name));
                    queue.put_back(name, share(pass));
                }
                prop_assert_eq!(queue.waiting(), model.len());
            }
        }
    }
}
