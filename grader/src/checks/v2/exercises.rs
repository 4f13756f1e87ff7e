//! Version 2's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v2-E1",
        title: "the handler table",
        hints: [
            "The guest told the CPU where its table is, by `lidt`. At which byte of it does the \
             gate of vector 6 begin, and does all of it lie within the limit?",
            "Read the sixteen bytes as two words of eight. The handler's address is in three \
             pieces, since the gate grew with the architecture: 16 bits, 16 bits, 32 bits. Check \
             in the manual's order: the limit, the type, whether it is present, the address.",
            "`handlers.address(vector * 16, 16)` or #GP(error_code); `low >> 40 & 0x1f` is the type \
             with bit 4; `low >> 47 & 1` is present, else #NP(error_code); the handler is \
             `low & 0xffff | low >> 32 & 0xffff_0000 | high << 32`.",
        ],
    },
    Exercise {
        name: "v2-E2",
        title: "the interrupt flag and the shadow of sti",
        hints: [
            "A kernel says `sti; hlt` and wants to be woken *from* the `hlt`. What would happen if \
             the interrupt were taken between the two?",
            "Two bits: is the flag set, and is the next instruction still in the shadow? What does \
             each of `cli` and `sti` do to each of them, and what does a second `sti` do?",
            "`sti`: `shadow = !open`, then `open = true`. `cli`: both false.",
        ],
    },
    Exercise {
        name: "v2-E3",
        title: "inject: gate, frame, handler",
        hints: [
            "When a handler begins, where does it find out what it interrupted? And what must the \
             flags in there say about interrupts: what they are now, or what they were?",
            "`Frame::push` writes SS, RSP, RFLAGS, CS, RIP and perhaps an error code, downwards \
             from a stack aligned to 16 bytes. `enter_handler` collects them *before* it changes \
             anything, so that a fault on the way leaves the guest as it was.",
            "`top = stack & !0xf`; for each slot `top -= 8` and write it, mapping the fault by \
             `on_the_stack`; RSP last. In `enter_handler`: gate, `kernel_code`, `stack_of`, frame, \
             push, then RIP, CS, and `close()` for an interrupt gate. `can_inject` is \
             `open && !shadow && injected.is_none()`.",
        ],
    },
    Exercise {
        name: "v2-E4",
        title: "a masked interrupt is held, not lost",
        hints: [
            "When the timer is due and IF is 0, what must be remembered, by whom, and until when?",
            "The APIC remembers, as long as nobody acknowledges. Follow one tick from \
             `apic.advance` to the handler: who may clear the request, and who makes sure that \
             somebody looks again as soon as the guest opens interrupts?",
            "Monitor: `advance`, and for a `pending()` vector `pcpu.inject`; only if that is `Ok`, \
             `acknowledge`; then `want_window(apic.pending().is_some())`. Virtual CPU: take \
             `injected` first, then grant the window if `can_inject()`, then use up the shadow \
             with one instruction.",
        ],
    },
    Exercise {
        name: "v2-E5",
        title: "return from the handler",
        hints: [
            "`iretq` undoes what entering the handler did. Which five things were changed, and \
             which of them does the raw CPU know nothing of?",
            "Look first, then act: if the code segment or the address is bad, the fault must find \
             the handler as it was before `iretq`.",
            "`self.kernel_code(context, frame.cs)?`, `is_canonical(frame.rip)` or #GP(0), then \
             `self.resume_at(context, frame)`.",
        ],
    },
    Exercise {
        name: "v2-E6",
        title: "double and triple faults",
        hints: [
            "The gate of #UD is not present. What does the guest get instead of #UD? And if the \
             gate of *that* is not present either?",
            "Three cases, in this order: something went wrong with #DF (the end), with a fault of a \
             class that the table turns into #DF, or with anything else (the new fault takes its \
             place). An interrupt is benign.",
            "`Event::Interrupt` gives `Raise(fault)`. For `first == DoubleFault` fill \
             `chain.third` and exit with `Shutdown(chain)`. If `makes_double_fault(first, fault)` \
             keep `Chain { first, second: Some(fault), third: None }` and raise `DoubleFault`. \
             Contributory are the vectors 0 and 10 to 13.",
        ],
    },
    Exercise {
        name: "v2-E7",
        title: "idle: sleep until the next tick",
        hints: [
            "The guest does nothing until its timer is due. So what is there to wait for, when \
             nothing but virtual time goes on?",
            "Nobody runs, so you move the clock: `pcpu.now` goes to the APIC's deadline, but not \
             past the host's, which must be told. Two sleepers never wake: which?",
            "A loop: `apic.advance(now)`; halted for ever if `!vcpu.can_inject()`, or if nothing is \
             pending and the deadline is `Time::NEVER`; go on if something is pending; else \
             `now = max(now, min(apic deadline, host deadline))` and `host.tick(now)`.",
        ],
    },
];
