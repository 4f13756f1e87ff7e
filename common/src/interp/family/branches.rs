//! jcc, jrcxz, loop, jmp, call, ret: what ends a block.

use super::moves::condition;
use super::stack::{pop_value, push_value};
use super::{Form, size_of};
use crate::interp::access::load_then;
use crate::interp::address::{Address, Any};
use crate::interp::int::{Int, conditional};
use crate::interp::op::{Flow, Op, Reg, Run};
use crate::interp::state::State;
use crate::{Fault, Size, Trap, is_canonical};
use iced_x86::{Code, Instruction, Mnemonic, OpKind};

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    if instruction.is_jcc_short_or_near() {
        let run = conditional!(condition(instruction), C => jcc::<C> as Run);
        return Some(Op::new(instruction, run));
    }
    match instruction.mnemonic() {
        Mnemonic::Jrcxz | Mnemonic::Jecxz => Some(jrcxz(instruction)),
        Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne => Some(loops(instruction)),
        Mnemonic::Jmp => jmp(instruction),
        Mnemonic::Call => call(instruction),
        Mnemonic::Ret => ret(instruction),
        _ => None,
    }
}

#[inline(always)]
pub fn branch(taken: bool) -> Flow {
    if taken { Flow::Taken } else { Flow::Through }
}

fn jcc<const C: u8>(s: &mut State, _: &Op, _: &[Op]) -> Flow {
    branch(s.flags.holds::<C>())
}

/// Direct targets are always canonical here: they are at most 2 GiB away, and
/// the dispatcher's fetch from one that is not reports the fault there.
fn near(instruction: &Instruction) -> bool {
    matches!(instruction.op0_kind(), OpKind::NearBranch64)
}

fn jrcxz(instruction: &Instruction) -> Op {
    let run = match instruction.mnemonic() {
        Mnemonic::Jrcxz => jump_if_zero::<u64> as Run,
        _ => jump_if_zero::<u32>,
    };
    Op::new(instruction, run)
}

fn jump_if_zero<T: Int>(s: &mut State, _: &Op, _: &[Op]) -> Flow {
    branch(T::get(s, Reg::Rcx) == 0)
}

/// `imm` says what ZF must be: 0 or 1, or 2 for whatever.
fn loops(instruction: &Instruction) -> Op {
    let narrow = matches!(
        instruction.code(),
        Code::Loop_rel8_64_ECX | Code::Loope_rel8_64_ECX | Code::Loopne_rel8_64_ECX
    );
    let run = if narrow {
        count_down::<u32> as Run
    } else {
        count_down::<u64>
    };
    let mut op = Op::new(instruction, run);
    op.imm = match instruction.mnemonic() {
        Mnemonic::Loopne => 0,
        Mnemonic::Loope => 1,
        _ => 2,
    };
    op
}

fn count_down<T: Int>(s: &mut State, op: &Op, _: &[Op]) -> Flow {
    let count = T::cut(T::get(s, Reg::Rcx).wrapping_sub(1));
    T::set(s, Reg::Rcx, count);
    let zero = s.flags.zero();
    branch(count != 0 && (op.imm == 2 || zero == (op.imm == 1)))
}

/// Goes to an address that the program computed.
#[inline(always)]
fn go(s: &mut State, rest: &[Op], target: u64) -> Flow {
    if !is_canonical(target) {
        return s.stop(Trap::Fault(Fault::GeneralProtection(0)), rest);
    }
    s.rip = target;
    Flow::Indirect
}

fn jmp(instruction: &Instruction) -> Option<Op> {
    if near(instruction) {
        return Some(Op::new(instruction, jmp_direct));
    }
    if is_far(instruction) || size_of(instruction, 0) != Size::Qword {
        return None;
    }
    let run = match Form::of(instruction) {
        Form::Rr => jmp_r as Run,
        _ => jmp_m,
    };
    Some(Op::new(instruction, run))
}

fn is_far(instruction: &Instruction) -> bool {
    instruction.is_jmp_far_indirect()
        || instruction.is_call_far_indirect()
        || instruction.is_jmp_far()
        || instruction.is_call_far()
}

