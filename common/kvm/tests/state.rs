//! What a vCPU is: when it can be read, that nothing of it is lost, and what its
//! VM keeps for it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use common::Vcpu as _;
use common::{Boot, Exit, Gpr, Memory, Mmio, MmioOperation, Size, Time};
use kvm::{Error, HostCpu, Machine};
use support::{Bare, CODE, can_run};

/// Where guests keep data.
const DATA: u64 = 0x20_0000;

#[test]
fn an_answer_is_in_its_register_before_the_guest_goes_on() {
    if !can_run(1) {
        return;
    }
    // in al, 0x70; hlt
    let mut guest = Bare::new(&[0xe4, 0x70, 0xf4]);
    let size = Size::Byte;
    assert_eq!(guest.run(), Exit::PortIn { port: 0x70, size });
    guest.vcpu.complete(&mut guest.pcpu, 0x5a);
    let general = guest.vcpu.general().unwrap();
    assert_eq!(general.registers[Gpr::Rax], 0x5a);
    assert_eq!(general.rip, CODE + 2);
    assert_eq!(guest.run(), Exit::Halted);
}

#[test]
fn a_write_is_over_when_the_state_is_read_and_is_not_made_again() {
    if !can_run(1) {
        return;
    }
    // out 0x70, al; mov [0xd0000000], al; hlt
    let code = [0xe6, 0x70, 0xbf, 0, 0, 0, 0xd0, 0x88, 0x07, 0xf4];
    let mut guest = Bare::new(&code);
    assert_eq!(guest.run().kind(), "port-out");
    assert_eq!(guest.vcpu.general().unwrap().rip, CODE + 2);
    assert_eq!(guest.run().kind(), "mmio");
    assert_eq!(guest.vcpu.general().unwrap().rip, CODE + 9);
    assert_eq!(guest.run(), Exit::Halted);
}

#[test]
fn a_state_in_the_middle_of_an_access_is_refused_with_the_reason() {
    if !can_run(1) {
        return;
    }
    // mov edi, 0x200000; mov ecx, 2; mov edx, 0x70; rep insb; hlt
    let code = [
        0xbf, 0, 0, 0x20, 0, 0xb9, 2, 0, 0, 0, 0xba, 0x70, 0, 0, 0, 0xf3, 0x6c, 0xf4,
    ];
    let mut guest = Bare::new(&code);
    let answer = |guest: &mut Bare| guest.vcpu.complete(&mut guest.pcpu, 7);
    assert_eq!(guest.run().kind(), "port-in");
    refuses_its_state(&mut guest, "a read waits for its answer");
    answer(&mut guest);
    refuses_its_state(&mut guest, "more items of it are to be told");
    assert_eq!(guest.run().kind(), "port-in");
    refuses_its_state(&mut guest, "a read waits for its answer");
    answer(&mut guest);
    assert!(guest.vcpu.state().is_ok());
    assert_eq!(guest.memory().load(DATA, Size::Word), Some(0x0707));
}

