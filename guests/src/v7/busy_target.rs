//! `busy-target`: interrupts to vCPUs that compute, that have interrupts
//! closed, and that sleep.
//!
//! vCPU 0 sends to the three others, round by round, and waits each time until
//! all three have taken it.
//!
//! - vCPU 1 computes the same number again and again with interrupts open: it
//!   is interrupted anywhere, and the number must not change.
//! - vCPU 2 closes interrupts and says so. Only then vCPU 0 sends, and says so.
//!   vCPU 2 sees in its APIC that the interrupt is requested, and goes on for a
//!   while, in which it must not come (it is *held*). Then vCPU 2 opens
//!   interrupts, and it must come (it is *not lost*).
//! - vCPU 3 sleeps between the rounds.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, Target};
use crate::kernel::interrupts::{self, Gate};
use crate::kernel::smp;
use crate::random::{self, Random};
use crate::{console, program, x64};

const VCPUS: u8 = 4;
/// The vector that vCPU 0 sends.
const KNOCK: u8 = 0x40;
/// How many steps of the generator vCPU 1 computes at a time.
const STEPS: i32 = 500;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "busy-target",
    about: "interrupts vCPUs that compute, that keep interrupts closed and that sleep",
    vcpus: VCPUS,
    build,
    expected,
};

/// What the seed decides.
struct Parameters {
    rounds: i32,
    /// For how many turns of a loop vCPU 2 keeps a request waiting.
    held: i32,
    /// Where the generator of vCPU 1 starts; not 0.
    start: u64,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            rounds: random.between(30, 60) as i32,
            held: random.between(100, 1000) as i32,
            start: random.next() | 1,
        }
    }
}

fn build(seed: u64) -> Image {
    let parameters = Parameters::new(seed);
    smp::build_kernel(VCPUS, |asm| {
        let knock = asm.new_label();
        asm.words("taken", &[0; VCPUS as usize]);
        for variable in ["closed", "sent", "early", "wrong"] {
            asm.words(variable, &[0]);
        }
        interrupts::gate(asm, KNOCK, Gate::Interrupt, knock);
        smp::gather(asm);
        x64!(asm
            ; lea rbx, [->taken]        // RBX: what each has taken
            ; mov r14d, parameters.rounds
            ; cmp r15d, 1
            ; je ->compute
            ; cmp r15d, 2
            ; je ->keep_closed
            ; cmp r15d, 3
            ; je ->sleep
        );
        send(asm);
        compute(asm, &parameters);
        keep_closed(asm, &parameters);
        sleep(asm);
        x64!(asm ; ->done: ; cli);
        report(asm);
        interrupts::handler(asm, "knock", knock, KNOCK, on_knock);
    })
}

/// vCPU 0: R12 counts the rounds.
fn send(asm: &mut Asm) {
    x64!(asm
        ; xor r12d, r12d
        ; ->send:
        ; inc r12
        ; not_closed:
        ; pause
        ; cmp [->closed], r12
        ; jb <not_closed
    );
    for target in 1..VCPUS {
        x64!(asm ; mov eax, i32::from(target));
        apic::send(asm, Target::Number, KNOCK);
    }
    x64!(asm ; mov [->sent], r12);
    for target in 1..VCPUS {
        x64!(asm
            ; not_taken:
            ; pause
            ; cmp [rbx + 8 * i32::from(target)], r12
            ; jb <not_taken
        );
    }
    x64!(asm
        ; cmp r12, r14
        ; jb ->send
        ; jmp ->done
    );
}

/// vCPU 1: R12 is the number of the first time.
fn compute(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; ->compute:
        ; sti
        ; xor r12d, r12d
        ; again:
        ; mov rax, QWORD parameters.start as i64
        ; mov ecx, STEPS
        ; step:
    );
    random::advance(asm);
    x64!(asm
        ; dec ecx
        ; jnz <step
        ; test r12, r12
        ; jz >first
        ; cmp rax, r12
        ; je >same
        ; inc DWORD [->wrong]
        ; jmp >same
        ; first:
        ; mov r12, rax
        ; same:
        ; cmp [rbx + 8], r14
        ; jb <again
        ; jmp ->done
    );
}

/// vCPU 2: R12 counts the rounds.
fn keep_closed(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; ->keep_closed:
        ; xor r12d, r12d
        ; close:
        ; cli
        ; inc r12
        ; mov [->closed], r12
        ; not_sent:
        ; pause
        ; cmp [->sent], r12
        ; jb <not_sent
        ; on_its_way:
        ; cmp [rbx + 16], r12
        ; jae >early
    );
    apic::test_requested(asm, KNOCK);
    x64!(asm
        ; jz <on_its_way
        ; mov ecx, parameters.held
        ; hold:
        ; dec ecx
        ; jnz <hold
        ; cmp [rbx + 16], r12
        ; jb >held
        ; early:
        ; inc DWORD [->early]
        ; held:
        ; sti
        ; not_taken:
        ; pause
        ; cmp [rbx + 16], r12
        ; jb <not_taken
        ; cmp r12, r14
        ; jb <close
        ; jmp ->done
    );
}

/// vCPU 3.
fn sleep(asm: &mut Asm) {
    x64!(asm
        ; ->sleep:
        ; cli
        ; cmp [rbx + 24], r14
        ; jae ->done
        ; sti
        ; hlt
        ; jmp ->sleep
    );
}

fn on_knock(asm: &mut Asm) {
    x64!(asm ; lea rdi, [->taken] ; inc QWORD [rdi + 8 * r15]);
    apic::end_of_interrupt(asm);
}

/// Each vCPU says what it has lived through; vCPU 0 ends the guest.
fn report(asm: &mut Asm) {
    smp::in_turn(asm, |asm| {
        smp::introduce(asm, "busy-target");
        console::text(asm, " took ");
        x64!(asm ; mov rax, [rbx + 8 * r15]);
        console::decimal(asm);
        console::text(asm, " interrupts\n");
        x64!(asm ; cmp r15d, 1 ; jne ->silent);
        console::text(asm, "busy-target: and computed ");
        x64!(asm ; mov rax, r12);
        console::hexadecimal(asm, 16);
        console::text(asm, ", and ");
        x64!(asm ; mov eax, [->wrong]);
        console::decimal(asm);
        console::text(asm, WRONG);
        x64!(asm ; ->silent:);
    });
    smp::leave_to_first(asm);
    console::text(asm, "busy-target: ");
    x64!(asm ; mov eax, [->early]);
    console::decimal(asm);
    console::text(asm, EARLY);
    program::exit(asm, 0);
}

const WRONG: &str = " times something else\n";
const EARLY: &str = " interrupts came while they were closed\n";

fn expected(seed: u64) -> Expected {
    let Parameters { rounds, start, .. } = Parameters::new(seed);
    let number = (0..STEPS).fold(start, |number, _| random::advanced(number));
    let line = |vcpu| {
        let taken = if vcpu == 0 { 0 } else { rounds };
        format!("busy-target: vCPU {vcpu} took {taken} interrupts\n")
    };
    let mut lines: Vec<String> = (0..VCPUS).map(line).collect();
    lines.insert(
        2,
        format!("busy-target: and computed {number:#018x}, and 0{WRONG}"),
    );
    lines.push(format!("busy-target: 0{EARLY}"));
    Expected::exit(lines.concat(), 0)
}
