//! Two CPUs on two threads share a memory, and lose nothing.

mod machine;

use common::{Cpu, Fault, Gpr, Memory, Size, SystemInstruction, Trap};
use iced_x86::IcedError;
use iced_x86::code_asm::*;
use machine::{CODE, DATA, cpu, enter, map, memory, write_code};
use std::sync::Barrier;

/// How often each CPU does what the test is about.
const ROUNDS: u64 = 100_000;
/// The same for what waits for a lock, whose holder the host may have put aside.
const LOCKED_ROUNDS: u64 = 10_000;
const COUNTER: u64 = DATA;
const LOCK: u64 = DATA + 0x100;

/// Runs the code, which must count RCX down to 0 and halt, on two CPUs at once.
fn on_two_cpus(
    memory: &Memory,
    rounds: u64,
    emit: impl Fn(&mut CodeAssembler) -> Result<(), IcedError>,
) {
    write_code(memory, CODE, emit);
    let start = &Barrier::new(2);
    std::thread::scope(|scope| {
        for number in 0..2 {
            scope.spawn(move || {
                let mut cpu = cpu(memory, CODE);
                let registers = &mut cpu.context().registers;
                registers[Gpr::Rcx] = rounds;
                registers[Gpr::Rdi] = COUNTER;
                registers[Gpr::Rsi] = LOCK;
                start.wait();
                // Short entries, so that they meet in all kinds of places.
                let stop = loop {
                    let (trap, _) = enter(&mut cpu, 1000 + 7 * number);
                    if trap != Trap::Budget {
                        break trap;
                    }
                };
                let halted = SystemInstruction::Hlt;
                assert!(
                    matches!(stop, Trap::System { instruction, .. } if instruction == halted),
                    "{stop:?}"
                );
            });
        }
    });
}

fn counter(memory: &Memory) -> u64 {
    memory.load(COUNTER, Size::Qword).unwrap()
}

#[test]
fn locked_increments_are_all_counted() {
    // For so long that even a busy host runs both CPUs at once for a while.
    let rounds = 20 * ROUNDS;
    let memory = memory();
    on_two_cpus(&memory, rounds, |a| {
        let mut again = a.create_label();
        a.set_label(&mut again)?;
        a.lock().inc(qword_ptr(rdi))?;
        a.dec(rcx)?;
        a.jnz(again)?;
        a.hlt()
    });
    assert_eq!(counter(&memory), 2 * rounds);
}

#[test]
fn xadd_gives_every_ticket_once() {
    let memory = memory();
    on_two_cpus(&memory, ROUNDS, |a| {
        // Each ticket's own byte is flipped: drawn twice, it would be 0 again.
        let mut again = a.create_label();
        a.set_label(&mut again)?;
        a.mov(eax, 1)?;
        a.lock().xadd(dword_ptr(rdi), eax)?;
        a.mov(r9d, eax)?;
        a.lock().xor(byte_ptr(rsi + r9), 1)?;
        a.dec(rcx)?;
        a.jnz(again)?;
        a.hlt()
    });
    let mut drawn = vec![0; 2 * ROUNDS as usize];
    memory.read(LOCK, &mut drawn).unwrap();
    assert!(drawn.iter().all(|byte| *byte == 1));
}

/// A plain increment under a lock that `acquire` takes; it finds the lock's
/// address in RSI, and jumps to the label to try again.
fn count_under_lock(acquire: fn(&mut CodeAssembler, CodeLabel) -> Result<(), IcedError>) {
    let memory = memory();
    on_two_cpus(&memory, LOCKED_ROUNDS, |a| {
        let mut again = a.create_label();
        a.set_label(&mut again)?;
        acquire(a, again)?;
        a.mov(rdx, ptr(rdi))?;
        a.inc(rdx)?;
        a.mov(ptr(rdi), rdx)?;
        a.mov(dword_ptr(rsi), 0)?;
        a.dec(rcx)?;
        a.jnz(again)?;
        a.hlt()
    });
    assert_eq!(counter(&memory), 2 * LOCKED_ROUNDS);
}

#[test]
fn a_spinlock_of_xchg_excludes() {
    count_under_lock(|a, again| {
        a.mov(eax, 1)?;
        a.xchg(dword_ptr(rsi), eax)?;
        a.test(eax, eax)?;
        a.jnz(again)
    });
}

#[test]
fn a_spinlock_of_cmpxchg_excludes() {
    count_under_lock(|a, again| {
        a.xor(eax, eax)?;
        a.mov(edx, 1)?;
        a.lock().cmpxchg(dword_ptr(rsi), edx)?;
        a.jnz(again)
    });
}

#[test]
fn a_spinlock_of_bts_excludes() {
    count_under_lock(|a, again| {
        a.lock().bts(dword_ptr(rsi), 31)?;
        a.jc(again)
    });
}

#[test]
fn sixteen_bytes_are_exchanged_as_one() {
    let memory = memory();
    on_two_cpus(&memory, ROUNDS, |a| {
        // Both halves count; they would drift apart if an exchange were torn.
        let mut again = a.create_label();
        let mut retry = a.create_label();
        a.mov(r10, rcx)?;
        a.set_label(&mut again)?;
        a.xor(eax, eax)?;
        a.xor(edx, edx)?;
        a.set_label(&mut retry)?;
        a.lea(rbx, qword_ptr(rax + 1))?;
        a.lea(rcx, qword_ptr(rdx + 1))?;
        a.lock().cmpxchg16b(xmmword_ptr(rdi))?;
        a.jnz(retry)?;
        a.dec(r10)?;
        a.jnz(again)?;
        a.hlt()
    });
    assert_eq!(counter(&memory), 2 * ROUNDS);
    assert_eq!(memory.load(COUNTER + 8, Size::Qword), Some(2 * ROUNDS));
}

#[test]
fn an_exchange_that_fails_still_needs_the_right_to_write() {
    let memory = memory();
    write_code(&memory, CODE, |a| a.lock().cmpxchg(dword_ptr(rdi), ebx));
    map(&memory, DATA, 1);
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rax] = 1;
    let (trap, retired) = enter(&mut cpu, 1);
    assert!(
        matches!(trap, Trap::Fault(Fault::PageFault { address: DATA, .. })),
        "{trap:?}"
    );
    assert_eq!(retired, 0);
    assert_eq!(cpu.context().registers[Gpr::Rax], 1);
}

#[test]
fn sixteen_bytes_must_be_aligned() {
    let memory = memory();
    write_code(&memory, CODE, |a| a.cmpxchg16b(xmmword_ptr(rdi + 8)));
    let (trap, _) = enter(&mut cpu(&memory, CODE), 1);
    assert_eq!(trap, Trap::Fault(Fault::GeneralProtection(0)));
}
