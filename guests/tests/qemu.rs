//! Is it a real machine? Boots guests in QEMU and compares what they print,
//! byte for byte, and how they end with what their models say.
//!
//! QEMU is optional: without it the tests say that they were skipped, and pass.
//! Where they must run, set `HEPTAVISOR_REQUIRE=qemu`.

mod boot;

use boot::{SEEDS, TRIPLE_FAULT, boot, check, qemu_is_there, status_of};
use guests::asm::Asm;
use guests::catalogue::{Ending, SURVIVED};
use guests::image::Image;
use guests::kernel::apic;
use guests::{bench, console, program, v1, v2, v3, v5, x64};

/// The least count of the APIC's timer, in nanoseconds, with which QEMU finds
/// the time to run the guest between the ticks.
const SHORTEST_TICK: u32 = 20_000;

#[test]
fn guests_of_version_1_print_and_exit_as_their_models_say() {
    if !qemu_is_there() {
        return;
    }
    for guest in v1::guests() {
        for seed in SEEDS {
            let expected = guest.expected(seed);
            if let Ending::Exit(code) = expected.ending {
                let what = format!("{}, seed {seed:#x}", guest.name);
                let outcome = boot(&guest.build(seed), guest.name);
                outcome.assert_console(&expected.console, &what);
                outcome.assert_status(status_of(code), &what);
            }
        }
    }
}

#[test]
fn guests_of_version_2_print_and_end_as_their_models_say() {
    if !qemu_is_there() {
        return;
    }
    for guest in v2::guests() {
        for seed in SEEDS {
            let what = format!("{}, seed {seed:#x}", guest.name);
            let mut image = guest.build(seed);
            if guest.name == "storm" {
                apic::set_tick_length(&mut image, SHORTEST_TICK);
            }
            let mut expected = guest.expected(seed);
            if guest.name == "no-gate" {
                expected.console = doubled_vectors(&expected.console);
            }
            check(&image, &expected, guest.name, &what);
        }
    }
}

/// All but one: where a CPU refuses a value for a model-specific register (manual,
/// volume 2, `WRMSR`), QEMU 7.2 takes it.
#[test]
fn guests_of_version_3_print_and_end_as_their_models_say() {
    if !qemu_is_there() {
        return;
    }
    for guest in v3::guests().filter(|guest| guest.name != "reserved-values") {
        for seed in SEEDS {
            let what = format!("{}, seed {seed:#x}", guest.name);
            check(&guest.build(seed), &guest.expected(seed), guest.name, &what);
        }
    }
}

#[test]
fn guests_of_version_5_print_and_end_as_their_models_say() {
    if !qemu_is_there() {
        return;
    }
    for guest in v5::guests() {
        for seed in SEEDS {
            let what = format!("{}, seed {seed:#x}", guest.name);
            let mut image = guest.build(seed);
            if guest.name == "interrupt-heavy" {
                apic::set_tick_length(&mut image, SHORTEST_TICK);
            }
            check(&image, &guest.expected(seed), guest.name, &what);
        }
    }
}

/// QEMU 7.2 is wrong about the error code for a missing gate in long mode: it
/// is the gate's number times 16, where the manual (volume 3, "Error Code") and
/// other CPUs have times 8.
fn doubled_vectors(console: &[u8]) -> Vec<u8> {
    let console = String::from_utf8_lossy(console);
    let line = |line: &str| {
        line.replace("vector 6", "vector 12")
            .replace("vector 32", "vector 64")
    };
    console
        .lines()
        .flat_map(|text| (line(text) + "\n").into_bytes())
        .collect()
}

/// Without an IDT every exception is a triple fault. (The wild jump is not
/// tried: QEMU refuses to emulate code outside memory.)
#[test]
fn guests_that_raise_an_exception_die_of_it_after_their_announcement() {
    if !qemu_is_there() {
        return;
    }
    for name in ["undefined", "divide", "non-canonical", "unimplemented"] {
        let guest = v1::guest(name).expect(name);
        let outcome = boot(&guest.build(1), name);
        outcome.assert_console(&guest.expected(1).console, name);
        outcome.assert_status(TRIPLE_FAULT, name);
    }
}

/// A PC carries out system instructions and ignores stores to nowhere.
#[test]
fn guests_that_only_our_machine_refuses_survive_in_qemu() {
    if !qemu_is_there() {
        return;
    }
    for seed in 0..8 {
        for name in ["privileged", "wild-store"] {
            let guest = v1::guest(name).expect(name);
            let outcome = boot(&guest.build(seed), name);
            let mut console = guest.expected(seed).console;
            console.extend(format!("{name}: still alive\n").bytes());
            outcome.assert_console(&console, name);
            outcome.assert_status(status_of(SURVIVED.into()), name);
        }
    }
}

/// The keeper is only worth something if it notices a loss: here the three
/// bytes of its first port access are replaced by an instruction that does what
/// a faulty hypervisor would.
#[test]
fn the_keeper_tells_which_register_was_lost() {
    let losses: [(&str, [u8; 3]); 8] = [
        ("rax", [0x90, 0xb4, 0x00]),      // nop; mov ah, 0
        ("rbx", [0x90, 0xb3, 0x00]),      // nop; mov bl, 0
        ("rsp", [0x66, 0xff, 0xc4]),      // inc sp
        ("r11", [0x41, 0xb3, 0x00]),      // mov r11b, 0
        ("r15", [0x45, 0x31, 0xff]),      // xor r15d, r15d
        ("xmm7 low", [0x0f, 0x57, 0xff]), // xorps xmm7, xmm7
        ("flags", [0xf5, 0x90, 0x90]),    // cmc
        ("flags", [0xfc, 0x90, 0x90]),    // cld
    ];
    if !qemu_is_there() {
        return;
    }
    for (register, instruction) in losses {
        let mut image = v1::guest("keeper").expect("a keeper").build(3);
        overwrite(&mut image, "access", 0, &instruction);
        let outcome = boot(&image, "lossy-keeper");
        let console = String::from_utf8_lossy(&outcome.console);
        let complaint = format!(": {register} lost: expected 0x");
        assert!(
            console.contains(&complaint),
            "no {complaint:?} in: {console}"
        );
        outcome.assert_status(status_of(1), register);
    }
}

