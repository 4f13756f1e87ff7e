//! Version 5's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v5-E1",
        title: "save and restore a context",
        hints: [
            "Where are a guest's registers at the moment when another VM is to run? And where is \
             written down which memory it sees?",
            "`Pcpu::context` gives all of it at once: general and vector registers, RIP, flags, \
             segment bases, and the address space. What the version below emulates is in the \
             virtual CPU, and goes with that.",
            "save: `pcpu.context().clone()`. restore: `*pcpu.context() = saved`.",
        ],
    },
    Exercise {
        name: "v5-E2",
        title: "a VM's turn",
        hints: [
            "Two clocks can end a run now: the guest's own timer and the end of the turn. Which of \
             them concerns the scheduler, and which one only this VM?",
            "`next_exit` offers the interrupt that is due, runs until the earlier of the two, and \
             goes round when only the guest's timer rang. `turn` takes its exits one by one: which \
             four end the turn, and with which `Stop`?",
            "`next_exit`: `offer_interrupt`; `pcpu.run(&mut self.vcpu, \
             until.min(self.apic.deadline()))`; return it unless it is `Exit::Deadline` with \
             `pcpu.now < until`. `turn`: `Deadline` is `TimeUp`, `Kicked` is `Kicked`, `Halted` \
             asks `stop(self.processor.halt(pcpu.now))`, all others go to `serve`, whose `Break` \
             is `Ended`.",
        ],
    },
    Exercise {
        name: "v5-E3",
        title: "the runqueue: everybody in turn",
        hints: [
            "If the one who has just run always goes to the end of the line, who can starve? What \
             must be counted for a line in which some go forward faster than others?",
            "The queue is a map ordered by (pass, name): `put_back` inserts, `take` removes the \
             first and remembers how far everybody has come. In `schedule_once` each step undoes \
             one: take and put where it belongs, load and store, the clock before and after.",
            "take; `vm.load(pcpu)`; `begin = pcpu.now`; `enter_state(id, State::Running, begin)`; \
             `run_slice`; `vm.store(pcpu)`; `share.charge(pcpu.now.since(begin))`; `settle(id, \
             stop, pcpu.now)`; `Progress::Ran`. Without anybody: `self.idle()`.",
        ],
    },
    Exercise {
        name: "v5-E4",
        title: "who halts leaves the queue, and comes back",
        hints: [
            "A VM that halted must not be run before its timer is due. Who knows when that is? And \
             who may have the CPU until then?",
            "Three places. `sleep` asks the virtual CPU and the APIC: awake, until when, or for \
             ever. `settle` puts a sleeper among the sleepers. `join` takes them back: with the \
             pass of when they fell asleep, how long would they run now?",
            "`sleep`: not halted is `Awake`; `!can_inject()` is `ForEver`; `apic.advance(now)`; \
             pending clears `halted` and is `Awake`; else by `apic.deadline()`. `settle`: \
             `self.queue.sleep(id, wake)`. `join`: `pass.max(floor.saturating_sub(credit))`.",
        ],
    },
    Exercise {
        name: "v5-E5",
        title: "account for every tick",
        hints: [
            "A VM changes its state at some time. For which state are the ticks since the last \
             change?",
            "`state` is the one that ends. Count `now.since(self.until)` for it, and do not count \
             the same ticks again: what must move on with every call, and never back?",
            "`ticks = now.since(self.until)`; `self.until = self.until.max(now)`; Running adds to \
             `run`, Ready to `waiting`, Asleep to `halted`, Paused to `paused`, Created and Ended \
             to nothing.",
        ],
    },
    Exercise {
        name: "v5-E6",
        title: "weights",
        hints: [
            "Two VMs have run equally long, and one weighs twice as much. Whose turn is it, and by \
             how much is it ahead?",
            "The pass is time divided by weight. A turn may be short and a weight large: what is 7 \
             ticks divided by 10,000 in integers, and what would a VM pay that always stops after \
             7 ticks?",
            "`ticks.saturating_mul(SCALE) / u64::from(self.weight.0)`.",
        ],
    },
    Exercise {
        name: "v5-E7",
        title: "pause, resume, shut down",
        hints: [
            "Between two turns a VM stands among the ready or among the sleepers, or in neither. \
             Which of the three is right for one that is paused?",
            "`leave_queue` looks at the state to know where the VM stands: so what comes first, \
             leaving the queue or the new state? Who was away and comes back joins like a sleeper \
             who wakes.",
            "pause: `self.leave_queue(id); self.enter_state(id, State::Paused, now)`. resume: \
             `self.make_ready(id, now)`. shut down: `self.leave_queue(id); self.end(id, \
             Ending::Stopped, now)`.",
        ],
    },
];
