//! One step of a sequence: an instruction with random operands, and before it
//! what it needs to be harmless and to have a specified result.

use crate::dice::Dice;
use crate::operands::{Maker, sized};
use crate::state::Layout;
use crate::{division, jumps, strings};
use iced_x86::{Code, Instruction, Mnemonic, OpCodeOperandKind, OpKind, Register};

/// A step as proptest makes and shrinks it.
#[derive(Clone, Debug)]
pub struct Step {
    pub code: Code,
    pub words: Vec<u64>,
}

/// A step in machine terms. A branch target, and the displacement of a `lea`
/// on RIP, of [`jumps::TARGET`] stand for the step that `skip` leads to.
pub struct Made {
    pub before: Vec<Instruction>,
    pub instruction: Instruction,
    /// How many steps a jump skips.
    pub skip: usize,
    /// What CL holds if the step has loaded it.
    pub count: Option<u8>,
}

impl Step {
    /// The instructions of this step, which depend on nothing but the step and
    /// the layout.
    pub fn make(&self, layout: Layout) -> Made {
        let mut instruction = Instruction::default();
        instruction.set_code(self.code);
        let mut maker = Maker {
            dice: Dice::new(&self.words),
            layout,
            before: Vec::new(),
            reserved: reserved(self.code),
            instruction,
        };
        let skip = maker.dice.below(if is_short(self.code) { 2 } else { 3 }) as usize;
        maker.registers_and_immediates();
        reserve_bit_offset(&mut maker);
        place_memory(&mut maker);
        maker.settle_high_bytes();
        let count = prepare(&mut maker);
        Made {
            before: maker.before,
            instruction: maker.instruction,
            skip,
            count,
        }
    }
}

/// Whether a jump reaches no farther than one step.
fn is_short(code: Code) -> bool {
    code.op_code()
        .op_kinds()
        .contains(&OpCodeOperandKind::br64_1)
}

/// Registers that the preparations of an instruction load.
fn reserved(code: Code) -> Vec<Register> {
    use Mnemonic::*;
    let by_cl = code.op_code().op_kinds().contains(&OpCodeOperandKind::cl);
    match code.mnemonic() {
        Div | Idiv | Cmpxchg8b | Cmpxchg16b => vec![Register::RAX, Register::RDX],
        Cmpxchg => vec![Register::RAX],
        _ if by_cl => vec![Register::RCX],
        _ => Vec::new(),
    }
}

/// `bt memory, register` reaches far: its register operand is loaded.
fn reserve_bit_offset(maker: &mut Maker) {
    let register = maker.instruction.op1_register();
    if is_bit_test(&maker.instruction) && register != Register::None {
        maker.reserved.push(register.full_register());
    }
}

fn is_bit_test(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(instruction.mnemonic(), Bt | Bts | Btr | Btc)
}

/// Gives the memory operand an address, and the LOCK prefix its chances.
fn place_memory(maker: &mut Maker) {
    if !maker.has_memory() {
        return;
    }
    let code = maker.instruction.code();
    let size = maker.instruction.memory_size().size().max(1) as u64;
    let locked = may_lock(&maker.instruction) && maker.dice.one_in(2);
    maker.instruction.set_has_lock_prefix(locked);
    let align = match code.mnemonic() {
        // Split locks are slow, and some hosts forbid them.
        Mnemonic::Xchg => size,
        _ if locked => size,
        Mnemonic::Cmpxchg16b => 16,
        _ if size == 16 && !may_be_unaligned(code.mnemonic()) => 16,
        _ => 1,
    };
    if maker.dice.one_in(8) {
        // All of them have the base 0 here, but the encodings differ.
        let segments = [
            Register::ES,
            Register::CS,
            Register::SS,
            Register::DS,
            Register::GS,
        ];
        let segment = maker.dice.pick(&segments);
        maker.instruction.set_segment_prefix(segment);
    }
    let address = maker.address(size, align);
    let kinds = code.op_code().op_kinds();
    if kinds.contains(&OpCodeOperandKind::mem_offs) {
        maker.instruction.set_memory_displ_size(8);
        maker.instruction.set_memory_displacement64(address);
    } else if kinds.contains(&OpCodeOperandKind::seg_rBX_al) {
        let narrow = maker.dice.one_in(3);
        maker.point(Register::RBX, address - 128, narrow);
        let base = if narrow { Register::EBX } else { Register::RBX };
        maker.instruction.set_memory_base(base);
        maker.instruction.set_memory_index(Register::AL);
    } else if matches!(code.mnemonic(), Mnemonic::Cmpxchg8b | Mnemonic::Cmpxchg16b) {
        maker.based(address, 0, false);
    } else if align == 1 && maker.dice.one_in(10) && !is_bit_test(&maker.instruction) {
        maker.instruction.set_memory_base(Register::RSP);
        maker.instruction.set_memory_displ_size(1);
        let displacement = i64::from(maker.dice.word() as i8);
        maker
            .instruction
            .set_memory_displacement64(displacement as u64);
    } else {
        maker.memory(address);
    }
}

fn may_lock(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    instruction.op0_kind() == OpKind::Memory
        && matches!(
            instruction.mnemonic(),
            Add | Adc
                | And
                | Btc
                | Btr
                | Bts
                | Cmpxchg
                | Cmpxchg8b
                | Cmpxchg16b
                | Dec
                | Inc
                | Neg
                | Not
                | Or
                | Sbb
                | Sub
                | Xadd
                | Xchg
                | Xor
        )
}

fn may_be_unaligned(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(mnemonic, Movups | Movupd | Movdqu | Lddqu)
}

