//! `no-gate`, `no-gate-at-all` and `double-fault`: events without a handler.
//!
//! A gate that is not present is itself an exception, #NP. So the first guest,
//! which has a handler for #NP and for nothing else, learns of each event that
//! went nowhere by the error code of #NP, which holds the vector. Without a
//! handler for #NP, its own gate is the next that is missing, and that is a
//! double fault, which the third guest handles. The second has no handler at
//! all: the third failure in a row, and the CPU shuts down (a *triple fault*).

use crate::asm::Asm;
use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::vector::{DOUBLE_FAULT, INVALID_OPCODE, NOT_PRESENT};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 3] = [
    Guest {
        name: "no-gate",
        about: "takes exceptions and ticks whose gates are not present, and handles #NP",
        vcpus: 1,
        build: build_no_gate,
        expected: expected_no_gate,
    },
    Guest {
        name: "no-gate-at-all",
        about: "takes an exception without a handler for it, for #NP or for #DF",
        vcpus: 1,
        build: |_| build_no_gate_at_all(),
        expected: |_| Expected {
            console: NO_GATE_AT_ALL.into(),
            ending: Ending::TripleFault([NOT_PRESENT; 3]),
        },
    },
    Guest {
        name: "double-fault",
        about: "takes an exception without a handler for it or for #NP, and handles #DF",
        vcpus: 1,
        build: |_| build_double_fault(),
        expected: |_| {
            let console = format!("{DOUBLE_FAULT_BEGIN}double-fault: {DOUBLE_FAULT_REPORT}\n");
            Expected::exit(console, 0)
        },
    },
];

/// What happens to `no-gate`, in order: `true` is a tick, `false` is `ud2`.
fn events(seed: u64) -> Vec<bool> {
    let mut random = Random::new(seed);
    let some = (0..random.between(2, 6)).map(|_| random.next() & 1 == 1);
    let mut events: Vec<bool> = some.collect();
    events.extend([true, false]);
    events
}

fn build_no_gate(seed: u64) -> Image {
    kernel::build(|asm| {
        let not_present = asm.new_label();
        asm.words("events", &[0]);
        asm.words("length", &[0]);
        interrupts::gate(asm, NOT_PRESENT, Gate::Interrupt, not_present);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::OneShot, TICK);
        for tick in events(seed) {
            if tick {
                await_tick(asm);
            } else {
                x64!(asm ; mov DWORD [->length], 2 ; ud2);
            }
        }
        program::exit(asm, 0);
        interrupts::handler(asm, "not_present", not_present, NOT_PRESENT, report);
    })
}

/// Starts the timer and waits for the handler.
fn await_tick(asm: &mut Asm) {
    x64!(asm
        ; mov DWORD [->length], 0
        ; mov ebx, [->events]
    );
    apic::start_timer(asm);
    x64!(asm
        ; sti
        ; wait:
        ; cmp ebx, [->events]
        ; je <wait
        ; cli
    );
}

/// Says which gate is missing. Bits 3 and up of the error code are its number,
/// bit 1 says that it belongs to the IDT. (Bit 0 would say that the event came
/// from outside; QEMU never sets it.) Then it skips the `length` of the
/// instruction, if it was one. A tick is in service although nobody served it,
/// so it has to be ended; where nothing is in service, to end it does no harm.
fn report(asm: &mut Asm) {
    x64!(asm ; inc DWORD [->events]);
    console::text(asm, "no-gate: no gate for vector ");
    x64!(asm
        ; mov rax, [rbp + frame::ERROR_CODE]
        ; shr eax, 3
    );
    console::decimal(asm);
    x64!(asm ; test BYTE [rbp + frame::ERROR_CODE], 2 ; jz >elsewhere);
    console::text(asm, " in the IDT");
    x64!(asm ; elsewhere:);
    console::text(asm, "\n");
    x64!(asm
        ; mov rax, [->length]
        ; add [rbp + frame::RIP], rax
    );
    apic::end_of_interrupt(asm);
}

fn expected_no_gate(seed: u64) -> Expected {
    let line = |tick: bool| {
        let vector = if tick { TIMER_VECTOR } else { INVALID_OPCODE };
        format!("no-gate: no gate for vector {vector} in the IDT\n")
    };
    Expected::exit(events(seed).into_iter().map(line).collect(), 0)
}

const NO_GATE_AT_ALL: &str = "no-gate-at-all: about to do it\n";

fn build_no_gate_at_all() -> Image {
    kernel::build(|asm| {
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, NO_GATE_AT_ALL);
        x64!(asm ; ->deed: ; ud2);
        console::text(asm, "no-gate-at-all: still alive\n");
        program::exit(asm, SURVIVED);
    })
}

const DOUBLE_FAULT_BEGIN: &str = "double-fault: about to do it\n";
const DOUBLE_FAULT_REPORT: &str = "handled, error code 0x0";

/// A double fault is an *abort*: where it happened is not to be trusted, so its
/// handler does not return.
fn build_double_fault() -> Image {
    kernel::build(|asm| {
        let double_fault = asm.new_label();
        interrupts::gate(asm, DOUBLE_FAULT, Gate::Interrupt, double_fault);
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, DOUBLE_FAULT_BEGIN);
        x64!(asm ; ->deed: ; ud2);
        console::text(asm, "double-fault: still alive\n");
        program::exit(asm, SURVIVED);
        interrupts::handler(asm, "double_fault", double_fault, DOUBLE_FAULT, |asm| {
            console::text(asm, "double-fault: handled, error code ");
            x64!(asm ; mov rax, [rbp + frame::ERROR_CODE]);
            console::hexadecimal(asm, 1);
            console::text(asm, "\n");
            program::exit(asm, 0);
        });
    })
}
