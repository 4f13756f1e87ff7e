//! Version 3's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they stand in the sources' documentation.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v3-E1",
        title: "the mode and its view of memory",
        hints: [
            "The raw CPU runs kernel and user code alike. If nobody told it which of the two it \
             is, could user code read a page that is the kernel's?",
            "The context's memory has a view, and there are two of them. The mode is nothing else: \
             `Mode::of` reads it back from there.",
            "`context.space.view = match self { Mode::Kernel => View::Kernel, … }`.",
        ],
    },
    Exercise {
        name: "v3-E2",
        title: "the machine-specific registers and swapgs",
        hints: [
            "ECX names a register; where is its value? Two of these registers the raw CPU has \
             itself: which?",
            "Decide in this order: must it be an address, and is it canonical? Does the register \
             exist? May this bit change? Only then change anything.",
            "`value = RDX << 32 | RAX & 0xffff_ffff`. FS_BASE and GS_BASE go to `context`, the \
             others to `self`; EFER may only change SYSCALL_ENABLE. `swap_gs` is a `mem::swap` of \
             `kernel_gs_base` and `context.gs_base`.",
        ],
    },
    Exercise {
        name: "v3-E3",
        title: "forward a system call, and return from it",
        hints: [
            "`syscall` uses no stack. So where is the way back, and where are the flags? And which \
             instruction should the user go on with?",
            "`enter` and `leave` are mirror images: RCX and RIP, R11 and the flags, STAR's two \
             halves, the mode. One of them also clears flags: which, and who chose them?",
            "`enter`: RCX = rip + length, R11 = flags, RIP = LSTAR, `set_flags(flags & !fmask)`, CS \
             = STAR bits 32-47, SS 8 more, `Mode::Kernel`. `leave`: RIP = RCX if canonical, flags = \
             R11 & RETURNED, CS = STAR bits 48-63 + 16 | 3, SS + 8 | 3, `Mode::User`.",
        ],
    },
    Exercise {
        name: "v3-E4",
        title: "interrupts and exceptions from user mode",
        hints: [
            "User code may set its stack pointer to anything. Should the kernel's handler push its \
             frame there? And in whose view of memory would that write happen?",
            "Remember the mode that was interrupted, go to the kernel's view, then let version 2 do \
             its work with a `stack_of` that knows the TSS. What if that fails half-way?",
            "`Mode::Kernel.enter` first; in `stack_of` the current RSP for `(Mode::Kernel, 0)`, \
             else `task.stack(context, gate)`; on success from user mode `ss = 0`; on failure \
             `interrupted.enter(context)`. In the TSS: RSP0 at 4, IST n at 36 + 8 (n - 1), and \
             `offset + 7` within the limit or #TS.",
        ],
    },
    Exercise {
        name: "v3-E5",
        title: "iretq to user mode",
        hints: [
            "How does `iretq` know where it goes: to the kernel or to user code? Where does the \
             frame say so?",
            "Four cases, by the mode now and the mode of the frame's code segment. One of them is \
             version 2's, one is forbidden, and in one the flags are not the user's to set.",
            "`match (Mode::of(context), Mode::of_selector(frame.cs))`; (Kernel, Kernel) is \
             `self.below.return_to`; (User, Kernel) is #GP(cs & !3); for the others \
             `user_segments`, `is_canonical`, `self.below.resume_at`, and last `Mode::User.enter`.",
        ],
    },
    Exercise {
        name: "v3-E6",
        title: "keep user mode out",
        hints: [
            "Who should be told when a user thread executes `hlt`: the monitor, or the guest's own \
             kernel? What would a real CPU do?",
            "Write the list of what user code *may* do; all the rest is one line. Careful with \
             `popf`: user code changes flags with it, but not this one.",
            "`Pushf` goes to `self.below.emulate`; `Popf` reads `popped_flags`, passes them through \
             `user_flags`, and ends with `pop_flags`; loading and storing segments go to \
             `self.emulate`; everything else is `Err(Fault::GeneralProtection(0))`.",
        ],
    },
];
