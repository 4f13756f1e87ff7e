//! Does many things at once, and hears of them in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// As many workers as the host has cores for.
pub fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` for each item, on so many threads at a time, and gives the results
/// in the order of the items. `hear` is told of each in that order, as soon as it
/// and all before it are there.
///
/// # Errors
/// The first one of `work`; nothing more is begun then.
///
/// # Panics
/// If `work` or `hear` does.
pub fn in_order<T: Sync, R: Send, E: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
    mut hear: impl FnMut(&R),
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let (results, done) = mpsc::sync_channel(0);
    let toil = |results: mpsc::SyncSender<_>| loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(index) else { return };
        if results.send((index, work(item))).is_err() {
            return; // nobody wants more
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            let results = results.clone();
            scope.spawn(|| toil(results));
        }
        drop(results);
        let mut early = BTreeMap::new();
        let mut all = Vec::with_capacity(items.len());
        for (index, result) in done {
            early.insert(index, result);
            while let Some(result) = early.remove(&all.len()) {
                let result = result?;
                hear(&result);
                all.push(result);
            }
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::Barrier;
    use std::time::Duration;

    #[test]
    fn results_come_in_the_order_of_the_items_whoever_is_first() {
        let items: Vec<u64> = (0..20).collect();
        let mut heard = Vec::new();
        let slow_at_first = |&item: &u64| {
            thread::sleep(Duration::from_millis(20 - item));
            Ok::<_, Infallible>(item)
        };
        let all = in_order(4, &items, slow_at_first, |&item| heard.push(item));
        assert_eq!(all.unwrap(), items);
        assert_eq!(heard, items);
    }

    #[test]
    fn so_many_workers_work_at_the_same_time() {
        let all_three = Barrier::new(3);
        let meet = |_: &()| Ok::<_, Infallible>(all_three.wait().is_leader());
        let met = in_order(3, &[(); 3], meet, |_| ()).unwrap();
        assert_eq!(met.iter().filter(|leader| **leader).count(), 1);
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = AtomicUsize::new(0);
        let fourth = |_: &()| match begun.fetch_add(1, Ordering::Relaxed) {
            3 => Err("the fourth"),
            _ => Ok(()),
        };
        assert_eq!(
            in_order(1, &[(); 1_000], fourth, |()| ()),
            Err("the fourth")
        );
        // Behind it, one more may be under way.
        assert!(begun.into_inner() <= 5);
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        let none = in_order(4, &[], |_: &()| Ok::<_, Infallible>(()), |()| ());
        assert_eq!(none, Ok(vec![]));
    }
}
