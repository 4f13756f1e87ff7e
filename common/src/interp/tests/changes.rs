//! Code that changes while it runs, whoever changes it.

use crate::interp::testing::*;
use crate::{Cpu, Gpr, Kick, Memory, Size, Time, Trap};
use iced_x86::code_asm::*;

#[test]
fn a_store_into_the_running_block_changes_the_next_instruction() {
    // mov byte [rip + 1], 7 ; mov al, 0 ; hlt
    let bytes = [0xc6, 5, 1, 0, 0, 0, 7, 0xb0, 0, 0xf4];
    let mut cpu = cpu_with(&bytes);
    assert_eq!(enter(&mut cpu, 2), (Trap::Budget, 2));
    assert_eq!(cpu.context().registers[Gpr::Rax], 7);
}

#[test]
fn a_loop_that_counts_in_its_own_immediate_sees_every_change() {
    let mut cpu = cpu_with(&assemble(|a| {
        let mut again = a.create_label();
        a.mov(ecx, 10).unwrap();
        a.set_label(&mut again).unwrap();
        a.add(rbx, 1).unwrap();
        a.add(byte_ptr(CODE + 5 + 3), 1).unwrap();
        a.dec(ecx).unwrap();
        a.jnz(again).unwrap();
        a.hlt().unwrap();
    }));
    assert!(is_hlt(enter(&mut cpu, 1000).0));
    assert_eq!(cpu.context().registers[Gpr::Rbx], (1..=10).sum::<u64>());
}

#[test]
fn pushes_and_calls_into_code_change_it_too() {
    let bytes = assemble(|a| {
        a.mov(rsp, DATA + 16).unwrap();
        a.mov(rax, 0x9090_9090_f403_b090u64).unwrap();
        a.push(rax).unwrap();
        a.mov(rdi, DATA + 8).unwrap();
        a.jmp(rdi).unwrap();
    });
    let mut cpu = cpu_with(&bytes);
    let memory = cpu.context().space.memory.clone();
    memory.write(DATA + 8, &[0xb0, 1, 0xf4]).unwrap();
    cpu.context().rip = DATA + 8;
    assert!(is_hlt(enter(&mut cpu, 9).0));
    cpu.context().rip = CODE;
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax] & 0xff, 3);
}

#[test]
fn a_device_that_writes_over_code_is_noticed() {
    let mut cpu = cpu_with(&[0xb0, 1, 0xf4]);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    cpu.context().space.memory.write(CODE + 1, &[2]).unwrap();
    cpu.context().rip = CODE;
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 2);
}

#[test]
fn another_cpu_that_writes_over_code_is_noticed() {
    let mut cpu = cpu_with(&[0xb0, 1, 0xf4]);
    assert!(is_hlt(enter(&mut cpu, 9).0));
    let memory = cpu.context().space.memory.clone();
    // The other one stores before it has ever seen code there.
    let mut other = crate::Interp::new(memory.clone());
    let code = assemble(|a| {
        a.mov(byte_ptr(CODE + 1), 9).unwrap();
        a.hlt().unwrap();
    });
    memory.write(DATA, &code).unwrap();
    *other.context() = cpu.context().clone();
    other.context().rip = DATA;
    assert!(is_hlt(enter(&mut other, 9).0));
    cpu.context().rip = CODE;
    assert!(is_hlt(enter(&mut cpu, 9).0));
    assert_eq!(cpu.context().registers[Gpr::Rax], 9);
}

#[test]
fn a_cpu_in_another_thread_leaves_a_loop_that_is_patched_away() {
    let mut cpu = cpu_with(&[0xeb, 0xfe]);
    let memory: Memory = cpu.context().space.memory.clone();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(5));
        memory.store(CODE, Size::Word, 0xf4).unwrap();
    });
    let kick = Kick::default();
    let trap = cpu.enter(Time::ZERO, 10_000_000_000, &kick).0;
    assert!(is_hlt(trap), "{trap:?}");
    writer.join().unwrap();
}

#[test]
fn data_beside_code_can_be_written_without_harm() {
    let mut cpu = cpu(|a| {
        let mut again = a.create_label();
        a.mov(ecx, 100).unwrap();
        a.set_label(&mut again).unwrap();
        a.add(qword_ptr(CODE + 40), rcx).unwrap();
        a.add(qword_ptr(CODE + 0x800), rcx).unwrap();
        a.dec(ecx).unwrap();
        a.jnz(again).unwrap();
    });
    assert!(is_hlt(enter(&mut cpu, 10_000).0));
    let read = |address| cpu.context().read(address, Size::Qword);
    let mut read = read;
    assert_eq!((read(CODE + 40), read(CODE + 0x800)), (Ok(5050), Ok(5050)));
}

#[test]
fn code_that_is_written_back_as_it_was_still_runs() {
    let mut cpu = cpu_with(&[0xb0, 1, 0xf4]);
    let memory = cpu.context().space.memory.clone();
    for value in [1, 2, 1, 1] {
        memory.write(CODE + 1, &[value]).unwrap();
        cpu.context().rip = CODE;
        assert!(is_hlt(enter(&mut cpu, 9).0));
        assert_eq!(cpu.context().registers[Gpr::Rax], u64::from(value));
    }
}
