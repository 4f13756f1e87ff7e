//! VMs that take turns on one CPU: what it still knows of each must be true,
//! whatever was done to it while it was away.

use super::paging::{PRESENT, WINDOW, cpu_with_window, map};
use crate::interp::testing::*;
use crate::{Context, Cpu, Gpr, Interp, Memory, Size, Trap, View};
use iced_x86::code_asm::*;

/// Runs a context to its `hlt` on a CPU, in place of whoever is there, and says
/// what AL was then.
fn run_on(cpu: &mut Interp, context: &mut Context, rip: u64) -> u64 {
    std::mem::swap(cpu.context(), context);
    cpu.context().rip = rip;
    let (trap, _) = enter(cpu, 100);
    std::mem::swap(cpu.context(), context);
    assert!(is_hlt(trap), "{trap:?}");
    context.registers[Gpr::Rax] & 0xff
}

/// The context of a VM that runs `mov al, value; hlt`.
fn vm(value: u8) -> Context {
    cpu_with(&[0xb0, value, 0xf4]).context().clone()
}

/// A CPU that is in the middle of something else.
fn busy_cpu() -> Interp {
    let mut cpu = cpu(|_| {});
    assert!(is_hlt(enter(&mut cpu, 1).0));
    cpu
}

#[test]
fn code_that_the_vmm_changes_while_its_vm_is_away_is_seen() {
    let mut cpu = busy_cpu();
    let [mut one, mut other] = [vm(1), vm(2)];
    for value in [1, 5, 6, 6, 1] {
        one.space.memory.write(CODE + 1, &[value]).unwrap();
        assert_eq!(run_on(&mut cpu, &mut one, CODE), u64::from(value));
        assert_eq!(run_on(&mut cpu, &mut other, CODE), 2);
    }
}

#[test]
fn code_that_another_cpu_changes_while_its_vm_is_away_is_seen() {
    let mut cpus = [busy_cpu(), busy_cpu()];
    let [mut one, mut other] = [vm(1), vm(2)];
    // Another vCPU of the first VM: it changes what both of them run.
    let mut sibling = one.clone();
    let change = assemble(|a| {
        a.add(byte_ptr(CODE + 1), 1).unwrap();
        a.hlt().unwrap();
    });
    one.space.memory.write(DATA, &change).unwrap();
    for round in 0..6 {
        assert_eq!(run_on(&mut cpus[0], &mut one, CODE), 1 + round);
        assert_eq!(run_on(&mut cpus[0], &mut other, CODE), 2);
        run_on(&mut cpus[round as usize % 2], &mut sibling, DATA);
    }
}

/// A VM that loads from the window's first page, which is mapped to a page
/// that holds 1, and has run.
fn vm_with_window(cpu: &mut Interp) -> Context {
    let mut context = cpu_with_window(|a| a.mov(rax, qword_ptr(rdi)).unwrap())
        .context()
        .clone();
    let memory = &context.space.memory;
    memory.store(DATA, Size::Qword, 1).unwrap();
    memory.store(DATA + 4096, Size::Qword, 2).unwrap();
    map(memory, 0, DATA | PRESENT);
    context.registers[Gpr::Rdi] = WINDOW;
    assert_eq!(run_on(cpu, &mut context, CODE), 1);
    context
}

fn remap(memory: &Memory) {
    map(memory, 0, (DATA + 4096) | PRESENT);
}

#[test]
fn a_translation_is_kept_while_another_vm_runs() {
    let mut cpu = busy_cpu();
    let mut one = vm_with_window(&mut cpu);
    run_on(&mut cpu, &mut vm(2), CODE);
    remap(&one.space.memory);
    assert_eq!(run_on(&mut cpu, &mut one, CODE), 1);
}

#[test]
fn what_a_vm_is_to_forget_while_it_is_away_is_forgotten() {
    let invalidate: fn(&mut Context) = |context| context.space.invalidate(WINDOW);
    let reload: fn(&mut Context) = |context| context.space.set_root(context.space.root());
    for forget in [invalidate, reload] {
        let mut cpu = busy_cpu();
        let mut one = vm_with_window(&mut cpu);
        run_on(&mut cpu, &mut vm(2), CODE);
        remap(&one.space.memory);
        forget(&mut one);
        assert_eq!(run_on(&mut cpu, &mut one, CODE), 2);
    }
}

