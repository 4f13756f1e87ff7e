//! `exceptions`: a kernel that commits every crime and lives.
//!
//! It divides by zero, executes `ud2` and `int3`, and touches addresses that
//! are not canonical or not mapped. For each there is a handler, which prints
//! what the CPU tells about it: the vector, the error code, for a page fault
//! the address in CR2. A *fault* is reported before its instruction, so the
//! handler has to move RIP over it; `int3` is a *trap*, reported behind it.
//!
//! Some of the gates are interrupt gates, which close interrupts, and some are
//! trap gates, which do not. To see the interrupt flag without `pushf`, the
//! handler executes `ud2` itself, and finds its own flags in the frame that
//! this exception pushes.

use crate::asm::{Asm, DynamicLabel};
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::{
    BREAKPOINT, DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT,
};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, INTERRUPT_FLAG, frame, has_error_code};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "exceptions",
    about: "raises exceptions of five kinds, and prints what its handlers are told",
    vcpus: 1,
    build,
    expected,
};

/// One exception that the guest raises on purpose.
#[derive(Debug, Clone, Copy)]
struct Deed {
    kind: Kind,
    /// The address that it touches, if it touches one.
    address: u64,
    /// Whether interrupts are open when it happens.
    open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DivideByZero,
    Undefined,
    Breakpoint,
    /// A load from an address that no page table can map.
    NonCanonical,
    /// A load and a store where nothing is mapped.
    Load,
    Store,
}

const KINDS: [Kind; 6] = [
    Kind::DivideByZero,
    Kind::Undefined,
    Kind::Breakpoint,
    Kind::NonCanonical,
    Kind::Load,
    Kind::Store,
];

const VECTORS: [u8; 5] = [
    DIVIDE_ERROR,
    BREAKPOINT,
    INVALID_OPCODE,
    GENERAL_PROTECTION,
    PAGE_FAULT,
];

impl Kind {
    fn vector(self) -> u8 {
        match self {
            Kind::DivideByZero => DIVIDE_ERROR,
            Kind::Undefined => INVALID_OPCODE,
            Kind::Breakpoint => BREAKPOINT,
            Kind::NonCanonical => GENERAL_PROTECTION,
            Kind::Load | Kind::Store => PAGE_FAULT,
        }
    }

    /// Bit 1 of a page fault's error code says that it was a write. (Bit 0 is 0
    /// if nothing is mapped, bit 2 is 0 in kernel mode.)
    fn error_code(self) -> u64 {
        match self {
            Kind::Store => 0b010,
            _ => 0,
        }
    }
}

/// The deeds of a seed: each kind twice, in some order.
fn deeds(seed: u64) -> Vec<Deed> {
    let mut random = Random::new(seed);
    let mut kinds: Vec<Kind> = KINDS.into_iter().chain(KINDS).collect();
    for place in (1..kinds.len()).rev() {
        kinds.swap(place, random.between(0, place as u64 + 1) as usize);
    }
    let deed = |kind| Deed {
        kind,
        address: match kind {
            Kind::NonCanonical => 1 << 47 | random.next() >> 17,
            // Behind the 4 GiB of the boot page tables, below the hole.
            _ => random.between(1 << 32, 1 << 46) & !7,
        },
        open: random.next() & 1 == 1,
    };
    kinds.into_iter().map(deed).collect()
}

/// The kind of gate for each of the [`VECTORS`]. That of #UD must close
/// interrupts, since a handler learns its flag from it.
fn gates(seed: u64) -> [Gate; VECTORS.len()] {
    let mut random = Random::new(!seed);
    VECTORS.map(|vector| match random.next() & 1 {
        1 if vector != INVALID_OPCODE => Gate::Trap,
        _ => Gate::Interrupt,
    })
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        for variable in ["length", "probing", "probed"] {
            asm.words(variable, &[0]);
        }
        let labels = VECTORS.map(|_| asm.new_label());
        for ((vector, kind), label) in VECTORS.into_iter().zip(gates(seed)).zip(labels) {
            interrupts::gate(asm, vector, kind, label);
        }
        interrupts::load(asm, FULL_LIMIT);
        for deed in deeds(seed) {
            commit(asm, deed);
        }
        console::text(asm, GOODBYE);
        program::exit(asm, 0);
        for (vector, label) in VECTORS.into_iter().zip(labels) {
            handler(asm, vector, label);
        }
    })
}

const GOODBYE: &str = "exceptions: still alive\n";

