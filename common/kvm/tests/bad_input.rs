//! What goes wrong is told in full, and concerns the one VM only: each test ends
//! with another VM that runs on.
//!
//! `KVM_EXIT_FAIL_ENTRY` is tried beside the engine's code, where its own checks
//! can be passed by.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code)] // takes pages and rights away, which is what is tried

mod support;

use common::{Boot, Exit, Gpr, Memory, Size, SystemInstruction, Trap};
use kvm::{Cause, DEVICE, Error, Machine};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::{Bare, CODE, can_run, skip};

/// A VM that has nothing to do with what goes wrong.
struct Witness(Bare);

impl Witness {
    /// One that has run already.
    fn new() -> Witness {
        const OUT_AND_AGAIN: [u8; 4] = [0xe6, 0x70, 0xeb, 0xfc];
        let witness = Witness(Bare::new(&OUT_AND_AGAIN));
        witness.runs_on()
    }

    fn runs_on(mut self) -> Witness {
        let (port, size, value) = (0x70, Size::Byte, 0);
        for _ in 0..3 {
            assert_eq!(self.0.run(), Exit::PortOut { port, size, value });
        }
        self
    }
}

/// A name in the folder for temporary files, for this test of this process only.
fn temporary(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("heptavisor-{test}-{}", std::process::id()))
}

#[test]
fn an_instruction_that_kvm_cannot_emulate_is_told_with_its_bytes_and_the_registers() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    // mov edi, 0xd0000000; popcnt eax, [rdi]: no KVM emulates that on a device.
    let mut guest = Bare::new(&[0xbf, 0, 0, 0, 0xd0, 0xf3, 0x0f, 0xb8, 0x07]);
    let instruction = SystemInstruction::Other;
    let length = 4;
    let expected = Exit::Unsupported(Trap::System {
        instruction,
        length,
    });
    assert_eq!(guest.run(), expected);
    let failure = guest.vcpu.failure().unwrap();
    assert!(matches!(failure.cause, Cause::Internal { suberror: 1, .. }));
    assert_eq!(failure.registers.unwrap().rip, CODE + 5);
    assert_eq!(failure.registers.unwrap().registers[Gpr::Rdi], 0xd000_0000);
    let text = failure.to_string();
    let words = [
        "internal error 1",
        "at 0x100005: popcnt eax,[rdi]  [f3, 0f, b8, 07]",
        "rdi 00000000d0000000",
    ];
    for word in words {
        assert!(text.contains(word), "{word} is not in:\n{text}");
    }
    witness.runs_on();
}

#[test]
fn code_where_there_is_no_ram_is_told_with_its_address() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    // mov edi, 0xd0000000; jmp rdi
    let mut guest = Bare::new(&[0xbf, 0, 0, 0, 0xd0, 0xff, 0xe7]);
    match guest.run() {
        Exit::Unsupported(Trap::Mmio(mmio)) => assert_eq!(mmio.gpa, 0xd000_0000),
        exit => panic!("{exit:?}"),
    }
    let text = guest.vcpu.failure().unwrap().to_string();
    assert!(text.contains("at 0xd0000000: no instruction"), "{text}");
    witness.runs_on();
}

#[test]
fn a_shutdown_is_told_as_a_triple_fault_and_is_no_success() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    const UD2: [u8; 2] = [0x0f, 0x0b];
    let mut guest = Bare::new(&UD2);
    assert_eq!(guest.run().kind(), "shutdown");
    let failure = guest.vcpu.failure().unwrap();
    assert!(matches!(failure.cause, Cause::Shutdown));
    assert!(failure.to_string().contains("triple fault"));
    witness.runs_on();
}

#[test]
fn ram_that_the_host_took_away_is_told_as_a_bad_address() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    const PAGE: u64 = 0x20_0000;
    // mov al, [0x200000]; hlt
    let mut guest = Bare::new(&[0x8a, 0x04, 0x25, 0, 0, 0x20, 0, 0xf4]);
    let page = guest.memory().host_address().wrapping_add(PAGE as usize);
    // SAFETY: the page is the guest's own, and nobody but the guest uses it again.
    let taken = unsafe { libc::mprotect(page.cast(), 4096, libc::PROT_NONE) };
    assert_eq!(taken, 0);
    match guest.run() {
        Exit::Failed => {}
        // What PVM's emulator cannot reach is a device to it.
        Exit::Mmio(mmio) if mmio.gpa == PAGE => {
            skip("this kvm does not miss ram that the host took away", false);
            return;
        }
        exit => panic!("{exit:?}"),
    }
    let failure = guest.vcpu.failure().unwrap();
    match &failure.cause {
        Cause::Run(error) => assert_eq!(error.raw_os_error(), Some(libc::EFAULT)),
        cause => panic!("{cause}"),
    }
    let text = failure.to_string();
    assert!(text.contains("at 0x100000: mov al,[200000h]"), "{text}");
    witness.runs_on();
}