#[test]
fn what_a_vm_has_forgotten_on_another_cpu_is_forgotten_here() {
    let [mut here, mut there] = [busy_cpu(), busy_cpu()];
    let mut one = vm_with_window(&mut here);
    remap(&one.space.memory);
    one.space.invalidate(WINDOW);
    assert_eq!(run_on(&mut there, &mut one, CODE), 2);
    assert_eq!(run_on(&mut here, &mut one, CODE), 2);
}

#[test]
fn what_is_known_belongs_to_one_of_two_copies() {
    let mut cpu = busy_cpu();
    let mut one = vm_with_window(&mut cpu);
    let mut copy = one.clone();
    remap(&one.space.memory);
    copy.space.invalidate(WINDOW);
    assert_eq!(run_on(&mut cpu, &mut copy, CODE), 2);
    assert_eq!(run_on(&mut cpu, &mut one, CODE), 2);
}

/// The context of a VM that runs `mov al, value; hlt` by a computed jump: where
/// those led last is looked up by address alone.
fn jumping(value: u8) -> Context {
    let mut context = cpu(|a| a.jmp(rdi).unwrap()).context().clone();
    let code = [0xb0, value, 0xf4];
    context.space.memory.write(DATA + 8, &code).unwrap();
    context.registers[Gpr::Rdi] = DATA + 8;
    context
}

#[test]
fn another_memory_in_the_same_context_is_seen() {
    let mut cpu = busy_cpu();
    let mut one = jumping(1);
    for value in [1, 3, 4] {
        one.space.memory = jumping(value).space.memory;
        for _ in 0..2 {
            assert_eq!(run_on(&mut cpu, &mut one, CODE), u64::from(value));
            run_on(&mut cpu, &mut vm(2), CODE);
        }
    }
}

#[test]
fn computed_jumps_to_one_address_lead_to_the_code_of_each_vm() {
    let mut cpu = busy_cpu();
    let mut machines = [1, 2].map(jumping);
    for _ in 0..4 {
        for (value, machine) in (1..).zip(&mut machines) {
            assert_eq!(run_on(&mut cpu, machine, CODE), value);
        }
    }
}

#[test]
fn one_address_of_code_may_lead_elsewhere_in_each_vm() {
    let mut cpu = busy_cpu();
    let mut machines = [0, 4096].map(|offset| {
        let context = cpu_with_window(|_| {}).context().clone();
        map(&context.space.memory, 0, (DATA + offset) | PRESENT);
        for place in (0..0x40).step_by(8) {
            let code = [0xb0, offset as u8 | (offset >> 8) as u8, 0xf4];
            context
                .space
                .memory
                .write(DATA + offset + place, &code)
                .unwrap();
        }
        context
    });
    // Each time code that was not decoded yet.
    for place in (0..0x40).step_by(8) {
        for (expected, machine) in [0, 0x10].into_iter().zip(&mut machines) {
            assert_eq!(run_on(&mut cpu, machine, WINDOW + place), expected);
        }
    }
}

#[test]
fn what_the_kernel_of_one_vm_may_do_its_user_may_not_after_another_vm() {
    let mut cpu = busy_cpu();
    let mut one = vm_with_window(&mut cpu);
    let mut other = vm(2);
    other.space.view = View::User;
    for _ in 0..2 {
        one.space.view = View::Kernel;
        assert_eq!(run_on(&mut cpu, &mut one, CODE), 1);
        std::mem::swap(cpu.context(), &mut other);
        cpu.context().rip = CODE;
        enter(&mut cpu, 1);
        std::mem::swap(cpu.context(), &mut other);
        one.space.view = View::User;
        one.rip = CODE;
        std::mem::swap(cpu.context(), &mut one);
        let (trap, _) = enter(&mut cpu, 100);
        std::mem::swap(cpu.context(), &mut one);
        assert!(matches!(trap, Trap::Fault(_)), "{trap:?}");
    }
}

#[test]
fn more_vms_than_a_cpu_can_remember_run_as_before() {
    let mut cpu = busy_cpu();
    let mut machines: Vec<Context> = (0..300).map(|number| vm(number as u8)).collect();
    for round in 0..3 {
        for (number, machine) in machines.iter_mut().enumerate() {
            let value = (number as u8).wrapping_add(round);
            machine.space.memory.write(CODE + 1, &[value]).unwrap();
            assert_eq!(run_on(&mut cpu, machine, CODE), u64::from(value));
        }
    }
}