/// Does one deed. The length of its instruction goes into `length`, for the
/// handler to skip. No timer runs, so it does no harm to open interrupts.
fn commit(asm: &mut Asm, deed: Deed) {
    let (begin, end) = (asm.new_label(), asm.new_label());
    if deed.kind == Kind::Breakpoint {
        x64!(asm ; mov DWORD [->length], 0);
    } else {
        x64!(asm
            ; lea rax, [=>end]
            ; lea rcx, [=>begin]
            ; sub rax, rcx
            ; mov [->length], rax
        );
    }
    x64!(asm
        ; mov rbx, QWORD deed.address as i64
        ; mov eax, 1
        ; xor edx, edx
        ; xor ecx, ecx
    );
    match deed.open {
        true => x64!(asm ; sti),
        false => x64!(asm ; cli),
    }
    x64!(asm ; nop ; =>begin);
    match deed.kind {
        Kind::DivideByZero => x64!(asm ; div ecx),
        Kind::Undefined => x64!(asm ; ud2),
        Kind::Breakpoint => x64!(asm ; int3),
        Kind::NonCanonical | Kind::Load => x64!(asm ; mov rax, [rbx]),
        Kind::Store => x64!(asm ; mov [rbx], rax),
    }
    x64!(asm ; =>end ; cli);
}

/// The handler of one vector.
fn handler(asm: &mut Asm, vector: u8, label: DynamicLabel) {
    let done = asm.new_label();
    interrupts::handler(asm, &format!("vector_{vector}"), label, vector, |asm| {
        if vector == INVALID_OPCODE {
            answer_probe(asm, done);
        }
        probe(asm);
        print(asm, vector);
        x64!(asm
            ; mov rax, [->length]
            ; add [rbp + frame::RIP], rax
            ; =>done
        );
    });
}

/// Finds out this handler's own interrupt flag: it goes into `probed`.
fn probe(asm: &mut Asm) {
    x64!(asm
        ; mov DWORD [->probing], 1
        ; ud2                           // comes back through `answer_probe`
        ; mov DWORD [->probing], 0
    );
}

/// In the handler of #UD: if it was a probe, keeps the flags that were found,
/// and is done.
fn answer_probe(asm: &mut Asm, done: DynamicLabel) {
    x64!(asm
        ; cmp DWORD [->probing], 0
        ; je >not_a_probe
        ; mov rax, [rbp + frame::RFLAGS]
        ; mov [->probed], rax
        ; add QWORD [rbp + frame::RIP], 2
        ; jmp =>done
        ; not_a_probe:
    );
}

fn print(asm: &mut Asm, vector: u8) {
    console::text(asm, "exceptions: vector ");
    x64!(asm ; mov rax, [rbp + frame::VECTOR]);
    console::decimal(asm);
    if has_error_code(vector) {
        console::text(asm, ", error code ");
        x64!(asm ; mov rax, [rbp + frame::ERROR_CODE]);
        console::hexadecimal(asm, 2);
    }
    if vector == PAGE_FAULT {
        console::text(asm, ", address ");
        x64!(asm ; mov rax, cr2);
        console::hexadecimal(asm, 16);
    }
    console::text(asm, ", IF was ");
    x64!(asm ; mov rax, [rbp + frame::RFLAGS]);
    interrupt_flag(asm);
    console::text(asm, " and is ");
    x64!(asm ; mov rax, [->probed]);
    interrupt_flag(asm);
    console::text(asm, "\n");
}

/// Prints the interrupt flag of the flags in RAX.
fn interrupt_flag(asm: &mut Asm) {
    x64!(asm ; shr eax, INTERRUPT_FLAG ; and eax, 1);
    console::decimal(asm);
}

fn expected(seed: u64) -> Expected {
    let gates = gates(seed);
    let line = |deed: Deed| {
        let vector = deed.kind.vector();
        let gate = VECTORS.iter().position(|&other| other == vector);
        let gate = gates[gate.expect("every kind has a gate")];
        let mut line = format!("exceptions: vector {vector}");
        if has_error_code(vector) {
            line += &format!(", error code {:#04x}", deed.kind.error_code());
        }
        if vector == PAGE_FAULT {
            line += &format!(", address {:#018x}", deed.address);
        }
        let was = u8::from(deed.open);
        let is = if gate == Gate::Trap { was } else { 0 };
        line + &format!(", IF was {was} and is {is}\n")
    };
    let lines: String = deeds(seed).into_iter().map(line).collect();
    Expected::exit(lines + GOODBYE, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_tried_with_every_seed() {
        for seed in 0..100 {
            let deeds = deeds(seed);
            let tried = |kind| deeds.iter().filter(|deed| deed.kind == kind).count();
            assert!(KINDS.into_iter().all(|kind| tried(kind) == 2));
        }
    }

    #[test]
    fn some_seeds_show_a_trap_gate_with_interrupts_open() {
        let shows = |seed| {
            let console = String::from_utf8(expected(seed).console).unwrap();
            console.contains("IF was 1 and is 1")
        };
        assert!((0..10).any(shows));
    }
}