fn refuses_its_state(guest: &mut Bare, reason: &str) {
    let error = guest.vcpu.state().err().unwrap();
    assert!(matches!(error, Error::NotSettled(_)), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

/// KVM cuts an access that crosses a page, and what it cuts may be three bytes
/// long.
#[test]
fn a_wide_access_comes_in_pieces_that_x86_has() {
    if !can_run(1) {
        return;
    }
    // mov edi, 0xd0000ffd; mov [rdi], rax; hlt
    let code = [0xbf, 0xfd, 0x0f, 0, 0xd0, 0x48, 0x89, 0x07, 0xf4];
    let mut guest = Bare::new(&code);
    let mut state = guest.vcpu.state().unwrap();
    state.set(Gpr::Rax, 0x8877_6655_4433_2211);
    guest.vcpu.set_state(&state).unwrap();
    let mut written = [0; 8];
    let mut at = 0;
    while at < 8 {
        let Exit::Mmio(Mmio {
            gpa,
            size,
            operation: MmioOperation::Write(value),
        }) = guest.run()
        else {
            panic!("{:?} after {at} bytes", guest.vcpu.failure());
        };
        assert_eq!(gpa, 0xd000_0ffd + at as u64);
        let bytes = size.bytes() as usize;
        written[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        at += bytes;
    }
    assert_eq!(written, 0x8877_6655_4433_2211_u64.to_le_bytes());
    assert_eq!(guest.run(), Exit::Halted);
}

/// `KVM_SET_FPU` on a vCPU that has not run yet would be lost.
#[test]
fn vector_registers_go_to_a_vcpu_that_has_never_run() {
    if !can_run(1) {
        return;
    }
    // movups xmm5, [0x200000]; out 0x70, al; movups [0x200010], xmm5; hlt
    let code = [
        0x0f, 0x10, 0x2c, 0x25, 0, 0, 0x20, 0, 0xe6, 0x70, 0x0f, 0x11, 0x2c, 0x25, 0x10, 0, 0x20,
        0, 0xf4,
    ];
    let mut guest = Bare::new(&code);
    let memory = guest.memory();
    let value = *b"sixteen bytes...";
    memory.write(DATA, &value).unwrap();
    assert_eq!(guest.run().kind(), "port-out");
    let state = guest.vcpu.state().unwrap();
    let boot = Boot::prepare(&memory, CODE).unwrap();
    let mut other = Machine::new(&memory).unwrap().vcpu(&boot).unwrap();
    other.set_state(&state).unwrap();
    let mut pcpu = HostCpu::pcpu(1, HostCpu::TICK);
    assert_eq!(pcpu.run(&mut other, Time(5_000_000)), Exit::Halted);
    let mut found = [0; 16];
    memory.read(DATA + 16, &mut found).unwrap();
    assert_eq!(found, value);
}

#[test]
fn each_vcpu_of_a_vm_finds_its_own_number_in_cpuid() {
    if !can_run(1) {
        return;
    }
    // mov eax, 1; cpuid; shr ebx, 24; mov eax, ebx; out 0x70, al; hlt
    let code = [
        0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xc1, 0xeb, 24, 0x89, 0xd8, 0xe6, 0x70, 0xf4,
    ];
    let memory = Memory::new(4 << 20).unwrap();
    memory.write(CODE, &code).unwrap();
    let boot = Boot::prepare(&memory, CODE).unwrap();
    let machine = Machine::new(&memory).unwrap();
    let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
    for number in 0..3 {
        let mut vcpu = machine.vcpu(&boot.for_vcpu(number).unwrap()).unwrap();
        let (port, size) = (0x70, Size::Byte);
        let value = number as u32;
        let until = pcpu.now + 5_000_000;
        let said = pcpu.run(&mut vcpu, until);
        assert_eq!(said, Exit::PortOut { port, size, value });
    }
}

#[test]
fn the_log_names_the_page_that_was_written_and_names_it_once() {
    if !can_run(1) {
        return;
    }
    // again: mov [0x200000], al; out 0x70, al; jmp again
    let code = [0x88, 0x04, 0x25, 0, 0, 0x20, 0, 0xe6, 0x70, 0xeb, 0xf5];
    let mut guest = Bare::new(&code);
    let machine = guest.vcpu.machine().clone();
    assert!(machine.take_written().is_err(), "nothing is noted unasked");
    machine.log_writes(true).unwrap();
    assert_eq!(guest.run().kind(), "port-out");
    let written = machine.take_written().unwrap();
    assert!(written.contains(&DATA), "{written:x?}");
    assert!(!written.contains(&(DATA + 0x1000)), "{written:x?}");
    assert!(machine.take_written().unwrap().is_empty());
    assert_eq!(guest.run().kind(), "port-out");
    assert!(machine.take_written().unwrap().contains(&DATA));
}
