//! From the busiest physical CPU to one that has less to do.

use crate::placement::moved;
use crate::queue::Ticket;
use crate::{Runnable, Scheduler};
use common::Time;
use v5::{Share, State};

/// After how many slices a physical CPU that is busy looks at the others.
const EVERY: u64 = 8;

impl<R: Runnable> Scheduler<R> {
    /// Looks whether another physical CPU has too much, if it is time to.
    pub(crate) fn balance_sometimes(&self, here: usize, now: Time) {
        let mut local = self.slots[here].local();
        if now.since(local.balanced) < EVERY * self.slice {
            return;
        }
        local.balanced = now;
        drop(local);
        self.balance(here);
    }

    /// Moves at most one VM to the physical CPU `here`, from the one that has
    /// most to do.
    ///
    /// # Exercise v6-E4: balance
    ///
    /// [`best`](Scheduler::best) says who, but when it has, that may no longer
    /// be so. Lock the place: is it still ready, and still there? Lock both
    /// queues, the one of the lower number first ([`both`](Scheduler::both)).
    /// Is it still better to move it ([`gain`]), and is `here` plugged in? Then
    /// take it out, make its share one of the new queue ([`moved`]), put it
    /// back there, and note in the place where it is now.
    ///
    /// Two physical CPUs may do this at the same moment, one in each direction.
    pub(crate) fn balance(&self, here: usize) {
        let Some((busiest, ticket)) = self.best(here) else {
            return;
        };
        let Ok(entry) = self.table.get(ticket.id) else {
            return;
        };
        // BEGIN SOLUTION
        let mut place = entry.place();
        if place.state != State::Ready || place.pcpu != busiest {
            return;
        }
        let (mut to, mut from) = self.both(here, busiest);
        let gains = gain(place.share, from.load(), to.load()).is_some();
        if to.online && gains && from.remove(ticket, place.share) {
            place.share = moved(place.share, from.floor(), to.floor());
            place.pcpu = here;
            to.put_back(ticket, place.share);
        }
        // END SOLUTION
        // STUB: todo!("v6-E4: move it, if that is still right")
    }

    /// Whom it would be best to move `here`, and from where.
    fn best(&self, here: usize) -> Option<(usize, Ticket)> {
        let own = self.slots[here].local().load();
        let others = (0..self.slots.len()).filter(|id| *id != here);
        let busiest = others.max_by_key(|id| {
            let local = self.slots[*id].local();
            if local.waiting() > 0 { local.load() } else { 0 }
        })?;
        let local = self.slots[busiest].local();
        let (load, own) = (local.load(), own);
        let allowed = local
            .ready()
            .filter(|(ticket, _)| ticket.affinity.allows(here));
        allowed
            .filter_map(|(ticket, share)| Some((gain(share, load, own)?, ticket)))
            .max_by_key(|(gain, _)| *gain)
            .map(|(_, ticket)| (busiest, ticket))
    }
}

/// By how much two loads come closer when somebody of this share moves from the
/// one to the other; nothing if they do not.
///
/// It is the work that is balanced, not the number of VMs: one of weight 300 is
/// as much as three of weight 100. What does not bring two loads closer is not
/// moved, so that balancing comes to an end.
fn gain(share: Share, from: u64, to: u64) -> Option<u64> {
    let weight = u64::from(share.weight.get());
    let difference = from.checked_sub(to)?;
    let rest = difference.checked_sub(weight)?;
    (rest > 0).then_some(weight.min(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use v5::Weight;

    fn gain_of(weight: u32, from: u64, to: u64) -> Option<u64> {
        gain(Share::new(Weight::new(weight).unwrap()), from, to)
    }

    #[test]
    fn to_move_pays_only_if_the_loads_come_closer() {
        assert_eq!(gain_of(100, 200, 0), Some(100));
        assert_eq!(
            gain_of(100, 200, 100),
            None,
            "they would only change places"
        );
        assert_eq!(gain_of(300, 400, 200), None);
        assert_eq!(gain_of(100, 100, 300), None);
    }

    #[test]
    fn who_halves_the_difference_is_best() {
        let gains = [50, 100, 150].map(|weight| gain_of(weight, 200, 0));
        assert_eq!(gains.iter().max(), gains.get(1));
    }
}
