//! Random registers and immediates for an encoding.

use crate::dice::Dice;
use crate::state::Layout;
use iced_x86::{Encoder, Instruction, Mnemonic, OpCodeOperandKind as Kind, OpKind, Register};

/// One instruction in the making.
pub struct Maker<'a> {
    pub dice: Dice<'a>,
    pub layout: Layout,
    /// What must run right before it.
    pub before: Vec<Instruction>,
    /// Full registers that later preparations set: no address may use them.
    pub reserved: Vec<Register>,
    pub instruction: Instruction,
}

/// The mnemonics whose second operand, which they only read, may be RSP.
const READS_SECOND: [Mnemonic; 6] = [
    Mnemonic::Mov,
    Mnemonic::Add,
    Mnemonic::Sub,
    Mnemonic::Cmp,
    Mnemonic::Test,
    Mnemonic::Movsxd,
];

impl Maker<'_> {
    /// Makes all operands but memory, which comes last: by then all registers
    /// that it must keep away from are reserved.
    pub fn registers_and_immediates(&mut self) {
        let code = self.instruction.code();
        for (index, kind) in (0..).zip(code.op_code().op_kinds().iter().copied()) {
            match kind {
                Kind::r8_or_mem
                | Kind::r16_or_mem
                | Kind::r32_or_mem
                | Kind::r64_or_mem
                | Kind::xmm_or_mem
                    if self.dice.one_in(2) =>
                {
                    self.instruction.set_op_kind(index, OpKind::Memory);
                }
                Kind::mem | Kind::mem_offs | Kind::seg_rBX_al => {
                    self.instruction.set_op_kind(index, OpKind::Memory);
                }
                Kind::br64_1 | Kind::br64_4 => {
                    self.instruction.set_op_kind(index, OpKind::NearBranch64);
                }
                // The step for string instructions sets these.
                Kind::seg_rSI | Kind::es_rDI => {}
                _ => self.register_or_immediate(index, kind),
            }
        }
    }

    fn register_or_immediate(&mut self, index: u32, kind: Kind) {
        let immediate = match kind {
            Kind::imm8 | Kind::imm8_const_1 => OpKind::Immediate8,
            Kind::imm8sex16 => OpKind::Immediate8to16,
            Kind::imm8sex32 => OpKind::Immediate8to32,
            Kind::imm8sex64 => OpKind::Immediate8to64,
            Kind::imm16 => OpKind::Immediate16,
            Kind::imm32 => OpKind::Immediate32,
            Kind::imm32sex64 => OpKind::Immediate32to64,
            Kind::imm64 => OpKind::Immediate64,
            _ => {
                let register = self.register(index, kind);
                return self.instruction.set_op_register(index, register);
            }
        };
        let value = match kind {
            Kind::imm8_const_1 => 1,
            _ => self.dice.value(),
        };
        self.instruction.set_op_kind(index, immediate);
        match immediate {
            OpKind::Immediate8 => self.instruction.set_immediate8(value as u8),
            OpKind::Immediate16 => self.instruction.set_immediate16(value as u16),
            OpKind::Immediate32 => self.instruction.set_immediate32(value as u32),
            OpKind::Immediate64 => self.instruction.set_immediate64(value),
            OpKind::Immediate32to64 => {
                self.instruction
                    .set_immediate32to64(i64::from(value as i32));
            }
            _ => self
                .instruction
                .set_immediate_i64(index, i64::from(value as i8)),
        }
    }

    fn register(&mut self, index: u32, kind: Kind) -> Register {
        match kind {
            Kind::al => Register::AL,
            Kind::cl => Register::CL,
            Kind::ax => Register::AX,
            Kind::dx => Register::DX,
            Kind::eax => Register::EAX,
            Kind::rax => Register::RAX,
            Kind::r8_reg | Kind::r8_opcode | Kind::r8_or_mem => self.byte_register(),
            Kind::r16_reg | Kind::r16_rm | Kind::r16_opcode | Kind::r16_or_mem => {
                self.general(index, Register::AX)
            }
            Kind::r32_reg | Kind::r32_rm | Kind::r32_opcode | Kind::r32_vvvv | Kind::r32_or_mem => {
                self.general(index, Register::EAX)
            }
            Kind::r64_reg | Kind::r64_rm | Kind::r64_opcode | Kind::r64_vvvv | Kind::r64_or_mem => {
                self.general(index, Register::RAX)
            }
            Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_or_mem => {
                Register::XMM0 + self.dice.below(16) as u32
            }
            _ => panic!("{:?}: no operand of kind {kind:?}", self.instruction.code()),
        }
    }

    fn byte_register(&mut self) -> Register {
        let allowed = |register: &Register| {
            *register != Register::SPL && !self.reserved.contains(&register.full_register())
        };
        let all: Vec<_> = (0..20).map(|number| Register::AL + number).collect();
        let usable: Vec<_> = all.into_iter().filter(allowed).collect();
        self.dice.pick(&usable)
    }

    fn general(&mut self, index: u32, first: Register) -> Register {
        let may_be_rsp = index == 1 && READS_SECOND.contains(&self.instruction.mnemonic());
        let usable: Vec<_> = (0..16)
            .filter(|number| may_be_rsp || *number != 4)
            .filter(|number| !self.reserved.contains(&(Register::RAX + *number)))
            .map(|number| first + number)
            .collect();
        self.dice.pick(&usable)
    }

    /// AH to BH cannot stand beside a REX prefix: takes AL to BL instead where
    /// the instruction needs one.
    pub fn settle_high_bytes(&mut self) {
        if Encoder::new(64)
            .encode(&self.instruction, self.layout.code)
            .is_ok()
        {
            return;
        }
        for index in 0..self.instruction.op_count() {
            let register = self.instruction.op_register(index);
            if (Register::AH..=Register::BH).contains(&register) {
                let low = Register::AL + (register as u32 - Register::AH as u32);
                self.instruction.set_op_register(index, low);
            }
        }
    }
}

/// The general register with the number of `full` in the row that starts with
/// `first` (AL, AX, EAX or RAX).
pub fn sized(full: Register, first: Register) -> Register {
    let number = full as u32 - Register::RAX as u32;
    match first {
        Register::AL if number >= 4 => Register::SPL + (number - 4),
        _ => first + number,
    }
}