#[test]
fn a_device_that_vanishes_takes_no_vm_along() {
    if !can_run(1) {
        return;
    }
    let name = temporary("vanishes");
    let path = name.to_str().unwrap();
    std::os::unix::fs::symlink(DEVICE, &name).unwrap();
    let memory = Memory::new(4 << 20).unwrap();
    let boot = Boot::prepare(&memory, CODE).unwrap();
    memory.write(CODE, &[0xe6, 0x70, 0xeb, 0xfc]).unwrap();
    let machine = Machine::from_device(path, &memory).unwrap();
    std::fs::remove_file(&name).unwrap();

    let error = Machine::from_device(path, &memory).err().unwrap();
    assert!(matches!(error, Error::NoDevice(_)));
    assert_eq!(
        error.to_string(),
        format!("there is no {path} on this host")
    );
    assert!(error.mend().unwrap().contains("modprobe"));
    let mut orphan = Witness::new();
    orphan.0.vcpu = machine.vcpu(&boot).unwrap();
    orphan.runs_on();
}

#[test]
fn a_device_that_we_may_not_open_is_told_with_the_group_to_join() {
    let name = temporary("forbidden");
    std::fs::write(&name, "").unwrap();
    std::fs::set_permissions(&name, std::fs::Permissions::from_mode(0o0)).unwrap();
    let path = name.to_str().unwrap().to_owned();
    let open = move || {
        const NOBODY: libc::uid_t = 65_534;
        // SAFETY: the request takes a number, and concerns this thread only. Root
        // gives up its rights to files by it; others have none to give up.
        unsafe { libc::setfsuid(NOBODY) };
        Machine::from_device(&path, &Memory::new(4096).unwrap()).err()
    };
    let error = std::thread::spawn(open).join().unwrap().unwrap();
    std::fs::remove_file(&name).unwrap();
    assert!(matches!(error, Error::NoPermission(_)), "{error}");
    assert!(error.mend().unwrap().contains("usermod -aG kvm"));
}

#[test]
fn a_folder_is_no_device() {
    let error = Machine::from_device("/", &Memory::new(4096).unwrap());
    let text = error.err().unwrap().to_string();
    assert!(text.starts_with("/ cannot be opened"), "{text}");
}

#[test]
fn a_vcpu_too_many_is_told_with_its_number_and_how_many_there_may_be() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    let memory = Memory::new(4 << 20).unwrap();
    let boot = Boot::prepare(&memory, CODE).unwrap();
    let machine = Machine::new(&memory).unwrap();
    let numbered = |vcpu| machine.vcpu(&Boot { vcpu, ..boot });
    let _first = numbered(0).unwrap();
    for number in [0, 100_000, u64::MAX] {
        let error = numbered(number).err().unwrap();
        let text = error.to_string();
        let beginning = format!("kvm makes no vcpu {number}: ");
        assert!(text.starts_with(&beginning), "{text}");
        assert!(text.contains("this host allows "), "{text}");
    }
    numbered(1).unwrap();
    witness.runs_on();
}

#[test]
fn memory_that_kvm_does_not_take_is_told_with_its_size() {
    if !can_run(1) {
        return;
    }
    let witness = Witness::new();
    // A slot has fewer than 2^31 pages. The host gives none of them before it is
    // used.
    const TOO_MUCH: u64 = (1 << 31) * common::PAGE_SIZE;
    let memory = Memory::new(TOO_MUCH).unwrap();
    let error = Machine::new(&memory).err().unwrap();
    assert!(matches!(error, Error::Memory(TOO_MUCH, _)), "{error}");
    assert!(error.to_string().contains("8796093022208 bytes"), "{error}");
    assert!(error.mend().unwrap().contains("less memory"));
    witness.runs_on();
}
