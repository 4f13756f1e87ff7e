//! Version 6's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v6-E1",
        title: "a turn with a queue that others use too",
        hints: [
            "You have taken a name out of your queue and given its lock back. Who may do what with \
             that VM before your next line runs?",
            "The queue's lock says nothing about the VM: its place does. Ask it, under *its* lock, \
             whether the VM is still ready and still here. Behind a turn ask what the stop means: \
             has the VM stopped, or should somebody only look again?",
            "`schedule_once`: `keep_on`, else `pick`, else `balance` and `pick`, else `idle`; then \
             `entry.body.lock().turn(pcpu, until, self)` and `after`. `pick`: a loop over \
             `next_name`; if the state is `Ready` and `place.pcpu == pcpu.id`, then `woken = false`, \
             `enter(Running, now)`, drop the place, `begin`. `after`: `Kicked` and `TimeUp` do \
             nothing, all else is `put_away`.",
        ],
    },
    Exercise {
        name: "v6-E2",
        title: "put a VM where it can run, and let that CPU know",
        hints: [
            "A VM wakes. Its last physical CPU is busy, another one sleeps. Where should it wait, \
             and how does the one that sleeps learn of it?",
            "First the set: plugged in and allowed, or, if that is empty, plugged in. Then the \
             choice: the last if it is free, any that is free, the last, the least loaded. And what \
             happens if you kick a physical CPU before the VM is in its queue?",
            "`enqueue`: `open_queue(place)`, `credit = place.share.cost(self.slice)`, `place.share = \
             local.join(Ticket::of(id, place), place.share, credit)`; remember `local.idle || \
             local.is_overtaken()`, drop the lock, then kick `self.slots[place.pcpu]`.",
        ],
    },
    Exercise {
        name: "v6-E3",
        title: "a wake is never lost",
        hints: [
            "A VM looks, finds nothing to do, and goes to sleep. Something comes for it between the \
             look and the sleep. Who will ever wake it?",
            "Whoever wakes leaves a note in the place, and whoever goes to sleep reads it, both \
             under the place's lock. Between the reading and the new state the lock must stay shut.",
            "`wake`: `Asleep` gives `make_ready`; `Running` gives `place.woken = true` and a kick; \
             all else nothing. `put_away`: `(None, Stop::Asleep { wake }) if !place.woken` enters \
             `Asleep(wake)` and calls `lay_down`.",
        ],
    },
    Exercise {
        name: "v6-E4",
        title: "balance",
        hints: [
            "Two physical CPUs look at each other at the same moment, and each wants to take \
             something from the other. Each locks its own queue first. What then?",
            "Order the locks by number, whoever asks. When you hold them, the world may have \
             changed since `best` looked: what of its answer do you have to ask again? And by how \
             much is the VM ahead in the queue that it leaves: what is that in the new one?",
            "Under the place's lock: `Ready` and still at `busiest`, else return. `both(here, \
             busiest)`; if `to.online`, the `gain` is still some, and `from.remove(ticket, \
             place.share)`: `place.share = moved(place.share, from.floor(), to.floor())`, \
             `place.pcpu = here`, `to.put_back(ticket, place.share)`.",
        ],
    },
    Exercise {
        name: "v6-E5",
        title: "a physical CPU goes and comes back",
        hints: [
            "The queue is empty now, and you hold a list of names. For how long is each of them \
             true?",
            "A VM of the list may have been paused, or woken and put elsewhere, since the list was \
             made. Its place tells. Two kinds still need you: those who are ready there, and those \
             who sleep there. Who runs there is in no list: how does it get off?",
            "For each id lock the place: `Ready` with `place.pcpu == pcpu` gives `enqueue`, \
             `Asleep(due)` with the same gives `lay_down(id, &mut place, due)`. Then \
             `self.slots[pcpu].kick.kick()`.",
        ],
    },
    Exercise {
        name: "v6-E6",
        title: "pause what runs elsewhere",
        hints: [
            "The VM's registers are on another physical CPU, and the VM computes. Can you take it \
             off there yourself? Whom do you have to ask?",
            "One that waits or sleeps can leave its queue now. For one that runs leave a wish in \
             its place, and wake its physical CPU so that it looks. What if there is a wish already: \
             which of the two is stronger?",
            "`Running`: `place.wish = place.wish.or(Some(Wish::Pause))`, or `Some(Wish::ShutDown)`, \
             and kick `self.slots[place.pcpu]`. Else `leave_queue(id, &place)` and \
             `enter(Paused, now)`, or `self.end(&mut place, Ending::Stopped, now)`.",
        ],
    },
];