fn jmp_direct(_: &mut State, _: &Op, _: &[Op]) -> Flow {
    Flow::Taken
}

fn jmp_r(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let target = s.regs[op.dst as usize];
    go(s, rest, target)
}

fn jmp_m(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load_then::<Any, u64>(s, op, rest, |s, _, rest, target| go(s, rest, target))
}

/// `imm` is the return address.
fn call(instruction: &Instruction) -> Option<Op> {
    let run = if near(instruction) {
        call_direct as Run
    } else if is_far(instruction) || size_of(instruction, 0) != Size::Qword {
        return None;
    } else if Form::of(instruction) == Form::Rr {
        call_r
    } else {
        call_m
    };
    let mut op = Op::new(instruction, run);
    op.imm = instruction.next_ip();
    Some(op)
}

fn call_direct(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let top = s.regs[Reg::Rsp as usize].wrapping_sub(8);
    match s.tlb.slot::<u64>(top) {
        Some(slot) if slot.store(op.imm) => {
            s.regs[Reg::Rsp as usize] = top;
            Flow::Taken
        }
        _ => call_cold(s, op, rest),
    }
}

/// (After a store that hit code it stores the same once more.)
#[cold]
#[inline(never)]
fn call_cold(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    match push_value::<u64>(s, op.imm) {
        Ok(()) => {
            // The next block is looked at anew in any case.
            s.must_leave = false;
            Flow::Taken
        }
        Err(trap) => s.stop(trap, rest),
    }
}

fn call_r(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let target = s.regs[op.dst as usize];
    call_to(s, op, rest, Ok(target))
}

fn call_m(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let target = s.read::<u64>(Any::of(s, op), op.stack);
    call_to(s, op, rest, target)
}

#[inline(always)]
fn call_to(s: &mut State, op: &Op, rest: &[Op], target: Result<u64, Trap>) -> Flow {
    let target = match target {
        Ok(target) if is_canonical(target) => target,
        Ok(_) => return s.stop(Trap::Fault(Fault::GeneralProtection(0)), rest),
        Err(trap) => return s.stop(trap, rest),
    };
    match push_value::<u64>(s, op.imm) {
        Ok(()) => {
            s.must_leave = false;
            s.rip = target;
            Flow::Indirect
        }
        Err(trap) => s.stop(trap, rest),
    }
}

fn ret(instruction: &Instruction) -> Option<Op> {
    match instruction.code() {
        Code::Retnq => Some(Op::new(instruction, ret_plain)),
        Code::Retnq_imm16 => Some(Op::new(instruction, ret_imm)),
        _ => None,
    }
}

fn ret_plain(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let top = s.regs[Reg::Rsp as usize];
    match s.tlb.read::<u64>(top) {
        Some(target) if is_canonical(target) => {
            s.regs[Reg::Rsp as usize] = top.wrapping_add(8);
            s.rip = target;
            Flow::Indirect
        }
        _ => ret_imm(s, op, rest),
    }
}

/// `imm` is what it frees of the stack.
fn ret_imm(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let before = s.regs[Reg::Rsp as usize];
    match pop_value::<u64>(s) {
        Ok(target) if is_canonical(target) => {
            let top = s.regs[Reg::Rsp as usize].wrapping_add(op.imm);
            s.regs[Reg::Rsp as usize] = top;
            s.rip = target;
            Flow::Indirect
        }
        Ok(_) => {
            s.regs[Reg::Rsp as usize] = before;
            s.stop(Trap::Fault(Fault::GeneralProtection(0)), rest)
        }
        Err(trap) => s.stop(trap, rest),
    }
}

#[cfg(test)]
mod tests {
    use crate::flags::{ALWAYS, CF, OF, PF, SF, ZF};
    use crate::interp::testing::*;
    use crate::{Cpu, Fault, Gpr, Trap};
    use iced_x86::code_asm::*;

