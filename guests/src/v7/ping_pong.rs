//! `ping-pong`: two vCPUs wake each other, and nobody else wakes them.
//!
//! Each sleeps until the ball comes, an interrupt from the other vCPU, and
//! plays it back. There is no timer and no other device that could wake them,
//! so if one interrupt is lost, or comes while the hypervisor puts the vCPU to
//! sleep and is overlooked there, both sleep for ever. The sleep is the classic
//! one: look with interrupts closed, then `sti; hlt`, so that a ball that comes
//! in between still wakes the sleeper.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, Target};
use crate::kernel::interrupts::{self, Gate};
use crate::kernel::smp;
use crate::random::Random;
use crate::{console, program, x64};

const VCPUS: u8 = 2;
/// The vector of the interrupt that is the ball.
const BALL: u8 = 0x40;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "ping-pong",
    about: "lets two vCPUs wake each other by interrupts, with no timer to help",
    vcpus: VCPUS,
    build,
    expected,
};

/// How often each vCPU plays the ball.
fn rounds(seed: u64) -> i32 {
    Random::new(seed).between(200, 400) as i32
}

fn build(seed: u64) -> Image {
    smp::build_kernel(VCPUS, |asm| {
        let ball = asm.new_label();
        asm.words("caught", &[0; VCPUS as usize]);
        interrupts::gate(asm, BALL, Gate::Interrupt, ball);
        smp::gather(asm);
        x64!(asm
            ; mov ebx, rounds(seed)     // EBX: how often I still play
            ; xor r12d, r12d            // R12: how often the ball has come
            ; test r15d, r15d
            ; jz >serve
            ; ->play:
            ; call ->catch
            ; serve:
            ; call ->throw
            ; dec ebx
            ; jnz ->play
            ; test r15d, r15d
            ; jz >last                  // the ball is on its way back to vCPU 0
        );
        smp::halt_for_ever(asm);
        x64!(asm ; last: ; call ->catch);
        report(asm);
        throw_and_catch(asm);
        interrupts::handler(asm, "ball", ball, BALL, on_ball);
    })
}

/// `throw` sends the ball to the other vCPU, `catch` sleeps until it comes.
/// Interrupts are closed before and after.
fn throw_and_catch(asm: &mut Asm) {
    x64!(asm
        ; ->throw:
        ; mov eax, r15d
        ; xor eax, 1
    );
    apic::send(asm, Target::Number, BALL);
    x64!(asm
        ; ret
        ; ->catch:
        ; inc r12
        ; lea rdi, [->caught]
        ; look:
        ; cmp [rdi + 8 * r15], r12
        ; jae >here
        ; sti
        ; hlt
        ; cli
        ; jmp <look
        ; here:
        ; ret
    );
}

fn on_ball(asm: &mut Asm) {
    x64!(asm ; lea rdi, [->caught] ; inc QWORD [rdi + 8 * r15]);
    apic::end_of_interrupt(asm);
}

/// Ends the guest.
fn report(asm: &mut Asm) {
    for vcpu in 0..VCPUS {
        console::text(asm, &format!("ping-pong: vCPU {vcpu} caught the ball "));
        x64!(asm ; lea rdi, [->caught] ; mov rax, [rdi + 8 * i32::from(vcpu)]);
        console::decimal(asm);
        console::text(asm, " times\n");
    }
    program::exit(asm, 0);
}

fn expected(seed: u64) -> Expected {
    let rounds = rounds(seed);
    let line = |vcpu| format!("ping-pong: vCPU {vcpu} caught the ball {rounds} times\n");
    Expected::exit((0..VCPUS).map(line).collect(), 0)
}
