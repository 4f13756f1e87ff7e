//! Translation as programs see it: rights, faults, accessed and dirty bits,
//! what stays cached and until when.

use crate::interp::testing::*;
use crate::{Cpu, Fault, Gpr, Interp, Memory, PageFaultCode, Size, Trap, View};
use iced_x86::code_asm::*;

pub(super) const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
const USER: u64 = 4;
const ACCESSED: u64 = 0x20;
const DIRTY: u64 = 0x40;
const NO_EXECUTE: u64 = 1 << 63;

/// Tables for what is mapped at [`WINDOW`], in 4 KiB pages.
pub(super) const WINDOW: u64 = 1 << 39;
const WINDOW_TABLES: u64 = 0x8000;
const LEAVES: u64 = WINDOW_TABLES + 0x2000;

/// A CPU with the identity map and a second one, page by page, for [`WINDOW`].
pub(super) fn cpu_with_window(write: impl FnOnce(&mut CodeAssembler)) -> Interp {
    let mut cpu = cpu(write);
    let memory = cpu.context().space.memory.clone();
    let link = |slot, value: u64| memory.store(slot, Size::Qword, value | 7).unwrap();
    link(0x1000 + 8, WINDOW_TABLES);
    link(WINDOW_TABLES, WINDOW_TABLES + 0x1000);
    link(WINDOW_TABLES + 0x1000, LEAVES);
    cpu
}

/// Maps page `number` of the window.
pub(super) fn map(memory: &Memory, number: u64, entry: u64) {
    let slot = LEAVES + number * 8;
    memory.store(slot, Size::Qword, entry).unwrap();
}

fn leaf(memory: &Memory, number: u64) -> u64 {
    memory.load(LEAVES + number * 8, Size::Qword).unwrap()
}

fn page_fault(code: u32, address: u64) -> Trap {
    let code = PageFaultCode(code);
    Trap::Fault(Fault::PageFault { code, address })
}

fn start(cpu: &mut Interp, address: u64) {
    cpu.context().rip = CODE;
    cpu.context().registers[Gpr::Rdi] = address;
}

#[test]
fn each_right_that_is_missing_is_named_in_the_error_code() {
    let all = DATA | PRESENT | WRITABLE | USER;
    let cases = [
        (0, View::Kernel, 2),
        (0, View::User, 6),
        (all & !WRITABLE, View::Kernel, 3),
        (all & !WRITABLE, View::User, 7),
        (all & !USER, View::User, 7),
        (all | 1 << 45, View::Kernel, 8 | 3),
    ];
    for (entry, view, code) in cases {
        let mut cpu = cpu_with_window(|a| a.mov(byte_ptr(rdi), 1).unwrap());
        cpu.context().space.view = view;
        map(&cpu.context().space.memory, 0, entry);
        start(&mut cpu, WINDOW + 5);
        assert_eq!(enter(&mut cpu, 9), (page_fault(code, WINDOW + 5), 0));
        assert_eq!(cpu.context().rip, CODE);
    }
}

#[test]
fn code_is_fetched_only_from_pages_that_allow_it() {
    let cases = [
        (NO_EXECUTE | PRESENT | USER, View::Kernel, 0x11),
        (NO_EXECUTE | PRESENT | USER, View::User, 0x15),
        (PRESENT, View::User, 0x15),
        (0, View::User, 0x14),
    ];
    for (entry, view, code) in cases {
        let mut cpu = cpu_with_window(|a| a.jmp(rdi).unwrap());
        map(&cpu.context().space.memory, 0, DATA | entry);
        cpu.context().space.view = view;
        start(&mut cpu, WINDOW + 5);
        assert_eq!(enter(&mut cpu, 9), (page_fault(code, WINDOW + 5), 1));
        assert_eq!(cpu.context().rip, WINDOW + 5);
    }
}

#[test]
fn an_instruction_across_two_pages_needs_both() {
    let mut cpu = cpu_with_window(|a| a.jmp(rdi).unwrap());
    let memory = cpu.context().space.memory.clone();
    map(&memory, 0, DATA | PRESENT);
    // mov eax, 0x04030201, three bytes before the border, in frames that are
    // not neighbours.
    memory.write(DATA + 4093, &[0xb8, 1, 2]).unwrap();
    memory.write(DATA + 0x5000, &[3, 4, 0xf4]).unwrap();
    start(&mut cpu, WINDOW + 4093);
    let missing = page_fault(0x10, WINDOW + 4096);
    assert_eq!(enter(&mut cpu, 9), (missing, 1));
    assert_eq!(cpu.context().rip, WINDOW + 4093);
    map(&memory, 1, (DATA + 0x5000) | PRESENT);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 0x0403_0201);

    // The second page becomes another frame.
    memory.write(DATA + 0x6000, &[5, 6, 0xf4]).unwrap();
    map(&memory, 1, (DATA + 0x6000) | PRESENT);
    cpu.context().space.invalidate(WINDOW + 4096);
    start(&mut cpu, WINDOW + 4093);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 0x0605_0201);
}