/// Adds what must run before the instruction; gives the shift count in CL.
fn prepare(maker: &mut Maker) -> Option<u8> {
    use Mnemonic::*;
    let instruction = maker.instruction;
    match instruction.mnemonic() {
        Div => division::divide(maker, false),
        Idiv => division::divide(maker, true),
        Shld | Shrd => return limit_count(maker),
        Bsf | Bsr => make_nonzero(maker),
        Bt | Bts | Btr | Btc => limit_bit_offset(maker),
        Cmpxchg if maker.dice.one_in(2) => expect_equal(maker),
        Cmpxchg8b | Cmpxchg16b if maker.dice.one_in(2) => expect_equal_pair(maker),
        Jrcxz | Jecxz | Loop | Loope | Loopne => jumps::few_iterations(maker),
        Jmp | Call => jumps::lead_to_target(maker),
        Ret => jumps::return_to_target(maker),
        Enter => {
            let (size, level) = (maker.dice.below(64), maker.dice.below(40));
            maker.instruction.set_immediate16(size as u16);
            maker.instruction.set_op1_kind(OpKind::Immediate8_2nd);
            maker.instruction.set_immediate8_2nd(level as u8);
            maker.load(Register::RBP, maker.layout.stack());
        }
        Leave => {
            let offset = maker.dice.below(64);
            maker.load(Register::RBP, maker.layout.stack() + offset);
        }
        Ldmxcsr => {
            // Exceptions stay masked, and reserved bits 0.
            let value = maker.dice.word() & 0xffff | 0x1f80;
            maker.fill_memory(value, 4);
        }
        _ if instruction.is_string_instruction() => strings::prepare(maker),
        _ => {}
    }
    if instruction.op_kinds().len() > 1 && instruction.op1_register() == Register::CL {
        let kinds = instruction.code().op_code().op_kinds();
        let shifts = kinds.contains(&OpCodeOperandKind::cl);
        return shifts.then(|| load_count(maker));
    }
    None
}

fn load_count(maker: &mut Maker) -> u8 {
    let count = maker.dice.value() as u8;
    maker.load(Register::CL, u64::from(count));
    count
}

/// A count above the width leaves the result of a 16-bit SHLD undefined.
fn limit_count(maker: &mut Maker) -> Option<u8> {
    let mut count = maker.dice.value() as u8;
    if maker.instruction.op0_register().size() == 2 || maker.instruction.memory_size().size() == 2 {
        count = count & 0xe0 | (count & 0x1f).min(16);
    }
    if maker.instruction.op2_kind() == OpKind::Register {
        maker.load(Register::CL, u64::from(count));
        return Some(count);
    }
    maker.instruction.set_immediate8(count);
    None
}

/// The result of BSF and BSR is undefined for 0.
fn make_nonzero(maker: &mut Maker) {
    let bit = 1i32 << maker.dice.below(15);
    let mut set = match maker.instruction.op1_kind() {
        OpKind::Memory => maker.on_same_memory(Code::Or_rm16_imm16, 0),
        _ => {
            let source = maker.instruction.op1_register().full_register();
            let mut set = Instruction::default();
            set.set_code(Code::Or_rm16_imm16);
            set.set_op0_register(sized(source, Register::AX));
            set
        }
    };
    set.set_op1_kind(OpKind::Immediate16);
    set.set_immediate16(bit as u16);
    maker.before.push(set);
}

/// A bit offset in a register reaches up to a page to either side.
fn limit_bit_offset(maker: &mut Maker) {
    let register = maker.instruction.op1_register();
    if maker.instruction.op0_kind() != OpKind::Memory || register == Register::None {
        return;
    }
    let offset = maker.dice.below(0x8000) as i64 - 0x4000;
    let value = match register.size() {
        2 => offset as u16 as u64 | maker.dice.word() << 16,
        4 => offset as u32 as u64 | maker.dice.word() << 32,
        _ => offset as u64,
    };
    maker.load(register.full_register(), value);
}

/// Loads the accumulator with what the destination of CMPXCHG holds.
fn expect_equal(maker: &mut Maker) {
    let mut load = maker.instruction;
    let (code, accumulator) = match maker.instruction.code() {
        Code::Cmpxchg_rm8_r8 => (Code::Mov_r8_rm8, Register::AL),
        Code::Cmpxchg_rm16_r16 => (Code::Mov_r16_rm16, Register::AX),
        Code::Cmpxchg_rm32_r32 => (Code::Mov_r32_rm32, Register::EAX),
        _ => (Code::Mov_r64_rm64, Register::RAX),
    };
    load.set_has_lock_prefix(false);
    load.set_code(code);
    load.set_op1_kind(maker.instruction.op0_kind());
    if maker.instruction.op0_kind() == OpKind::Register {
        load.set_op1_register(maker.instruction.op0_register());
    }
    load.set_op0_kind(OpKind::Register);
    load.set_op0_register(accumulator);
    maker.before.push(load);
}

/// Loads EDX:EAX or RDX:RAX with what is in memory.
fn expect_equal_pair(maker: &mut Maker) {
    let (code, low, high, half) = match maker.instruction.mnemonic() {
        Mnemonic::Cmpxchg8b => (Code::Mov_r32_rm32, Register::EAX, Register::EDX, 4),
        _ => (Code::Mov_r64_rm64, Register::RAX, Register::RDX, 8),
    };
    for (register, displacement) in [(low, 0), (high, half)] {
        let mut load = maker.on_same_memory(code, 1);
        load.set_op0_register(register);
        load.set_memory_displ_size(1);
        load.set_memory_displacement64(displacement);
        maker.before.push(load);
    }
}
