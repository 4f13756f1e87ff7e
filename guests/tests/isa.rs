//! Guests keep to the instructions that the crate's documentation allows them.
//!
//! All code of a guest is decoded, from its first byte to its last. The one
//! exception made is for the instruction at the symbol `deed`, for which the
//! hostile guests exist.

use guests::image::Image;
use guests::v4::{self, Threads};
use guests::{bench, v1, v2, v3, v5, v7, x64};
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

#[test]
fn guests_of_version_1_use_the_user_isa_and_ports_and_hlt() {
    for guest in v1::guests() {
        for seed in 0..4 {
            check(guest.name, &guest.build(seed));
        }
    }
}

#[test]
fn guests_of_later_versions_add_only_system_instructions_that_trap() {
    for guest in v2::guests() {
        for seed in 0..4 {
            check_kernel(guest.name, &guest.build(seed));
        }
    }
    let empty = Threads {
        switch: |asm| x64!(asm ; ret),
        pick: |asm| x64!(asm ; ret),
    };
    for guest in v4::guests() {
        check_kernel(guest.name, &guest.build(&empty, 1));
    }
}

/// The raw CPU lets nobody see these, so that a version has to show its own.
#[test]
fn guests_of_version_3_may_also_look_at_their_segments_and_flags() {
    use Mnemonic::*;
    let may = [Pushfq, Popfq];
    for guest in v3::guests() {
        for seed in 0..4 {
            check_image(guest.name, &guest.build(seed), |instruction| {
                is_kernel(instruction)
                    || may.contains(&instruction.mnemonic())
                    || instruction.mnemonic() == Mov && names_segment(instruction)
            });
        }
    }
}

#[test]
fn guests_from_version_5_on_may_also_fill_vectors_and_pause_and_read_the_time() {
    use Mnemonic::*;
    let may = [Movups, Ldmxcsr, Stmxcsr, Pause, Rdtsc];
    for guest in v5::guests().chain(v7::guests()) {
        for seed in 0..4 {
            let image = guest.build(seed);
            check_image(guest.name, &image, |instruction| {
                is_kernel(instruction) || may.contains(&instruction.mnemonic())
            });
        }
    }
}

#[test]
fn kernels_use_the_plain_integer_isa() {
    for kernel in &bench::KERNELS {
        for instruction in decode(&kernel.code(), 0) {
            assert!(is_plain(&instruction), "{}: {instruction}", kernel.name);
        }
    }
}

fn check(name: &str, image: &Image) {
    let code = &image.segments[0];
    let deed = image.symbol("deed").map(|symbol| symbol.address);
    for instruction in decode(&code.bytes, code.address) {
        let allowed = is_plain(&instruction)
            || is_port_access_or_halt(&instruction)
            || is_vector_move(&instruction)
            || Some(instruction.ip()) == deed;
        assert!(allowed, "{name}: {:#x}: {instruction}", instruction.ip());
    }
}

fn check_kernel(name: &str, image: &Image) {
    check_image(name, image, is_kernel);
}

fn check_image(name: &str, image: &Image, allowed: impl Fn(&Instruction) -> bool) {
    let code = &image.segments[0];
    for instruction in decode(&code.bytes, code.address) {
        let ip = instruction.ip();
        assert!(allowed(&instruction), "{name}: {ip:#x}: {instruction}");
    }
}

fn is_kernel(instruction: &Instruction) -> bool {
    is_plain(instruction)
        || is_port_access_or_halt(instruction)
        || is_system_instruction(instruction)
}

/// A system instruction that traps wherever it is not allowed, or one that
/// raises an exception on purpose.
fn is_system_instruction(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    let system = [
        Cli, Sti, Lidt, Lgdt, Ltr, Iretq, Rdmsr, Wrmsr, Swapgs, Syscall, Sysretq, Invlpg, Ud2, Int3,
    ];
    let control = |operand| instruction.op_register(operand).is_cr();
    let moves_control = instruction.mnemonic() == Mov && (control(0) || control(1));
    !instruction.is_invalid() && (moves_control || system.contains(&instruction.mnemonic()))
}

/// The instructions of `code`, which stands at `address`.
fn decode(code: &[u8], address: u64) -> Vec<Instruction> {
    let decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    decoder.into_iter().collect()
}

/// An integer instruction that every x86-64 CPU has, that user code may use and
/// that a hypervisor need not see.
fn is_plain(instruction: &Instruction) -> bool {
    use CpuidFeature::{INTEL186, INTEL286, INTEL386, INTEL486, INTEL8086, X64};
    let baseline = [INTEL8086, INTEL186, INTEL286, INTEL386, INTEL486, X64];
    let in_baseline = |feature| baseline.contains(feature);
    !instruction.is_invalid()
        && instruction.cpuid_features().iter().all(in_baseline)
        && !instruction.is_privileged()
        && !is_sensitive(instruction)
        && !is_port_access_or_halt(instruction)
}

/// An instruction that looks at or changes privileged state without a trap, or
/// a software interrupt.
fn is_sensitive(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    let sensitive = [
        Pushf, Pushfd, Pushfq, Popf, Popfd, Popfq, Sgdt, Sidt, Sldt, Smsw, Str, Lar, Lsl, Verr,
        Verw, Int, Int1, Int3, Into, Iret, Iretd, Iretq, Syscall, Sysenter, Ud2,
    ];
    names_segment(instruction) || sensitive.contains(&instruction.mnemonic())
}

fn names_segment(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|operand| {
        instruction.op_kind(operand) == OpKind::Register
            && instruction.op_register(operand).is_segment_register()
    })
}

fn is_port_access_or_halt(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    [In, Out, Insb, Insw, Insd, Outsb, Outsw, Outsd, Hlt].contains(&instruction.mnemonic())
}

fn is_vector_move(instruction: &Instruction) -> bool {
    [Mnemonic::Movups, Mnemonic::Movdqa].contains(&instruction.mnemonic())
}

#[test]
fn the_check_finds_forbidden_instructions() {
    let forbidden: [&[u8]; 7] = [
        &[0x9d],                         // popfq
        &[0x8c, 0xc8],                   // mov eax, cs
        &[0xcd, 0x80],                   // int 0x80
        &[0xfa],                         // cli
        &[0x0f, 0x58, 0xc1],             // addps xmm0, xmm1
        &[0xf3, 0x48, 0x0f, 0xb8, 0xc1], // popcnt rax, rcx
        &[0x0f, 0xff],                   // not an instruction
    ];
    for code in forbidden {
        for instruction in decode(code, 0) {
            assert!(!is_plain(&instruction), "{instruction}");
            assert!(!is_vector_move(&instruction), "{instruction}");
        }
    }
}
