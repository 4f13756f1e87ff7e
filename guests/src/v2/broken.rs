//! Guests whose handler table or stack is broken in a way that no handler can
//! make good. Each ends in a triple fault; which three exceptions led to it is
//! part of what the architecture prescribes, and of the model.
//!
//! As the hostile guests of version 1, they announce themselves, the fatal
//! instruction stands at the symbol `deed`, and a guest that survives says so.

use crate::asm::{Asm, DynamicLabel};
use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::interrupts::vector::{
    DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_OPCODE, NOT_PRESENT, PAGE_FAULT,
};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, KERNEL_CODE};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 6] = [
    Guest {
        name: "broken-idt-limit",
        about: "loads a handler table that ends one byte before the end of the gate it needs",
        vcpus: 1,
        build: |_| build_idt_limit(),
        expected: |_| death("broken-idt-limit", [GENERAL_PROTECTION; 3]),
    },
    Guest {
        name: "broken-selector",
        about: "has handlers for everything, in a code segment that does not exist",
        vcpus: 1,
        build: build_selector,
        expected: |_| death("broken-selector", [GENERAL_PROTECTION; 3]),
    },
    Guest {
        name: "broken-handler-non-canonical",
        about: "has one handler, at an address that is not canonical",
        vcpus: 1,
        build: |seed| build_handler("broken-handler-non-canonical", non_canonical(seed)),
        expected: |_| {
            death(
                "broken-handler-non-canonical",
                [GENERAL_PROTECTION, NOT_PRESENT, NOT_PRESENT],
            )
        },
    },
    Guest {
        name: "broken-handler-unmapped",
        about: "has one handler, at an address where nothing is mapped",
        vcpus: 1,
        build: |seed| build_handler("broken-handler-unmapped", unmapped(seed)),
        expected: |_| {
            death(
                "broken-handler-unmapped",
                [PAGE_FAULT, NOT_PRESENT, NOT_PRESENT],
            )
        },
    },
    Guest {
        name: "broken-stack",
        about: "has good handlers, and a stack where nothing is mapped",
        vcpus: 1,
        build: build_stack,
        expected: |_| death("broken-stack", [PAGE_FAULT; 3]),
    },
    Guest {
        name: "ud2-in-handler",
        about: "has a handler of #UD that executes ud2, until the stack is used up",
        vcpus: 1,
        build: build_recursion,
        expected: expected_recursion,
    },
];

/// The vectors that play a part, all of them with good handlers if nothing else
/// is said.
const VECTORS: [u8; 5] = [
    INVALID_OPCODE,
    DOUBLE_FAULT,
    NOT_PRESENT,
    GENERAL_PROTECTION,
    PAGE_FAULT,
];

/// An address behind the 4 GiB of the boot page tables.
fn unmapped(seed: u64) -> u64 {
    Random::new(seed).between(1 << 32, 1 << 46) & !0xf
}

/// An address whose bit 47 is set while the bits above are not.
fn non_canonical(seed: u64) -> u64 {
    1 << 47 | Random::new(seed).next() >> 17
}

fn announcement(name: &str) -> String {
    format!("{name}: about to do it\n")
}

fn death(name: &str, faults: [u8; 3]) -> Expected {
    Expected {
        console: announcement(name).into_bytes(),
        ending: Ending::TripleFault(faults),
    }
}

/// A guest that announces itself, does what `prepare` emits, and executes
/// `ud2`. The label given to `prepare` is a handler that says that the guest
/// is alive and ends it.
fn deed(name: &str, prepare: impl FnOnce(&mut Asm, DynamicLabel)) -> Image {
    kernel::build(|asm| {
        let survivor = asm.new_label();
        console::text(asm, &announcement(name));
        prepare(asm, survivor);
        x64!(asm ; ->deed: ; ud2 ; =>survivor);
        console::text(asm, &format!("{name}: still alive\n"));
        program::exit(asm, SURVIVED);
    })
}

/// Fills all gates with good handlers.
fn good_gates(asm: &mut Asm, handler: DynamicLabel) {
    for vector in VECTORS {
        interrupts::gate(asm, vector, Gate::Interrupt, handler);
    }
}

/// The gates of #GP and #DF lie behind the limit, too.
fn build_idt_limit() -> Image {
    deed("broken-idt-limit", |asm, handler| {
        good_gates(asm, handler);
        interrupts::load(asm, 16 * u16::from(INVALID_OPCODE) + 14);
    })
}

/// The selector lies behind the end of the GDT.
fn build_selector(seed: u64) -> Image {
    let selector = 8 * Random::new(seed).between(0x100, 0x1000) as u16 + 0x800;
    deed("broken-selector", |asm, handler| {
        for vector in VECTORS {
            x64!(asm ; lea rax, [=>handler]);
            interrupts::gate_to_rax(asm, vector, Gate::Interrupt, selector);
        }
        interrupts::load(asm, FULL_LIMIT);
    })
}

fn build_handler(name: &str, address: u64) -> Image {
    deed(name, |asm, _| {
        x64!(asm ; mov rax, QWORD address as i64);
        interrupts::gate_to_rax(asm, INVALID_OPCODE, Gate::Interrupt, KERNEL_CODE);
        interrupts::load(asm, FULL_LIMIT);
    })
}

fn build_stack(seed: u64) -> Image {
    deed("broken-stack", |asm, handler| {
        good_gates(asm, handler);
        interrupts::load(asm, FULL_LIMIT);
        x64!(asm ; mov rsp, QWORD unmapped(seed) as i64);
    })
}

/// Where the stack begins that `ud2-in-handler` uses up: in the first page of
/// memory, so that it soon reaches address 0. The next push goes to the end of
/// the address space, where nothing is mapped.
fn short_stack(seed: u64) -> u64 {
    Random::new(seed).between(0x100, 0x1000)
}

/// The handler prints a dot, without the stack, and executes `ud2` again. All
/// other handlers are good, but there is no stack left to enter them with.
fn build_recursion(seed: u64) -> Image {
    deed("ud2-in-handler", |asm, survivor| {
        let handler = asm.new_label();
        good_gates(asm, survivor);
        interrupts::gate(asm, INVALID_OPCODE, Gate::Interrupt, handler);
        interrupts::load(asm, FULL_LIMIT);
        x64!(asm
            ; mov esp, short_stack(seed) as i32
            ; jmp ->deed
            ; .align 16
            ; ->invalid_opcode:
            ; =>handler
            ; mov edx, i32::from(console::COM1)
            ; mov al, b'.' as i8
            ; out dx, al
            ; ud2
        );
    })
}

/// Each exception aligns the stack to 16 bytes and pushes five words.
fn expected_recursion(seed: u64) -> Expected {
    let mut expected = death("ud2-in-handler", [PAGE_FAULT; 3]);
    let mut stack = short_stack(seed);
    while let Some(next) = (stack & !0xf).checked_sub(5 * 8) {
        expected.console.push(b'.');
        stack = next;
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guest_has_its_deed_marked() {
        for guest in GUESTS {
            let image = guest.build(1);
            assert!(image.symbol("deed").is_some(), "{} has no deed", guest.name);
        }
    }

    #[test]
    fn the_recursion_ends_within_the_first_page() {
        for seed in 0..1000 {
            let dots = expected_recursion(seed).console;
            let dots = dots.iter().filter(|&&byte| byte == b'.').count() as u64;
            assert!((5..=0x1000 / 48 + 1).contains(&dots), "{dots}");
        }
    }
}
