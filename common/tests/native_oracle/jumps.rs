//! Set-up of jumps, calls and returns, which lead forward to another step.

use crate::operands::Maker;
use iced_x86::{Code, Instruction, OpKind, Register};

/// Stands for the address of the step that a jump leads to.
pub const TARGET: u64 = 0x7a67_e700;

/// Loads RCX with a small count, or leaves what is there.
pub fn few_iterations(maker: &mut Maker) {
    maker.instruction.set_near_branch64(TARGET);
    if maker.dice.one_in(2) {
        let count = maker.dice.below(3) | maker.dice.below(2) << 32;
        maker.load(Register::RCX, count);
    }
}

/// Puts the target's address where an indirect jump or call takes it from.
pub fn lead_to_target(maker: &mut Maker) {
    match maker.instruction.op0_kind() {
        OpKind::Memory => {
            let carrier = maker.fresh();
            maker.before.push(load_target(carrier));
            let mut store = maker.on_same_memory(Code::Mov_rm64_r64, 0);
            store.set_op1_register(carrier);
            maker.before.push(store);
        }
        OpKind::Register => {
            let register = maker.instruction.op0_register();
            maker.before.push(load_target(register));
        }
        _ => maker.instruction.set_near_branch64(TARGET),
    }
}

/// Pushes the target's address for a return.
pub fn return_to_target(maker: &mut Maker) {
    let carrier = maker.fresh();
    maker.before.push(load_target(carrier));
    let mut push = Instruction::default();
    push.set_code(Code::Push_r64);
    push.set_op0_register(carrier);
    maker.before.push(push);
    if maker.instruction.op_count() == 1 {
        let released = maker.dice.below(64);
        maker.instruction.set_immediate16(released as u16);
    }
}

fn load_target(register: Register) -> Instruction {
    let mut lea = Instruction::default();
    lea.set_code(Code::Lea_r64_m);
    lea.set_op0_register(register);
    lea.set_op1_kind(OpKind::Memory);
    lea.set_memory_base(Register::RIP);
    lea.set_memory_displ_size(8);
    lea.set_memory_displacement64(TARGET);
    lea
}
