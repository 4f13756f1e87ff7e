//! Guests whose task state segment is broken. In kernel mode nobody notices;
//! but from user mode no handler can be entered without the stack that it names,
//! and so the first exception there ends the machine.

use crate::asm::Asm;
use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::interrupts::vector::{
    DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_OPCODE, INVALID_TSS, NOT_PRESENT, PAGE_FAULT,
};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::kernel::{self, paging, segments, user};
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 3] = [
    Guest {
        name: "broken-tss-stack",
        about: "has a TSS that names a stack where nothing is mapped",
        vcpus: 1,
        build: build_stack,
        expected: |_| death("broken-tss-stack", PAGE_FAULT),
    },
    Guest {
        name: "broken-tss-limit",
        about: "has a TSS that ends before the field that names the stack",
        vcpus: 1,
        build: |_| build_limit(),
        expected: |_| death("broken-tss-limit", INVALID_TSS),
    },
    Guest {
        name: "broken-tss-missing",
        about: "enters user mode without ever having loaded a TSS",
        vcpus: 1,
        build: |_| deed("broken-tss-missing", |_| {}),
        expected: |_| death("broken-tss-missing", INVALID_TSS),
    },
];

const VECTORS: [u8; 6] = [
    INVALID_OPCODE,
    DOUBLE_FAULT,
    INVALID_TSS,
    NOT_PRESENT,
    GENERAL_PROTECTION,
    PAGE_FAULT,
];

fn announcement(name: &str) -> String {
    format!("{name}: entering user mode\n")
}

fn death(name: &str, fault: u8) -> Expected {
    Expected {
        console: announcement(name).into_bytes(),
        ending: Ending::TripleFault([fault; 3]),
    }
}

fn build_stack(seed: u64) -> Image {
    let nowhere = Random::new(seed).between(1 << 32, 1 << 46) & !0xf;
    deed("broken-tss-stack", |asm| {
        segments::load_task(asm, segments::FULL_TSS);
        x64!(asm ; mov rax, QWORD nowhere as i64);
        segments::set_kernel_stack(asm);
    })
}

/// RSP0 takes the bytes 4 to 11; the last one is missing.
fn build_limit() -> Image {
    deed("broken-tss-limit", |asm| {
        segments::load_task(asm, 10);
    })
}

/// A guest that prepares user mode, does what `task` emits, enters user mode
/// and executes `ud2` there. All handlers are good: they say that the guest is
/// alive.
fn deed(name: &str, task: impl FnOnce(&mut Asm)) -> Image {
    kernel::build(|asm| {
        let survivor = asm.new_label();
        for vector in VECTORS {
            interrupts::gate(asm, vector, Gate::Interrupt, survivor);
        }
        interrupts::load(asm, FULL_LIMIT);
        segments::load(asm);
        paging::load(asm, 1);
        task(asm);
        console::text(asm, &announcement(name));
        x64!(asm
            ; lea rax, [->user_code]
            ; lea rdx, [->user_memory + paging::PAGE as isize]
        );
        user::enter(asm);
        x64!(asm ; =>survivor);
        console::text(asm, &format!("{name}: still alive\n"));
        program::exit(asm, SURVIVED);
        x64!(asm
            ; .align paging::PAGE
            ; ->user_code:
            ; ->deed:
            ; ud2
            ; .align paging::PAGE
            ; ->user_code_end:
        );
        asm.zeroed("user_text", paging::PAGE, paging::PAGE);
        paging::user_memory(asm, 1);
    })
}
