//! The CPU as a whole: budgets, kicks, traps, blocks.

mod changes;
mod devices;
mod paging;
mod pauses;
mod random;
mod system;
mod turns;

use super::testing::*;
use crate::{Cpu, Fault, Gpr, Kick, SystemInstruction, Time, Trap};
use iced_x86::code_asm::*;

#[test]
fn a_loop_runs_to_its_end_and_every_instruction_is_counted() {
    let mut cpu = cpu(|a| {
        let mut again = a.create_label();
        a.mov(ecx, 1000).unwrap();
        a.xor(eax, eax).unwrap();
        a.set_label(&mut again).unwrap();
        a.add(rax, rcx).unwrap();
        a.dec(ecx).unwrap();
        a.jnz(again).unwrap();
    });
    let (trap, retired) = enter(&mut cpu, u64::MAX);
    assert!(is_hlt(trap), "{trap:?}");
    assert_eq!(retired, 2 + 3 * 1000);
    assert_eq!(cpu.context().registers[Gpr::Rax], 500_500);
}

#[test]
fn calls_return_and_the_stack_is_as_before() {
    let context = run(
        |_| {},
        |a| {
            let (mut function, mut end) = (a.create_label(), a.create_label());
            a.mov(rbx, 5u64).unwrap();
            a.push(rbx).unwrap();
            a.call(function).unwrap();
            a.pop(rcx).unwrap();
            a.jmp(end).unwrap();
            a.set_label(&mut function).unwrap();
            a.mov(rax, qword_ptr(rsp + 8)).unwrap();
            a.ret().unwrap();
            a.set_label(&mut end).unwrap();
        },
    );
    assert_eq!(context.registers[Gpr::Rax], 5);
    assert_eq!(context.registers[Gpr::Rcx], 5);
    assert_eq!(context.registers[Gpr::Rsp], STACK);
}

#[test]
fn a_pending_kick_ends_an_entry_after_one_instruction() {
    for code in [&[0xeb, 0xfe], &[0x90, 0x90]] {
        let mut cpu = cpu_with(code);
        let kick = Kick::default();
        kick.kick();
        for _ in 0..2 {
            assert_eq!(cpu.enter(Time::ZERO, 1_000, &kick), (Trap::Kicked, 1));
        }
        assert!(kick.is_pending());
    }
}

#[test]
fn with_a_kick_pending_a_first_instruction_that_traps_still_traps() {
    let mut cpu = cpu(|_| {});
    let kick = Kick::default();
    kick.kick();
    let (trap, retired) = cpu.enter(Time::ZERO, 10, &kick);
    assert!(is_hlt(trap), "{trap:?}");
    assert_eq!(retired, 0);
}

#[test]
fn with_a_kick_pending_a_repeated_instruction_gets_on() {
    let mut cpu = cpu(|a| a.rep().stosb().unwrap());
    cpu.context().registers[Gpr::Rdi] = DATA;
    cpu.context().registers[Gpr::Rcx] = 10_000;
    let kick = Kick::default();
    kick.kick();
    let mut entries = 0;
    while !is_hlt(cpu.enter(Time::ZERO, 100_000, &kick).0) {
        entries += 1;
        assert!(entries <= 10_000);
    }
    assert_eq!(cpu.context().registers[Gpr::Rcx], 0);
}

#[test]
fn a_kick_from_another_thread_ends_an_endless_loop() {
    let mut cpu = cpu_with(&[0xeb, 0xfe]);
    let kick = Kick::default();
    let remote = kick.clone();
    let kicker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(5));
        remote.kick();
    });
    assert_eq!(cpu.enter(Time::ZERO, u64::MAX, &kick).0, Trap::Kicked);
    kicker.join().unwrap();
}

#[test]
fn a_system_instruction_traps_with_its_operands_and_does_nothing() {
    let mut cpu = cpu(|a| {
        a.mov(edx, 0x3f8).unwrap();
        a.out(dx, al).unwrap();
    });
    let expected = Trap::System {
        instruction: SystemInstruction::Out {
            port: 0x3f8,
            size: crate::Size::Byte,
        },
        length: 1,
    };
    assert_eq!(enter(&mut cpu, 10), (expected, 1));
    assert_eq!(cpu.context().rip, CODE + 5);
    assert_eq!(enter(&mut cpu, 10), (expected, 0));
}

#[test]
fn what_is_no_instruction_and_what_is_not_implemented_are_told_apart() {
    let cases: [(&[u8], bool); 3] = [
        (&[0x0f, 0x0b], false),
        (&[0x06], false),
        (&[0xd9, 0xe8], true),
    ];
    for (bytes, unimplemented) in cases {
        let mut cpu = cpu_with(bytes);
        let fault = Fault::InvalidOpcode { unimplemented };
        assert_eq!(enter(&mut cpu, 10), (Trap::Fault(fault), 0), "{bytes:x?}");
        assert_eq!(cpu.context().rip, CODE);
    }
}

#[test]
fn a_fault_in_the_middle_of_a_block_leaves_what_was_before_it() {
    let mut cpu = cpu(|a| {
        a.mov(eax, 1).unwrap();
        a.cmp(eax, 2).unwrap();
        a.mov(rbx, qword_ptr(rcx)).unwrap();
        a.mov(eax, 3).unwrap();
    });
    cpu.context().registers[Gpr::Rcx] = 1 << 50;
    let fault = Trap::Fault(Fault::GeneralProtection(0));
    assert_eq!(enter(&mut cpu, 10), (fault, 2));
    assert_eq!(cpu.context().rip, CODE + 10);
    assert_eq!(cpu.context().registers[Gpr::Rax], 1);
    let flags = crate::flags::CF | crate::flags::SF | crate::flags::AF | crate::flags::PF;
    assert_eq!(cpu.context().flags, flags | crate::flags::ALWAYS);
    cpu.context().registers[Gpr::Rcx] = DATA;
    assert!(is_hlt(enter(&mut cpu, 10).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 3);
}