#[test]
fn accessed_and_dirty_bits_are_set_by_what_is_done() {
    let mut cpu = cpu_with_window(|a| {
        a.mov(al, byte_ptr(rdi)).unwrap();
        a.hlt().unwrap();
        a.mov(byte_ptr(rdi), al).unwrap();
    });
    let memory = cpu.context().space.memory.clone();
    map(&memory, 0, DATA | PRESENT | WRITABLE);
    start(&mut cpu, WINDOW);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(leaf(&memory, 0) & (ACCESSED | DIRTY), ACCESSED);
    cpu.context().rip += 1;
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(leaf(&memory, 0) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
    let upper = memory.load(WINDOW_TABLES, Size::Qword).unwrap();
    assert_eq!(upper & (ACCESSED | DIRTY), ACCESSED);
}

#[test]
fn a_store_across_pages_writes_nothing_if_the_second_one_faults() {
    let mut cpu = cpu_with_window(|a| a.mov(qword_ptr(rdi), rax).unwrap());
    let memory = cpu.context().space.memory.clone();
    map(&memory, 0, DATA | PRESENT | WRITABLE);
    cpu.context().registers[Gpr::Rax] = 0x1122_3344_5566_7788;
    start(&mut cpu, WINDOW + 4092);
    let fault = page_fault(2, WINDOW + 4096);
    assert_eq!(enter(&mut cpu, 9), (fault, 0));
    assert_eq!(memory.load(DATA + 4092, Size::Dword), Some(0));
    map(&memory, 1, (DATA + 0x9000) | PRESENT | WRITABLE);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(memory.load(DATA + 4092, Size::Dword), Some(0x5566_7788));
    assert_eq!(memory.load(DATA + 0x9000, Size::Dword), Some(0x1122_3344));
}

#[test]
fn a_load_across_pages_takes_its_bytes_from_both() {
    let mut cpu = cpu_with_window(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    let memory = cpu.context().space.memory.clone();
    map(&memory, 0, DATA | PRESENT);
    map(&memory, 1, (DATA + 0x9000) | PRESENT);
    memory.store(DATA + 4095, Size::Byte, 0x11).unwrap();
    memory
        .store(DATA + 0x9000, Size::Dword, 0x5544_3322)
        .unwrap();
    start(&mut cpu, WINDOW + 4095);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 0x55_4433_2211);
}

/// Maps the window's first page elsewhere after it was used, and says what a
/// load sees then.
fn seen_after_remap(flush: impl FnOnce(&mut crate::Space)) -> u64 {
    let mut cpu = cpu_with_window(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    let memory = cpu.context().space.memory.clone();
    memory.store(DATA, Size::Qword, 1).unwrap();
    memory.store(DATA + 4096, Size::Qword, 2).unwrap();
    map(&memory, 0, DATA | PRESENT);
    start(&mut cpu, WINDOW);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    map(&memory, 0, (DATA + 4096) | PRESENT);
    flush(&mut cpu.context().space);
    start(&mut cpu, WINDOW);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    cpu.context().registers[Gpr::Rax]
}

#[test]
fn a_translation_stays_until_it_is_flushed() {
    assert_eq!(seen_after_remap(|_| {}), 1);
    assert_eq!(seen_after_remap(|space| space.invalidate(WINDOW + 4095)), 2);
    assert_eq!(seen_after_remap(|space| space.set_root(space.root())), 2);
    assert_eq!(seen_after_remap(|space| *space = space.clone()), 1);
}

#[test]
fn code_that_is_mapped_elsewhere_runs_from_there_after_a_flush() {
    let mut cpu = cpu_with_window(|a| a.jmp(rdi).unwrap());
    let memory = cpu.context().space.memory.clone();
    memory.write(DATA, &[0xb0, 1, 0xf4]).unwrap();
    memory.write(DATA + 4096, &[0xb0, 2, 0xf4]).unwrap();
    for (frame, expected) in [(0, 1), (4096, 2), (0, 1)] {
        map(&memory, 0, (DATA + frame) | PRESENT);
        cpu.context().space.invalidate(WINDOW);
        start(&mut cpu, WINDOW);
        assert!(is_hlt(enter(&mut cpu, 9).0));
        assert_eq!(cpu.context().registers[Gpr::Rax], expected);
    }
}

#[test]
fn where_code_is_stays_until_it_is_flushed_even_if_blocks_are_looked_at_anew() {
    let mut cpu = cpu_with_window(|a| a.jmp(rdi).unwrap());
    let memory = cpu.context().space.memory.clone();
    memory.write(DATA, &[0xb0, 1, 0xf4]).unwrap();
    memory.write(DATA + 4096, &[0xb0, 2, 0xf4]).unwrap();
    map(&memory, 0, DATA | PRESENT);
    for frame in [0, 4096] {
        map(&memory, 0, (DATA + frame) | PRESENT);
        // A store into code makes every block be checked.
        memory.write(CODE, &[0xff]).unwrap();
        start(&mut cpu, WINDOW);
        assert!(is_hlt(enter(&mut cpu, 9).0));
        assert_eq!(cpu.context().registers[Gpr::Rax], 1);
    }
}

#[test]
fn the_kernels_translations_are_not_the_users() {
    let mut cpu = cpu_with_window(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    map(&cpu.context().space.memory, 0, DATA | PRESENT | WRITABLE);
    start(&mut cpu, WINDOW);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    cpu.context().space.view = View::User;
    start(&mut cpu, WINDOW);
    assert_eq!(enter(&mut cpu, 9).0, page_fault(5, WINDOW));
    cpu.context().space.view = View::Kernel;
    assert!(is_hlt(enter(&mut cpu, 9).0));
}

#[test]
fn the_kernels_code_is_not_the_users() {
    let mut cpu = cpu_with_window(|a| a.jmp(rdi).unwrap());
    let memory = cpu.context().space.memory.clone();
    memory.write(DATA, &[0xf4]).unwrap();
    map(&memory, 0, DATA | PRESENT);
    for (view, expected) in [(View::Kernel, None), (View::User, Some(0x15))] {
        cpu.context().space.view = view;
        start(&mut cpu, WINDOW);
        let (trap, _) = enter(&mut cpu, 9);
        match expected {
            None => assert!(is_hlt(trap)),
            Some(code) => assert_eq!(trap, page_fault(code, WINDOW)),
        }
    }
}

#[test]
fn pages_of_a_gigabyte_and_of_four_kilobytes_lead_to_the_same_place() {
    let mut cpu = cpu_with_window(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    let memory = cpu.context().space.memory.clone();
    memory.store(DATA + 24, Size::Qword, 77).unwrap();
    let slot = WINDOW_TABLES + 8;
    memory.store(slot, Size::Qword, 0x80 | PRESENT).unwrap();
    start(&mut cpu, WINDOW + (1 << 30) + DATA + 24);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 77);
    // A bit below the large page's frame is reserved.
    memory.store(slot, Size::Qword, 0x2080 | PRESENT).unwrap();
    cpu.context().space.invalidate(WINDOW + (1 << 30));
    start(&mut cpu, WINDOW + (1 << 30));
    assert_eq!(enter(&mut cpu, 9).0, page_fault(9, WINDOW + (1 << 30)));
}

#[test]
fn an_address_that_is_not_canonical_is_the_stacks_fault_or_a_general_one() {
    let far = 1 << 60;
    let mut cpu = cpu(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    start(&mut cpu, far);
    let general = Trap::Fault(Fault::GeneralProtection(0));
    assert_eq!(enter(&mut cpu, 9), (general, 0));
    let stack = Trap::Fault(Fault::StackSegment(0));
    type Write = fn(&mut CodeAssembler);
    let writes: [Write; 4] = [
        |a| a.push(rax).unwrap(),
        |a| a.pop(rax).unwrap(),
        |a| a.mov(rax, qword_ptr(rsp + 8)).unwrap(),
        |a| a.add(qword_ptr(rbp), 1).unwrap(),
    ];
    for write in writes {
        let mut cpu = super::cpu(write);
        cpu.context().registers[Gpr::Rsp] = far;
        cpu.context().registers[Gpr::Rbp] = far;
        assert_eq!(enter(&mut cpu, 9), (stack, 0));
        assert_eq!(cpu.context().registers[Gpr::Rsp], far);
    }
}

#[test]
fn another_vm_in_the_same_cpu_sees_its_own_memory_and_code() {
    let program = |value: u8| {
        assemble(move |a| {
            a.mov(al, value as u32 as i32).unwrap();
            a.mov(bl, byte_ptr(DATA)).unwrap();
            a.hlt().unwrap();
        })
    };
    let mut cpu = cpu_with(&program(1));
    let mut other = cpu_with(&program(2));
    cpu.context()
        .space
        .memory
        .store(DATA, Size::Byte, 11)
        .unwrap();
    other
        .context()
        .space
        .memory
        .store(DATA, Size::Byte, 12)
        .unwrap();
    let mut waiting = other.context().clone();
    for round in 0..4 {
        let vm = round % 2;
        cpu.context().rip = CODE;
        assert!(is_hlt(enter(&mut cpu, 9).0));
        let registers = cpu.context().registers;
        assert_eq!(registers[Gpr::Rax], 1 + vm);
        assert_eq!(registers[Gpr::Rbx], 11 + vm);
        std::mem::swap(cpu.context(), &mut waiting);
    }
}
