//! Runs a sequence on the host's own CPU. The only unsafe file of this test.
//!
//! One buffer holds, page by page: the trampoline, the registers to load and
//! to save, and then what the sequence sees (code, data, stack). The
//! trampoline puts the host's registers away, loads all of the guest's, and
//! jumps; the sequence ends in a jump to the trampoline's second half. That a
//! sequence cannot do harm is the generator's duty: it uses only instructions
//! from a list, and gives every address itself.

#![allow(unsafe_code)]

use crate::program::Program;
use crate::state::{CODE_PAGES, Layout, SCRATCH, State};
use common::{PAGE_SIZE, flags};
use iced_x86::code_asm::*;
use iced_x86::{BlockEncoderOptions, IcedError};
use vm_memory::mmap::MmapRegion;
use vm_memory::{Bytes, VolatileMemory};

/// Pages before the code: trampoline and registers.
const PAGES_BEFORE: u64 = 2;

// Offsets in the page of registers.
const REGISTERS: u64 = 0;
const FLAGS: u64 = 0x80;
const HOST_RSP: u64 = 0x88;
const MXCSR: u64 = 0x90;
const HOST_MXCSR: u64 = 0x94;
const XMM: u64 = 0xa0;

/// The host's CPU with its buffer.
pub struct Native {
    buffer: MmapRegion,
    exit: u64,
}

impl Native {
    /// Maps the buffer and writes the trampoline.
    pub fn new() -> Native {
        let pages = PAGES_BEFORE + CODE_PAGES;
        let size = (pages * PAGE_SIZE) as usize + SCRATCH;
        let buffer = MmapRegion::build(
            None,
            size,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
        )
        .expect("the host refuses memory that is writable and executable");
        let mut native = Native { buffer, exit: 0 };
        let (code, exit) = trampoline(native.start(), native.start() + PAGE_SIZE)
            .expect("the trampoline assembles");
        native.write(0, &code);
        native.exit = exit;
        native
    }

    fn start(&self) -> u64 {
        self.buffer.as_ptr() as u64
    }

    pub fn layout(&self) -> Layout {
        Layout {
            code: self.start() + PAGES_BEFORE * PAGE_SIZE,
        }
    }

    /// Runs a program of this layout from a state, and gives the state behind
    /// its last instruction.
    pub fn run(&self, program: &Program, from: &State) -> State {
        let code = (PAGES_BEFORE * PAGE_SIZE) as usize;
        self.write(code, &program.bytes);
        self.write(code + program.bytes.len(), &jump(program.end(), self.exit));
        self.load(from);
        // SAFETY: the trampoline at the buffer's start follows the C calling
        // convention: it keeps the callee-saved registers, the stack pointer,
        // MXCSR and the direction flag. It touches only its own pages; the
        // sequence it jumps to is made of listed instructions whose addresses
        // all lie in the pages of data and stack, and ends in the exit.
        unsafe {
            let enter: extern "C" fn() = std::mem::transmute(self.buffer.as_ptr());
            enter();
        }
        self.save()
    }

    fn load(&self, state: &State) {
        let page = PAGE_SIZE;
        for (index, value) in state.registers.iter().enumerate() {
            self.write(
                (page + REGISTERS) as usize + 8 * index,
                &value.to_le_bytes(),
            );
        }
        self.write((page + FLAGS) as usize, &state.flags.to_le_bytes());
        self.write((page + MXCSR) as usize, &state.mxcsr.to_le_bytes());
        for (index, value) in state.xmm.iter().enumerate() {
            self.write((page + XMM) as usize + 16 * index, &value.to_le_bytes());
        }
        self.write(self.scratch(), &state.scratch);
    }

    fn save(&self) -> State {
        let page = PAGE_SIZE as usize;
        let qword = |offset| u64::from_le_bytes(self.read(page + offset));
        let mut scratch = vec![0; SCRATCH];
        let whole = self.buffer.as_volatile_slice();
        let inside = whole.read_slice(&mut scratch, self.scratch());
        inside.expect("inside the buffer");
        State {
            registers: std::array::from_fn(|index| qword(REGISTERS as usize + 8 * index)),
            flags: qword(FLAGS as usize) & flags::USER | flags::ALWAYS,
            xmm: std::array::from_fn(|index| {
                u128::from_le_bytes(self.read(page + XMM as usize + 16 * index))
            }),
            mxcsr: u32::from_le_bytes(self.read(page + MXCSR as usize)),
            scratch,
        }
    }

    fn scratch(&self) -> usize {
        ((PAGES_BEFORE + CODE_PAGES) * PAGE_SIZE) as usize
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        let whole = self.buffer.as_volatile_slice();
        let inside = whole.write_slice(bytes, offset);
        inside.expect("inside the buffer");
    }

    fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let whole = self.buffer.as_volatile_slice();
        let inside = whole.read_slice(&mut bytes, offset);
        inside.expect("inside the buffer");
        bytes
    }
}

/// `jmp rel32` from one address to another.
fn jump(from: u64, to: u64) -> [u8; 5] {
    let distance = (to.wrapping_sub(from + 5) as i32).to_le_bytes();
    [0xe9, distance[0], distance[1], distance[2], distance[3]]
}

const GENERAL: [AsmRegister64; 16] = [
    rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15,
];
const VECTOR: [AsmRegisterXmm; 16] = [
    xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14,
    xmm15,
];
const CALLEE_SAVED: [AsmRegister64; 6] = [rbx, rbp, r12, r13, r14, r15];

/// The trampoline for `origin`, whose registers are at `page`: its code, and
/// the address at which a sequence comes back.
fn trampoline(origin: u64, page: u64) -> Result<(Vec<u8>, u64), IcedError> {
    let mut asm = CodeAssembler::new(64)?;
    let mut exit = asm.create_label();
    for register in CALLEE_SAVED {
        asm.push(register)?;
    }
    asm.mov(ptr(page + HOST_RSP), rsp)?;
    asm.stmxcsr(ptr(page + HOST_MXCSR))?;
    asm.ldmxcsr(ptr(page + MXCSR))?;
    for (index, register) in (0..).zip(VECTOR) {
        asm.movdqu(register, ptr(page + XMM + 16 * index))?;
    }
    asm.push(qword_ptr(page + FLAGS))?;
    asm.popfq()?;
    for (index, register) in (0..).zip(GENERAL) {
        asm.mov(register, ptr(page + REGISTERS + 8 * index))?;
    }
    asm.jmp(page + PAGE_SIZE)?;

    asm.set_label(&mut exit)?;
    for (index, register) in (0..).zip(GENERAL) {
        asm.mov(ptr(page + REGISTERS + 8 * index), register)?;
    }
    asm.mov(rsp, ptr(page + HOST_RSP))?;
    asm.pushfq()?;
    asm.pop(qword_ptr(page + FLAGS))?;
    asm.cld()?;
    for (index, register) in (0..).zip(VECTOR) {
        asm.movdqu(ptr(page + XMM + 16 * index), register)?;
    }
    asm.stmxcsr(ptr(page + MXCSR))?;
    asm.ldmxcsr(ptr(page + HOST_MXCSR))?;
    for register in CALLEE_SAVED.into_iter().rev() {
        asm.pop(register)?;
    }
    asm.ret()?;
    let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let result = asm.assemble_options(origin, options)?;
    let exit = result.label_ip(&exit)?;
    Ok((result.inner.code_buffer, exit))
}
