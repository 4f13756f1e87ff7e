//! Tiny programs for tests.

use crate::{Context, Cpu, Gpr, Interp, Kick, Memory, Size, Time, Trap};
use iced_x86::code_asm::CodeAssembler;

/// Where programs are put.
pub const CODE: u64 = 0x10_0000;
/// Memory that programs may use.
pub const DATA: u64 = 0x20_0000;
/// Their stack's first address above.
pub const STACK: u64 = 0x30_0000;
/// Bytes of RAM.
pub const RAM: u64 = 0x40_0000;

const TABLES: u64 = 0x1000;

/// A CPU with identity page tables (2 MiB pages over the first GiB, so most of
/// it has no RAM), about to run `bytes` at [`CODE`].
pub fn cpu_with(bytes: &[u8]) -> Interp {
    let memory = Memory::new(RAM).unwrap();
    identity_map(&memory);
    memory.write(CODE, bytes).unwrap();
    let mut cpu = Interp::new(memory);
    let context = cpu.context();
    context.space.set_root(TABLES);
    context.rip = CODE;
    context.registers[Gpr::Rsp] = STACK;
    cpu
}

/// Maps the first GiB to itself, for everybody and everything.
pub fn identity_map(memory: &Memory) {
    let entry = |slot: u64, value| memory.store(slot, Size::Qword, value).unwrap();
    entry(TABLES, (TABLES + 0x1000) | 7);
    entry(TABLES + 0x1000, (TABLES + 0x2000) | 7);
    for i in 0..512 {
        entry(TABLES + 0x2000 + i * 8, i << 21 | 0x87);
    }
}

/// Assembles a program at [`CODE`].
pub fn assemble(write: impl FnOnce(&mut CodeAssembler)) -> Vec<u8> {
    let mut assembler = CodeAssembler::new(64).unwrap();
    write(&mut assembler);
    assembler.assemble(CODE).unwrap()
}

/// A CPU about to run a program that ends with `hlt`.
pub fn cpu(write: impl FnOnce(&mut CodeAssembler)) -> Interp {
    cpu_with(&assemble(|a| {
        write(a);
        a.hlt().unwrap();
    }))
}

/// Runs until something stops it.
pub fn enter(cpu: &mut Interp, budget: u64) -> (Trap, u64) {
    cpu.enter(Time::ZERO, budget, &Kick::default())
}

/// Runs a program to its `hlt`, with the context that `prepare` leaves, and
/// returns the context at its end.
pub fn run(prepare: impl FnOnce(&mut Context), write: impl FnOnce(&mut CodeAssembler)) -> Context {
    let mut cpu = cpu(write);
    prepare(cpu.context());
    let (trap, _) = enter(&mut cpu, 1_000_000);
    assert!(is_hlt(trap), "{trap:?} at {:#x}", cpu.context().rip);
    cpu.context().clone()
}

/// Whether a trap is that of `hlt`.
pub fn is_hlt(trap: Trap) -> bool {
    use crate::SystemInstruction::Hlt;
    matches!(
        trap,
        Trap::System {
            instruction: Hlt,
            ..
        }
    )
}