    /// Every condition under every combination of flags, by the manual's
    /// formulas; the jump alone, and behind an instruction it is not fused with.
    #[test]
    fn conditions_follow_the_flags() {
        for number in 0..16u8 {
            // jcc +1 ; hlt ; nop ; hlt
            let mut cpu = cpu_with(&[0x70 | number, 1, 0xf4, 0x90, 0xf4]);
            for choice in 0..32u64 {
                let on = |bit: u64| choice >> bit & 1 != 0;
                let [c, p, z, s, o] = [0, 1, 2, 3, 4].map(on);
                let bits = [(c, CF), (p, PF), (z, ZF), (s, SF), (o, OF)];
                let set = bits.into_iter().filter(|(on, _)| *on);
                cpu.context().flags = set.fold(ALWAYS, |all, (_, bit)| all | bit);
                let holds = [o, c, z, c || z, s, p, s != o, z || s != o];
                let taken = holds[usize::from(number / 2)] != (number % 2 == 1);
                cpu.context().rip = CODE;
                assert!(is_hlt(enter(&mut cpu, 9).0));
                let end = if taken { CODE + 4 } else { CODE + 2 };
                assert_eq!(cpu.context().rip, end, "{number} {choice:#b}");
            }
        }
    }

    #[test]
    fn loops_count_rcx_and_look_at_zf() {
        let counted = |write: fn(&mut CodeAssembler, CodeLabel), count: u64| {
            let prepare = |context: &mut crate::Context| {
                context.registers[Gpr::Rcx] = count;
                context.flags = ALWAYS | ZF;
            };
            let context = run(prepare, |a| {
                let mut again = a.create_label();
                a.set_label(&mut again).unwrap();
                a.lea(rax, qword_ptr(rax + 1)).unwrap();
                write(a, again);
            });
            (context.registers[Gpr::Rax], context.registers[Gpr::Rcx])
        };
        assert_eq!(counted(|a, l| a.loop_(l).unwrap(), 3), (3, 0));
        assert_eq!(counted(|a, l| a.loope(l).unwrap(), 3), (3, 0));
        assert_eq!(counted(|a, l| a.loopne(l).unwrap(), 3), (1, 2));
        assert_eq!(counted(|a, l| a.jrcxz(l).unwrap(), 3), (1, 3));
    }

    #[test]
    fn computed_jumps_go_anywhere_that_is_canonical() {
        type Write = fn(&mut CodeAssembler);
        let cases: [Write; 4] = [
            |a| a.jmp(rax).unwrap(),
            |a| a.call(rax).unwrap(),
            |a| a.jmp(qword_ptr(rdi)).unwrap(),
            |a| a.call(qword_ptr(rdi)).unwrap(),
        ];
        for write in cases {
            for (target, allowed) in [(DATA + 8, true), (1 << 47, false)] {
                let mut cpu = cpu(write);
                let context = cpu.context();
                context.space.memory.write(DATA + 8, &[0xf4]).unwrap();
                context.write(DATA, crate::Size::Qword, target).unwrap();
                context.registers[Gpr::Rax] = target;
                context.registers[Gpr::Rdi] = DATA;
                let (trap, retired) = enter(&mut cpu, 9);
                if allowed {
                    assert!(is_hlt(trap));
                    assert_eq!((cpu.context().rip, retired), (target, 1));
                } else {
                    let fault = Trap::Fault(Fault::GeneralProtection(0));
                    assert_eq!((trap, retired), (fault, 0));
                    assert_eq!(cpu.context().registers[Gpr::Rsp], STACK);
                }
            }
        }
    }

    #[test]
    fn ret_frees_what_it_is_told() {
        let context = run(
            |_| {},
            |a| {
                let (mut function, mut end) = (a.create_label(), a.create_label());
                a.push(1).unwrap();
                a.push(2).unwrap();
                a.call(function).unwrap();
                a.jmp(end).unwrap();
                a.set_label(&mut function).unwrap();
                a.ret_1(16).unwrap();
                a.set_label(&mut end).unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rsp], STACK);
    }
}
