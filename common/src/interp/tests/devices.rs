//! Accesses where there is no RAM.

use crate::flags::{CF, SF, ZF};
use crate::interp::testing::*;
use crate::{Cpu, Gpr, Interp, Mmio, MmioOperation, Size, Trap};
use iced_x86::code_asm::*;

/// Where there is no RAM, but a page.
const DEVICE: u64 = 0x1000_0000;

fn mmio(size: Size, operation: MmioOperation) -> Trap {
    let gpa = DEVICE;
    Trap::Mmio(Mmio {
        gpa,
        size,
        operation,
    })
}

fn device_cpu(write: impl FnOnce(&mut CodeAssembler)) -> Interp {
    let mut cpu = cpu(write);
    let registers = &mut cpu.context().registers;
    registers[Gpr::Rdi] = DEVICE;
    registers[Gpr::Rax] = 0x1111_1111_1111_1111;
    cpu
}

/// Runs one instruction that reads, answers, and goes on to the end.
fn answered(size: Size, answer: u64, write: impl FnOnce(&mut CodeAssembler)) -> (u64, u64) {
    let mut cpu = device_cpu(write);
    assert_eq!(enter(&mut cpu, 9), (mmio(size, MmioOperation::Read), 0));
    assert_eq!(cpu.context().rip, CODE);
    cpu.complete(answer);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    (cpu.context().registers[Gpr::Rax], cpu.context().flags)
}

#[test]
fn loads_take_the_answer_as_they_take_memory() {
    let value = 0xffee_ddcc_bbaa_9988;
    let ones = 0x1111_1111_1111_1111;
    type Write = fn(&mut CodeAssembler);
    let cases: [(Size, u64, Write); 8] = [
        (Size::Qword, value, |a| a.mov(rax, qword_ptr(rdi)).unwrap()),
        (Size::Dword, 0xbbaa_9988, |a| {
            a.mov(eax, dword_ptr(rdi)).unwrap()
        }),
        (Size::Word, ones & !0xffff | 0x9988, |a| {
            a.mov(ax, word_ptr(rdi)).unwrap()
        }),
        (Size::Byte, ones & !0xff00 | 0x8800, |a| {
            a.mov(ah, byte_ptr(rdi)).unwrap()
        }),
        (Size::Byte, 0x88, |a| a.movzx(eax, byte_ptr(rdi)).unwrap()),
        (Size::Word, 0xffff_9988, |a| {
            a.movsx(eax, word_ptr(rdi)).unwrap()
        }),
        (Size::Dword, 0x9988 | 0xbbaa << 16 | 0x1111_1111, |a| {
            a.or(eax, dword_ptr(rdi)).unwrap();
        }),
        (Size::Qword, 0x1111_1111_1111_1111 & value, |a| {
            a.and(rax, qword_ptr(rdi)).unwrap();
        }),
    ];
    for (size, expected, write) in cases {
        assert_eq!(answered(size, value, write).0, expected, "{size:?}");
    }
}

#[test]
fn comparisons_take_their_flags_from_the_answer() {
    let flags = |answer, write: fn(&mut CodeAssembler)| answered(Size::Dword, answer, write).1;
    let cmp = flags(5, |a| a.cmp(dword_ptr(rdi), 5).unwrap());
    assert_eq!(cmp & (CF | ZF | SF), ZF);
    let test = flags(1 << 31, |a| a.test(dword_ptr(rdi), eax).unwrap());
    assert_eq!(test & (CF | ZF | SF), ZF);
    let cmp = flags(6, |a| a.cmp(eax, dword_ptr(rdi)).unwrap());
    assert_eq!(cmp & (CF | ZF | SF), 0);
}

#[test]
fn a_comparison_that_is_fused_with_its_jump_waits_for_the_answer() {
    let mut cpu = device_cpu(|a| {
        let mut again = a.create_label();
        a.set_label(&mut again).unwrap();
        a.test(byte_ptr(rdi), 1).unwrap();
        a.jnz(again).unwrap();
    });
    let read = mmio(Size::Byte, MmioOperation::Read);
    assert_eq!(enter(&mut cpu, 9), (read, 0));
    cpu.complete(1);
    assert_eq!(enter(&mut cpu, 9), (read, 1));
    cpu.complete(2);
    assert!(is_hlt(enter(&mut cpu, 9).0));
}

#[test]
fn a_store_is_reported_when_it_is_done() {
    let mut cpu = device_cpu(|a| {
        a.nop().unwrap();
        a.mov(dword_ptr(rdi), eax).unwrap();
        a.mov(word_ptr(rdi), 0x1234).unwrap();
    });
    let write = |size, value| mmio(size, MmioOperation::Write(value));
    let first = write(Size::Dword, 0x1111_1111);
    assert_eq!(enter(&mut cpu, 9), (first, 2));
    assert_eq!(cpu.context().rip, CODE + 3);
    assert_eq!(enter(&mut cpu, 9), (write(Size::Word, 0x1234), 1));
    assert!(is_hlt(enter(&mut cpu, 9).0));
}

#[test]
fn what_reads_and_writes_does_both_one_after_the_other() {
    let mut cpu = device_cpu(|a| a.or(dword_ptr(rdi), 0x80).unwrap());
    assert_eq!(enter(&mut cpu, 9).0, mmio(Size::Dword, MmioOperation::Read));
    cpu.complete(1);
    assert_eq!(cpu.context().rip, CODE + 6);
    let write = mmio(Size::Dword, MmioOperation::Write(0x81));
    // Even if another context is here meanwhile.
    let mut waiting = cpu.context().clone();
    std::mem::swap(cpu.context(), &mut waiting);
    assert_eq!(enter(&mut cpu, 9), (write, 0));
    assert!(is_hlt(enter(&mut cpu, 9).0));
}

#[test]
fn what_cannot_be_done_with_a_device_says_so() {
    type Write = fn(&mut CodeAssembler);
    let cases: [(Size, Write); 3] = [
        (Size::Qword, |a| a.push(qword_ptr(rdi)).unwrap()),
        (Size::Dword, |a| a.bts(dword_ptr(rdi), 3u32).unwrap()),
        (Size::Qword, |a| a.call(qword_ptr(rdi)).unwrap()),
    ];
    for (size, write) in cases {
        let mut cpu = device_cpu(write);
        let trap = mmio(size, MmioOperation::Unsupported);
        assert_eq!(enter(&mut cpu, 9), (trap, 0));
        assert_eq!(cpu.context().rip, CODE);
    }
}

#[test]
fn code_is_not_fetched_from_a_device() {
    let mut cpu = device_cpu(|a| a.jmp(rdi).unwrap());
    assert_eq!(
        enter(&mut cpu, 9),
        (mmio(Size::Byte, MmioOperation::Fetch), 1)
    );
    assert_eq!(cpu.context().rip, DEVICE);
}

#[test]
#[should_panic(expected = "waits for its answer")]
fn entering_with_a_read_unanswered_is_an_error() {
    let mut cpu = device_cpu(|a| a.mov(rax, qword_ptr(rdi)).unwrap());
    enter(&mut cpu, 9);
    enter(&mut cpu, 9);
}

#[test]
#[should_panic(expected = "no read from MMIO waits")]
fn an_answer_that_nobody_waits_for_is_an_error() {
    device_cpu(|a| a.nop().unwrap()).complete(1);
}
