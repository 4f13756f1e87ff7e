//! Version 1's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v1-E1",
        title: "prepare the context",
        hints: [
            "The guest was linked to run at a certain address, with a stack at another. Who tells \
             the CPU? And what would the guest see in RBX if you did not care?",
            "`Boot` holds four values for this vCPU; each has its place in `Context`. Everything \
             else in `Context` has a fixed value, and the documentation of `prepare` lists them.",
            "Begin with nothing: `*context = Context::new(context.space.memory.clone())` clears \
             everything and keeps the memory. Then set RIP, RSP and RDI; the page tables go in by \
             `context.space.set_root(boot.root)`, which also forgets old translations.",
        ],
    },
    Exercise {
        name: "v1-E2",
        title: "enter and dispatch",
        hints: [
            "After `enter` comes back you hold a trap. Which traps mean that the guest wants \
             something, and which only that you should look at the clock and the kick again?",
            "`pass` makes one entry and says what is next; `run` repeats `pass` until that is \
             `Next::Exit`. Follow one `out` of the guest through both, with your finger.",
            "In `pass`: `kick.take()`, then `time_left`, then `before_enter`, then \
             `pcpu.enter(limit.of(budget))`; `Budget` and `Kicked` become `Next::Resume`, all else \
             goes to `on_trap`. In `run`: a `while let Next::Raise` around `deliver`.",
        ],
    },
    Exercise {
        name: "v1-E3",
        title: "the timer's exit loses nothing",
        hints: [
            "At `until` the host wants its CPU back. How many instructions may the guest run \
             until then, if one instruction takes one tick? And if the moment has come already?",
            "Two places: `time_left` makes a budget of a deadline, `Exit::Deadline` in the monitor \
             makes the next deadline. Look at what `HostTimer::tick` returns, and at what the \
             deadline is before and after it was called.",
            "`until.since(now)` is the budget; 0 of it means `Exit::Deadline` without an \
             entry. In the monitor call `host.tick(pcpu.now)`, and end with `Ending::OutOfTime` \
             when it says `Tick::LimitReached`.",
        ],
    },
    Exercise {
        name: "v1-E4",
        title: "port access",
        hints: [
            "RAX holds 64 bits, `out dx, al` names 8 of them. Which does the device get? And after \
             `in al, dx`, what has become of the other 56?",
            "`out`: read RAX in the instruction's size, move RIP past it, exit. `in`: exit first, \
             and remember what `finish_port_read` will need: the size and the length. \
             `Registers::read` and `Registers::write` know the rules of the widths.",
            "`context.registers.read(Gpr::Rax, size)` for `out`; \
             `context.registers.write(Gpr::Rax, size, value)` and then `context.rip += length` \
             for the answer. The monitor hands the exit's port, size and value to the bus, and \
             ends with the code that `write_port` gives back.",
        ],
    },
    Exercise {
        name: "v1-E5",
        title: "halt",
        hints: [
            "A CPU that executes `hlt` waits for an interrupt. Which one could come, in this version?",
            "The instruction is over when the guest halts: where does RIP point then? And what does \
             the monitor say about a guest that will never wake?",
            "Add the length to RIP and exit with `Exit::Halted`; the monitor breaks with \
             `Ending::Halted`. `Ending::Exited(0)` is only for a guest that said so at the exit port.",
        ],
    },
    Exercise {
        name: "v1-E6",
        title: "refuse what this version does not support",
        hints: [
            "The guest does something that you have no code for. What would happen to it if you \
             went on all the same? What would happen to the host if you panicked?",
            "The trap as it came is the best report there is: `Exit::Unsupported` carries it. Leave \
             the context as it is, so that RIP shows the instruction that could not go on.",
            "`refuse` is one line: `Next::Exit(Exit::Unsupported(trap))`. The monitor's last arm \
             breaks with `Ending::Died(exit)`.",
        ],
    },
];
