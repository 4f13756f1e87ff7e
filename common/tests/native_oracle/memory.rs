//! Random memory operands, and the instructions that set up their addresses.

use crate::operands::{Maker, sized};
use crate::state::DATA_PAGES;
use common::PAGE_SIZE;
use iced_x86::{Code, Instruction, OpKind, Register};

impl Maker<'_> {
    /// A register that nothing prepared so far depends on; from now on
    /// something does.
    pub fn fresh(&mut self) -> Register {
        let usable: Vec<_> = (0..16)
            .map(|number| Register::RAX + number)
            .filter(|register| *register != Register::RSP && !self.reserved.contains(register))
            .collect();
        let register = self.dice.pick(&usable);
        self.reserved.push(register);
        register
    }

    /// Loads a register right before the instruction, and reserves it.
    pub fn load(&mut self, register: Register, value: u64) {
        let code = match register.size() {
            1 => Code::Mov_r8_imm8,
            _ => Code::Mov_r64_imm64,
        };
        let (name, value) = match register.size() {
            1 => (register, value & 0xff),
            _ => (register.full_register(), value),
        };
        let mut load = Instruction::default();
        load.set_code(code);
        load.set_op0_register(name);
        match code {
            Code::Mov_r8_imm8 => {
                load.set_op1_kind(OpKind::Immediate8);
                load.set_immediate8(value as u8);
            }
            _ => {
                load.set_op1_kind(OpKind::Immediate64);
                load.set_immediate64(value);
            }
        }
        self.before.push(load);
        self.reserved.push(register.full_register());
    }

    /// Whether the instruction has a memory operand with ModRM or offset.
    pub fn has_memory(&self) -> bool {
        self.instruction
            .op_kinds()
            .any(|kind| kind == OpKind::Memory)
    }

    /// An address in the data for `size` bytes: aligned if asked, else often
    /// across the end of a page or cache line.
    pub fn address(&mut self, size: u64, align: u64) -> u64 {
        let room = (DATA_PAGES - 1) * PAGE_SIZE;
        let start = self.layout.data() + PAGE_SIZE / 2;
        let back = self.dice.below(size.max(2));
        let offset = match self.dice.below(4) {
            0 => self.dice.below(room),
            1 => self.dice.below(room) & !63,
            2 => (self.dice.below(room) & !63) + 64 - back,
            _ => PAGE_SIZE / 2 + self.dice.below(DATA_PAGES - 1) * PAGE_SIZE - back,
        };
        (start + offset.min(room)) & !(align - 1)
    }

    /// Makes the memory operand point to `address`, in one of the forms that
    /// x86 has, and prepares the registers it uses.
    pub fn memory(&mut self, address: u64) {
        let narrow = self.dice.one_in(6);
        match self.dice.below(6) {
            0 => self.based(address, 0, narrow),
            1 => {
                let displacement = self.dice.word() as i8;
                self.based(address, i64::from(displacement), narrow);
            }
            2 => {
                let displacement = self.dice.word() as i32;
                self.based(address, i64::from(displacement), narrow);
            }
            3 => self.indexed(address, narrow),
            4 => self.absolute(address, if narrow { 4 } else { 8 }),
            _ => {
                self.instruction.set_memory_base(Register::RIP);
                self.instruction.set_memory_displ_size(8);
                self.instruction.set_memory_displacement64(address);
            }
        }
    }

    fn absolute(&mut self, address: u64, displacement_size: u32) {
        self.instruction.set_memory_displ_size(displacement_size);
        self.instruction.set_memory_displacement64(address);
    }

    /// `[base + displacement]`, with the address in 32 bits if `narrow`.
    pub fn based(&mut self, address: u64, displacement: i64, narrow: bool) {
        let base = self.fresh();
        let value = address.wrapping_sub(displacement as u64);
        self.point(base, value, narrow);
        self.instruction.set_memory_base(named(base, narrow));
        self.displace(displacement, narrow);
    }

    /// `[base + index * scale + displacement]`, sometimes without base.
    fn indexed(&mut self, address: u64, narrow: bool) {
        let (index, scale) = (self.fresh(), 1 << self.dice.below(4));
        let displacement = i64::from(self.dice.word() as i32);
        let rest = address.wrapping_sub(displacement as u64);
        self.instruction.set_memory_index(named(index, narrow));
        self.instruction.set_memory_index_scale(scale as u32);
        if scale == 1 && self.dice.one_in(2) {
            self.point(index, rest, narrow);
        } else {
            let base = self.fresh();
            let count = self.dice.value();
            self.point(index, count, narrow);
            self.point(base, rest.wrapping_sub(count.wrapping_mul(scale)), narrow);
            self.instruction.set_memory_base(named(base, narrow));
        }
        self.displace(displacement, narrow);
    }

    fn displace(&mut self, displacement: i64, narrow: bool) {
        let absent = displacement == 0 && self.instruction.memory_base() != Register::None;
        let kept = if narrow {
            displacement as u32 as u64
        } else {
            displacement as u64
        };
        let small = i8::try_from(displacement).is_ok();
        self.instruction
            .set_memory_displ_size(match (absent, small) {
                (true, _) => 0,
                (_, true) => 1,
                _ if narrow => 4,
                _ => 8,
            });
        self.instruction.set_memory_displacement64(kept);
    }

    /// Loads an address into a register; the upper half of a 32-bit address is
    /// filled with what must not matter.
    pub fn point(&mut self, register: Register, address: u64, narrow: bool) {
        let value = match narrow {
            true => address & 0xffff_ffff | self.dice.word() << 32,
            false => address,
        };
        self.load(register, value);
    }

    /// Another instruction with the same memory operand as its first or second.
    pub fn on_same_memory(&self, code: Code, operand: u32) -> Instruction {
        let mut other = Instruction::default();
        let this = &self.instruction;
        other.set_code(code);
        other.set_op_kind(operand, OpKind::Memory);
        other.set_memory_base(this.memory_base());
        other.set_memory_index(this.memory_index());
        other.set_memory_index_scale(this.memory_index_scale());
        other.set_memory_displ_size(this.memory_displ_size());
        other.set_memory_displacement64(this.memory_displacement64());
        other
    }

    /// Puts a value into the memory operand right before the instruction.
    pub fn fill_memory(&mut self, value: u64, size: usize) {
        let carrier = self.fresh();
        self.load(carrier, value);
        let (code, first) = match size {
            1 => (Code::Mov_rm8_r8, Register::AL),
            2 => (Code::Mov_rm16_r16, Register::AX),
            4 => (Code::Mov_rm32_r32, Register::EAX),
            _ => (Code::Mov_rm64_r64, Register::RAX),
        };
        let mut store = self.on_same_memory(code, 0);
        store.set_op1_register(sized(carrier, first));
        self.before.push(store);
    }
}

fn named(register: Register, narrow: bool) -> Register {
    if narrow {
        sized(register, Register::EAX)
    } else {
        register
    }
}
