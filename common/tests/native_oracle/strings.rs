//! Set-up of string instructions: prefix, count, direction, addresses.

use crate::operands::Maker;
use iced_x86::{Code, Instruction, Mnemonic, OpCodeOperandKind as Kind, OpKind, Register};

/// Chooses prefix and address width, and loads RCX, RSI, RDI and DF.
pub fn prepare(maker: &mut Maker) {
    let narrow = maker.dice.one_in(4);
    set_operands(maker, narrow);
    let source = maker.address(1, 1);
    let distance = match maker.dice.below(3) {
        0 => 0,
        1 => maker.dice.below(48) as i64 - 24,
        _ => maker.dice.below(0x200) as i64 - 0x100,
    };
    maker.point(Register::RSI, source, narrow);
    maker.point(Register::RDI, source.wrapping_add(distance as u64), narrow);
    if maker.dice.one_in(2) {
        let code = maker.dice.pick(&[Code::Cld, Code::Std]);
        let mut direction = Instruction::default();
        direction.set_code(code);
        maker.before.push(direction);
    }
    if compares(maker.instruction.mnemonic()) && maker.dice.one_in(2) {
        equal_run(maker, narrow);
    }
    if maker.dice.one_in(4) {
        return;
    }
    match compares(maker.instruction.mnemonic()) && maker.dice.one_in(2) {
        true => maker.instruction.set_has_repne_prefix(true),
        false => maker.instruction.set_has_rep_prefix(true),
    }
    let count = match maker.dice.one_in(4) {
        true => maker.dice.below(200),
        false => maker.dice.below(9),
    };
    // What the upper half of RCX becomes if nothing is repeated is not the same
    // on all CPUs.
    maker.point(Register::RCX, count, narrow && count > 0);
}

fn set_operands(maker: &mut Maker, narrow: bool) {
    let kinds = maker.instruction.code().op_code().op_kinds();
    for (index, kind) in (0..).zip(kinds) {
        let operand = match (kind, narrow) {
            (Kind::seg_rSI, false) => OpKind::MemorySegRSI,
            (Kind::seg_rSI, true) => OpKind::MemorySegESI,
            (Kind::es_rDI, false) => OpKind::MemoryESRDI,
            (Kind::es_rDI, true) => OpKind::MemoryESEDI,
            _ => continue,
        };
        maker.instruction.set_op_kind(index, operand);
    }
}

fn compares(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Scasb | Scasw | Scasd | Scasq | Cmpsb | Cmpsw | Cmpsd | Cmpsq
    )
}

/// Fills 16 bytes at RDI with the byte that fills RAX, so that a comparison
/// finds equal ones.
fn equal_run(maker: &mut Maker, narrow: bool) {
    let pattern = (maker.dice.word() & 0xff).wrapping_mul(0x0101_0101_0101_0101);
    maker.load(Register::RAX, pattern);
    for displacement in [0, 8] {
        let mut store = Instruction::default();
        store.set_code(Code::Mov_rm64_r64);
        store.set_op0_kind(OpKind::Memory);
        store.set_memory_base(if narrow { Register::EDI } else { Register::RDI });
        store.set_memory_displ_size(1);
        store.set_memory_displacement64(displacement);
        store.set_op1_register(Register::RAX);
        maker.before.push(store);
    }
}
