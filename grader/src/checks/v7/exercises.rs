//! Version 7's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v7-E1",
        title: "a vCPU's turn",
        hints: [
            "A vCPU comes onto a physical CPU. What may have happened to its machine, and to \
             itself, while it was away? In which order do you ask, if one answer can change the \
             next?",
            "Three looks: the machine's ending, the letter box, the sleep. Who looks is awake, \
             and says so before it takes a letter. The four kinds of `Sleep` are four answers; two \
             of them concern the siblings, too. In `serve`, whatever \
             ends the guest ends the machine, and only three exits are new.",
            "`if self.machine.ending().is_some()` ended as `Stopped`; `rouse`; `fetch_mail`; then \
             `processor.sleep(now)`: `Awake` is `None`, `Until(wake)` is asleep, \
             `UntilSomebodyElse` is `doze` and asleep until `Time::NEVER`, `ForEver` is `leave` and \
             ended. In `serve`: `access_memory` gives an IPI to `send`, and then fetch your own \
             mail; a `Break(ending)` of `on_exit` goes to `machine.stop`.",
        ],
    },
    Exercise {
        name: "v7-E2",
        title: "an interrupt from one vCPU to another",
        hints: [
            "The target may be running, waiting or asleep, on any physical CPU, and its APIC is \
             with it. Where do you put the vector so that it finds it? And when may you wake it: \
             before, or after?",
            "For every vCPU that `ipi.reaches`: first the letter, then the bell. The lock of the \
             box must be open when you call `wake`. And whoever fetches must leave an empty box: \
             what happens to a vector that stays in it?",
            "`for (vcpu, entry) in (0..).zip(self.entries())`: if `ipi.reaches(sender, vcpu)`, \
             `self.mail(vcpu).insert(ipi.vector)` as a statement of its own, so that the lock is \
             open behind it, then `peers.wake(*entry, now)`. Fetch: `std::mem::take` the set and \
             `apic.request` each.",
        ],
    },
    Exercise {
        name: "v7-E3",
        title: "when the machine stops, all its vCPUs do",
        hints: [
            "One vCPU writes to the exit port. A second one computes on another physical CPU, a \
             third sleeps for ever. How does each of them hear of it? And what if two vCPUs end \
             the machine at the same moment?",
            "They look for themselves when they are woken: so the ending must be there to be seen \
             before you wake anybody, and the lock of `life` open. In `leave` one is gone; whether \
             that was the last that mattered is `is_stuck`'s to say.",
            "`stop`: `self.life.lock().ending.get_or_insert(ending)`, then `peers.wake(*entry, \
             now)` for every entry. `leave`: under the lock `alive -= 1`, `dozing.remove(&vcpu)`, \
             `let stuck = self.is_stuck(&life)`; drop the lock; if stuck, `stop(Ending::Halted, \
             ..)`.",
        ],
    },
    Exercise {
        name: "v7-E4",
        title: "spin loops, and whom to yield to",
        hints: [
            "A vCPU says `pause` again and again. Whom does it wait for? You cannot know. But \
             which of its siblings could it be, and which not?",
            "One that runs is about to be done, one that sleeps holds no spin lock: those that \
             wait for a physical CPU are left, and `promote` says whether one of them is the next \
             to run now. If none is, what do you gain by yielding? And the filter that reports the \
             loop: who puts it into the context, and how often?",
            "`before_enter`: set `context.pause_filter` only if it is `None`. `on_trap`: \
             `Trap::SpinLoop => Next::Exit(Exit::SpinLoop)`. `on_spin`: for distances 1 to n-1, \
             `entries[(vcpu + distance) % n]`; yield if `any` of them can be promoted, and only \
             with `Mitigation::SpinExits`.",
        ],
    },
    Exercise {
        name: "v7-E5",
        title: "the yield port",
        hints: [
            "The guest names the vCPU that it waits for. What may it write there that is not true, \
             and what must come of that?",
            "`entries()` turns the number of a vCPU into one of the scheduler's; it is a slice, and \
             a guest's number is no index before you have looked. What if that vCPU runs, or \
             sleeps?",
            "`self.entries().get(holder as usize)`, and `is_some_and` it can be promoted, and only \
             with `Mitigation::YieldPort`.",
        ],
    },
    Exercise {
        name: "v7-E6",
        title: "co-scheduling",
        hints: [
            "One vCPU of a VM begins its slice. What should those of its siblings do that wait on \
             other physical CPUs? And what if one waits on this very one?",
            "`promote` each of them, and leave out the physical CPU `here`: a sibling that is \
             promoted here would take the place of the one that has just begun, which would \
             promote it in turn.",
            "With `Mitigation::CoScheduling`: `for (sibling, entry) in (0..).zip(self.entries())`, \
             if `sibling != vcpu`, `peers.promote(*entry, Some(here))`.",
        ],
    },
];