/// So does `patterns`: here the first instruction of its long stretch, which
/// adds 1 to RAX, and the one that takes it away again are replaced.
#[test]
fn the_patterns_tell_which_register_was_lost() {
    /// Bytes of such an instruction, and how many there are until the second.
    const LENGTH: usize = 8;
    const BETWEEN: usize = 16;
    let losses: [(&str, &[u8]); 6] = [
        ("rbx", &[0xb3, 0x00]),                   // mov bl, 0
        ("rsp", &[0x66, 0xff, 0xc4]),             // inc sp
        ("r15", &[0x45, 0x31, 0xff]),             // xor r15d, r15d
        ("xmm0 low", &[0x0f, 0x57, 0xc0]),        // xorps xmm0, xmm0
        ("xmm15 low", &[0x45, 0x0f, 0x57, 0xff]), // xorps xmm15, xmm15
        ("flags", &[0xf5]),                       // cmc
    ];
    if !qemu_is_there() {
        return;
    }
    for (register, instruction) in losses {
        let mut image = v5::guest("patterns").expect("the patterns").build(3);
        overwrite(&mut image, "stretch", 0, &[0x90; LENGTH]);
        overwrite(&mut image, "stretch", 0, instruction);
        overwrite(&mut image, "stretch", BETWEEN * LENGTH, &[0x90; LENGTH]);
        let outcome = boot(&image, "lossy-patterns");
        let console = String::from_utf8_lossy(&outcome.console);
        let complaint = format!("patterns: vCPU 0, round 0: {register} lost: expected 0x");
        assert!(
            console.starts_with(&complaint),
            "no {complaint:?} in: {console}"
        );
        outcome.assert_status(status_of(1), register);
    }
}

/// Replaces code of an image, so many bytes behind a symbol.
fn overwrite(image: &mut Image, symbol: &str, distance: usize, code: &[u8]) {
    let address = image.symbol(symbol).expect(symbol).address;
    let offset = (address - image.segments[0].address) as usize + distance;
    image.segments[0].bytes[offset..offset + code.len()].copy_from_slice(code);
}

/// The part of the boot state that version 1's guests cannot see: selectors,
/// flags, and the bits of the control registers that are promised.
#[test]
fn the_stub_sets_up_the_privileged_state_that_is_promised() {
    if !qemu_is_there() {
        return;
    }
    let outcome = boot(&privileged_state(), "privileged-state");
    let expected = "cs 0x0010\nds 0x0018\nes 0x0018\nss 0x0018\nrflags 0x0002\nidt 0x0000\n\
                    cr0 0x80010001\ncr4 0x00000220\nefer 0x00000d00\n";
    outcome.assert_console(expected.as_bytes(), "boot state");
    outcome.assert_status(status_of(0), "boot state");
}

/// A guest that prints its privileged state, which takes instructions that no
/// other guest may use.
fn privileged_state() -> Image {
    const EFER: i32 = 0xc000_0080_u32 as i32;
    let print = |asm: &mut Asm, name: &str, digits| {
        x64!(asm ; mov rbx, rax);
        console::text(asm, &format!("{name} "));
        x64!(asm ; mov rax, rbx);
        console::hexadecimal(asm, digits);
        console::text(asm, "\n");
    };
    program::build(|asm| {
        x64!(asm ; pushf ; pop rbp);
        x64!(asm ; mov eax, cs);
        print(asm, "cs", 4);
        x64!(asm ; mov eax, ds);
        print(asm, "ds", 4);
        x64!(asm ; mov eax, es);
        print(asm, "es", 4);
        x64!(asm ; mov eax, ss);
        print(asm, "ss", 4);
        x64!(asm ; mov rax, rbp);
        print(asm, "rflags", 4);
        x64!(asm ; sub rsp, 16 ; sidt [rsp] ; movzx eax, WORD [rsp]);
        print(asm, "idt", 4);
        // Protected mode, write protection, paging.
        x64!(asm ; mov rax, cr0 ; and eax, 0x8001_0001_u32 as i32);
        print(asm, "cr0", 8);
        // Physical address extension, SSE.
        x64!(asm ; mov rax, cr4 ; and eax, 0x220);
        print(asm, "cr4", 8);
        // Long mode enabled and active, no-execute.
        x64!(asm ; mov ecx, EFER ; rdmsr);
        print(asm, "efer", 8);
        program::exit(asm, 0);
    })
}

#[test]
fn kernels_compute_the_checksums_of_their_models() {
    if !qemu_is_there() {
        return;
    }
    for kernel in &bench::KERNELS {
        for rounds in [0, 1, 3] {
            let what = format!("{}, {rounds} rounds", kernel.name);
            let outcome = boot(&kernel.guest(rounds), kernel.name);
            outcome.assert_console(&kernel.expected(rounds).console, &what);
            outcome.assert_status(status_of(0), &what);
        }
    }
}
