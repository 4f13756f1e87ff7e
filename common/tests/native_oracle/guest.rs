//! Runs sequences on the software CPU, at the addresses that they have natively.

use crate::program::Program;
use crate::state::{CODE_PAGES, DATA_PAGES, Layout, SCRATCH, STACK_PAGES, State};
use common::interp::Interp;
use common::{Context, Cpu, Gpr, Kick, Memory, PAGE_SIZE, Registers, Size};
use common::{SystemInstruction, Time, Trap};

const PAGES: u64 = CODE_PAGES + DATA_PAGES + STACK_PAGES;
/// Page tables are below, and the guest's pages above, in reverse order: what
/// is next to each other for the guest is not so in RAM.
const FIRST_PAGE: u64 = 0x10_000;
const RAM: u64 = FIRST_PAGE + PAGES * PAGE_SIZE;
const HLT: u8 = 0xf4;

/// A guest's memory, for one program after the other.
pub struct Guest {
    memory: Memory,
    layout: Layout,
}

impl Guest {
    pub fn new(layout: Layout) -> Guest {
        let memory = Memory::new(RAM).expect("memory for a guest");
        map(&memory, layout);
        Guest { memory, layout }
    }

    /// Runs a program from a state on a new CPU, with at most `budget`
    /// instructions an entry, and gives the state behind its last instruction.
    ///
    /// # Errors
    /// If it ends otherwise than by getting there: where, and why.
    pub fn run(&self, program: &Program, from: &State, budget: u64) -> Result<State, String> {
        let mut cpu = Interp::new(self.memory.clone());
        let code = [&program.bytes[..], &[HLT]].concat();
        load(cpu.context(), self.layout, &code, from);
        // More entries than any sequence needs: each iteration of a string
        // instruction may take one.
        for _ in 0..100_000 {
            let (trap, retired) = cpu.enter(Time::ZERO, budget, &Kick::default());
            let context = cpu.context();
            match trap {
                Trap::Budget if retired == budget => {}
                Trap::System { instruction, .. }
                    if context.rip == program.end() && instruction == SystemInstruction::Hlt =>
                {
                    return Ok(save(context, self.layout));
                }
                trap => {
                    let rip = context.rip;
                    return Err(format!(
                        "{trap:?} at {rip:#x} after {retired} of {budget} instructions"
                    ));
                }
            }
        }
        Err(format!("no end in sight at {:#x}", cpu.context().rip))
    }
}

fn load(context: &mut Context, layout: Layout, code: &[u8], from: &State) {
    context.space.set_root(PAGE_SIZE);
    context.registers = Registers(from.registers);
    context.rip = layout.code;
    context.flags = from.flags;
    context.xmm = from.xmm;
    context.mxcsr = from.mxcsr;
    let page = PAGE_SIZE as usize;
    for (start, bytes) in [(layout.code, code), (layout.data(), &from.scratch)] {
        for (address, bytes) in (start..).step_by(page).zip(bytes.chunks(page)) {
            let written = context.space.memory.write(physical(layout, address), bytes);
            written.expect("the guest's pages are RAM");
        }
    }
}

fn save(context: &Context, layout: Layout) -> State {
    let mut scratch = vec![0; SCRATCH];
    let page = PAGE_SIZE as usize;
    for (address, bytes) in (layout.data()..)
        .step_by(page)
        .zip(scratch.chunks_mut(page))
    {
        let read = context.space.memory.read(physical(layout, address), bytes);
        read.expect("the guest's pages are RAM");
    }
    State {
        registers: Gpr::ALL.map(|register| context.registers[register]),
        flags: context.flags,
        xmm: context.xmm,
        mxcsr: context.mxcsr,
        scratch,
    }
}

/// Where the guest's page with an address is in its RAM.
fn physical(layout: Layout, address: u64) -> u64 {
    let page = (address - layout.code) / PAGE_SIZE;
    FIRST_PAGE + (PAGES - 1 - page) * PAGE_SIZE + address % PAGE_SIZE
}

/// Page tables that map the guest's pages: the root in page 1, then one table
/// a level, and a second for each level that the pages straddle.
fn map(memory: &Memory, layout: Layout) {
    const PRESENT_WRITABLE: u64 = 3;
    for page in 0..PAGES {
        let address = layout.code + page * PAGE_SIZE;
        let mut table = PAGE_SIZE;
        for (level, shift) in (0..).zip([39, 30, 21]) {
            let index = address >> shift & 0x1ff;
            // Neighbours at a level use the even and the odd table below it.
            let below = (2 + 2 * level + (address >> shift & 1)) * PAGE_SIZE;
            let entry = below | PRESENT_WRITABLE;
            let stored = memory.store(table + 8 * index, Size::Qword, entry);
            stored.expect("page tables are in RAM");
            table = below;
        }
        let entry = physical(layout, address) | PRESENT_WRITABLE;
        let slot = table + 8 * (address >> 12 & 0x1ff);
        let stored = memory.store(slot, Size::Qword, entry);
        stored.expect("page tables are in RAM");
    }
}
