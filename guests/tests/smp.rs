//! Boots guests with several vCPUs in QEMU, on as many CPUs, and compares what
//! they print, byte for byte, and how they end with what their models say.
//!
//! With a thread of the host for each CPU every run is another interleaving;
//! with one thread for all, CPUs that wait must leave the others a chance. As in
//! the tests for one CPU, QEMU is optional.

mod boot;

use boot::{Machine, SEEDS, boot_on, check_on, qemu_is_there, status_of};
use guests::asm::Asm;
use guests::image::Image;
use guests::kernel::smp;
use guests::{console, program, v7, x64};

#[test]
fn guests_of_version_7_print_and_end_as_their_models_say() {
    check_all("multi", &SEEDS);
}

#[test]
fn guests_of_version_7_do_the_same_if_their_cpus_run_in_turn() {
    check_all("single", &SEEDS[1..2]);
}

fn check_all(threads: &'static str, seeds: &[u64]) {
    if !qemu_is_there() {
        return;
    }
    for guest in v7::guests() {
        for &seed in seeds {
            let cpus = guest.vcpus;
            let what = format!("{}, seed {seed:#x}, {threads}", guest.name);
            let name = format!("{}-{threads}", guest.name);
            let (image, expected) = (guest.build(seed), guest.expected(seed));
            check_on(Machine { cpus, threads }, &image, &expected, &name, &what);
        }
    }
}

/// The stub wakes the other CPUs. In everything but number and stack they must
/// be as the first.
#[test]
fn all_cpus_arrive_in_the_same_state_with_numbers_and_stacks_of_their_own() {
    const CPUS: u8 = 4;
    if !qemu_is_there() {
        return;
    }
    let machine = Machine {
        cpus: CPUS,
        threads: "multi",
    };
    let outcome = boot_on(machine, &arrival(CPUS), "arrival");
    let state = |cpu: u8| {
        let stack = program::STACK_TOP - u64::from(cpu) * program::STACK_SIZE;
        format!(
            "arrival: vCPU {cpu}\nrsp {stack:#010x}\ncs 0x00000010\nds 0x00000018\n\
             ss 0x00000018\ngs 0x00000000\nrflags 0x00000002\nothers 0x00000000\n\
             cr0 0x80010001\ncr4 0x00000220\nefer 0x00000d00\nid 0x0{cpu}000000\n"
        )
    };
    let expected: String = (0..CPUS).map(state).collect();
    outcome.assert_console(expected.as_bytes(), "boot state of all CPUs");
    outcome.assert_status(status_of(0), "boot state of all CPUs");
}

/// A guest in which each vCPU prints the state in which it has come.
fn arrival(vcpus: u8) -> Image {
    const EFER: i32 = 0xc000_0080_u32 as i32;
    const APIC_ID: i32 = 0xfee0_0020_u32 as i32;
    let print = |asm: &mut Asm, name: &str| {
        x64!(asm ; mov ebx, eax);
        console::text(asm, &format!("{name} "));
        x64!(asm ; mov eax, ebx);
        console::hexadecimal(asm, 8);
        console::text(asm, "\n");
    };
    smp::build(vcpus, |asm| {
        x64!(asm ; mov rbp, rsp ; pushf ; pop r14);
        for register in [0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 13] {
            x64!(asm ; or rax, Rq(register));
        }
        x64!(asm ; mov r13, rax);
        smp::in_turn(asm, |asm| {
            smp::introduce(asm, "arrival");
            console::text(asm, "\n");
            x64!(asm ; mov eax, ebp);
            print(asm, "rsp");
            x64!(asm ; mov eax, cs);
            print(asm, "cs");
            x64!(asm ; mov eax, ds);
            print(asm, "ds");
            x64!(asm ; mov eax, ss);
            print(asm, "ss");
            x64!(asm ; mov eax, gs);
            print(asm, "gs");
            x64!(asm ; mov eax, r14d);
            print(asm, "rflags");
            x64!(asm ; mov eax, r13d);
            print(asm, "others");
            x64!(asm ; mov rax, cr0 ; and eax, 0x8001_0001_u32 as i32);
            print(asm, "cr0");
            x64!(asm ; mov rax, cr4 ; and eax, 0x220);
            print(asm, "cr4");
            x64!(asm ; mov ecx, EFER ; rdmsr);
            print(asm, "efer");
            x64!(asm ; mov ecx, APIC_ID ; mov eax, [rcx]);
            print(asm, "id");
        });
        smp::leave_to_first(asm);
        program::exit(asm, 0);
    })
}
