//! Version 4's exercises, with their hints.

use crate::exercises::Exercise;

/// In the order in which they are done.
pub(super) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "v4-E1",
        title: "switch from one thread to another",
        hints: [
            "Two threads of a kernel are two stacks. If you exchange RSP, and then return: to whom \
             do you return? And which registers would the new thread miss?",
            "Push what a call must keep, put RSP into the old slot, take RSP from the new one, pop \
             in the reverse order. Between the two: which stack must the *next* interrupt from user \
             mode use, and which the next system call?",
            "`push rbx … push r15; mov [rdi + thread::STACK], rsp; mov rsp, [rsi + thread::STACK]; \
             mov rax, [rsi + thread::STACK_TOP]`, then `segments::set_kernel_stack(asm)` and \
             `user::set_kernel_stack(asm)`, then `pop r15 … pop rbx; ret`.",
        ],
    },
    Exercise {
        name: "v4-E2",
        title: "pick the next thread",
        hints: [
            "If you always begin at the start of the table, who gets the CPU, and who never does?",
            "Begin one slot behind the current one, wrap at the end, and look at as many slots as \
             there are: the last of them is the current one itself. What do you answer if none is \
             ready?",
            "`mov rax, rdi; mov ecx, CAPACITY; next: add rax, thread::SIZE`; at `->threads + end` \
             go to `->threads`; `cmp DWORD [rax + thread::STATE], thread::READY; je >found; dec \
             ecx; jnz <next; xor eax, eax; found: ret`.",
        ],
    },
];
