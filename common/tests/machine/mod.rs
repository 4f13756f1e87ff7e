//! A small machine for tests of the software CPU: 2 MiB of RAM, mapped page by
//! page to the same addresses.

#![allow(dead_code)] // each test uses a part of it

use common::interp::Interp;
use common::{Cpu, Gpr, Kick, Memory, Size, Time, Trap};
use iced_x86::IcedError;
use iced_x86::code_asm::CodeAssembler;

pub const RAM: u64 = 0x20_0000;
pub const CODE: u64 = 0x10_0000;
/// Where all registers point at the start.
pub const DATA: u64 = 0x18_0000;

const ROOT: u64 = 0x1000;
const LAST_TABLE: u64 = 0x4000;
const PRESENT_WRITABLE: u64 = 3;

/// RAM with its page tables.
pub fn memory() -> Memory {
    let memory = Memory::new(RAM).unwrap();
    for (table, below) in [(ROOT, 0x2000), (0x2000, 0x3000), (0x3000, LAST_TABLE)] {
        let entry = below | PRESENT_WRITABLE;
        memory.store(table, Size::Qword, entry).unwrap();
    }
    for page in (0..RAM).step_by(4096) {
        map(&memory, page, PRESENT_WRITABLE);
    }
    memory
}

/// Maps the page at an address with these rights, or, with none, unmaps it.
pub fn map(memory: &Memory, page: u64, rights: u64) {
    let slot = LAST_TABLE + page / 4096 * 8;
    memory.store(slot, Size::Qword, page | rights).unwrap();
}

/// A CPU in front of code that is already in memory.
pub fn cpu(memory: &Memory, rip: u64) -> Interp {
    let mut cpu = Interp::new(memory.clone());
    let context = cpu.context();
    context.space.set_root(ROOT);
    context.rip = rip;
    for register in Gpr::ALL {
        context.registers[register] = DATA;
    }
    cpu
}

/// Puts assembled code at an address.
pub fn write_code(
    memory: &Memory,
    at: u64,
    emit: impl Fn(&mut CodeAssembler) -> Result<(), IcedError>,
) {
    let mut asm = CodeAssembler::new(64).unwrap();
    emit(&mut asm).unwrap();
    memory.write(at, &asm.assemble(at).unwrap()).unwrap();
}

/// Runs with a budget; gives why it stopped, and what has retired.
pub fn enter(cpu: &mut Interp, budget: u64) -> (Trap, u64) {
    cpu.enter(Time::ZERO, budget, &Kick::default())
}
