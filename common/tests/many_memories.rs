//! Thousands of VMs that begin as one image: what they cost, and that none sees
//! what another does.
//!
//! The tests of this file share a process, and one of them measures it: so they
//! take turns.

#![cfg(unix)]

use common::{
    Boot, Context, Cpu, Gpr, Interp, Kick, Memory, Size, SystemInstruction, Template, Time, Trap,
    boot,
};
use std::sync::{Mutex, MutexGuard};

/// As much RAM as guests are promised.
const RAM: u64 = 16 << 20;
const VMS: u64 = 2_000;
/// Where the guest stores.
const DATA: u64 = 0x20_0000;
/// The immediate operand of the guest's first instruction.
const OPERAND: u64 = boot::IMAGE_START + 1;

/// `mov al, 1`; `add [DATA], rdi`; `push rdi`; `hlt`.
const GUEST: [u8; 12] = [
    0xb0, 1, 0x48, 0x01, 0x3c, 0x25, 0x00, 0x00, 0x20, 0x00, 0x57, 0xf4,
];

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn template() -> (Template, Boot) {
    let memory = Memory::new(RAM).unwrap();
    let boot = Boot::prepare(&memory, boot::IMAGE_START).unwrap();
    memory.write(boot::IMAGE_START, &GUEST).unwrap();
    // An image has data, too, that no VM changes.
    memory.write(0x30_0000, &[0xd5; 1 << 20]).unwrap();
    (Template::of(&memory).unwrap(), boot)
}

/// Runs a VM's guest from its start to its `hlt` and says what AL was then.
fn run(cpu: &mut Interp, context: &mut Context, boot: Boot, number: u64) -> u64 {
    context.space.set_root(boot.root);
    context.rip = boot.entry;
    context.registers[Gpr::Rsp] = boot.stack;
    context.registers[Gpr::Rdi] = number;
    std::mem::swap(cpu.context(), context);
    let (trap, _) = cpu.enter(Time::ZERO, 100, &Kick::default());
    std::mem::swap(cpu.context(), context);
    let hlt = Trap::System {
        instruction: SystemInstruction::Hlt,
        length: 1,
    };
    assert_eq!(trap, hlt);
    context.registers[Gpr::Rax] & 0xff
}

fn machines(template: &Template) -> Vec<Context> {
    let machine = |_| Context::new(template.memory().unwrap());
    (1..=VMS).map(machine).collect()
}

/// KiB of RAM that this process shares with nobody, if the host says so.
fn own_kibibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn no_vm_sees_what_another_one_stores() {
    let _turn = turn();
    let (template, boot) = template();
    let mut cpu = Interp::new(Memory::new(4096).unwrap());
    let mut machines = machines(&template);
    for _ in 0..2 {
        for (number, machine) in (1..).zip(&mut machines) {
            assert_eq!(run(&mut cpu, machine, boot, number), 1);
        }
    }
    for (number, machine) in (1..).zip(&machines) {
        let found = machine.space.memory.load(DATA, Size::Qword);
        assert_eq!(found, Some(2 * number));
    }
    let fresh = template.memory().unwrap();
    assert_eq!(fresh.load(DATA, Size::Qword), Some(0));
}

#[test]
fn a_store_into_the_code_of_one_vm_changes_that_vm_alone() {
    let _turn = turn();
    let (template, boot) = template();
    let mut cpu = Interp::new(Memory::new(4096).unwrap());
    let mut machines = machines(&template);
    for machine in &mut machines {
        assert_eq!(run(&mut cpu, machine, boot, 0), 1);
    }
    let changed = machines.len() - 7;
    machines[changed].space.memory.write(OPERAND, &[9]).unwrap();
    for (place, machine) in machines.iter_mut().enumerate() {
        let expected = if place == changed { 9 } else { 1 };
        assert_eq!(run(&mut cpu, machine, boot, 0), expected, "{place}");
    }
}

/// How many mappings of files without a name this process has, if the host
/// says so.
fn mappings() -> Option<usize> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let nameless = |line: &&str| line.ends_with("(deleted)");
    Some(maps.lines().filter(nameless).count())
}

#[test]
fn a_vm_that_is_gone_leaves_nothing_though_its_cpu_goes_on() {
    let _turn = turn();
    let (template, boot) = template();
    let Some(before) = mappings() else {
        println!("skipped: this host does not say in /proc what is mapped");
        return;
    };
    let mut cpu = Interp::new(Memory::new(4096).unwrap());
    let mut machines = machines(&template);
    for machine in &mut machines {
        run(&mut cpu, machine, boot, 0);
    }
    assert_eq!(mappings(), Some(before + VMS as usize));
    machines.clear();
    // The CPU may hold on to the one that ran last.
    assert!(mappings().unwrap() <= before + 1);
}

#[test]
fn an_idle_vm_costs_tens_of_kibibytes() {
    let _turn = turn();
    let (template, boot) = template();
    let Some(before) = own_kibibytes() else {
        println!("skipped: this host does not say in /proc how much memory is in use");
        return;
    };
    let mut cpu = Interp::new(Memory::new(4096).unwrap());
    let mut machines = machines(&template);
    for (number, machine) in (1..).zip(&mut machines) {
        run(&mut cpu, machine, boot, number);
    }
    let each = own_kibibytes().unwrap().saturating_sub(before) as f64 / VMS as f64;
    println!("{VMS} VMs that have run: {each:.1} KiB each");
    // What is shared would not show; that something is not, must.
    assert!((12.0..64.0).contains(&each), "{each:.1} KiB");
}
