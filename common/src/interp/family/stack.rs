//! push, pop, enter, leave. (pushf and popf belong to the system.)

use super::{Form, size_of};
use crate::interp::access::{fallible, touched};
use crate::interp::address::{Address, Any};
use crate::interp::decode::nothing;
use crate::interp::int::Int;
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use crate::{Size, Trap};
use iced_x86::{Code, Instruction, Mnemonic, OpKind};

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    match instruction.mnemonic() {
        Mnemonic::Push => push(instruction),
        Mnemonic::Pop => pop(instruction),
        Mnemonic::Leave => Some(Op::new(instruction, leave(instruction))),
        Mnemonic::Enter => Some(enter(instruction)),
        _ => None,
    }
}

/// Writes below the stack pointer, then moves it; what a push does.
#[inline(always)]
pub fn push_value<T: Int>(s: &mut State, value: u64) -> Result<(), Trap> {
    let top = s.regs[Reg::Rsp as usize].wrapping_sub(T::SIZE.bytes());
    s.write::<T>(top, value, true)?;
    s.regs[Reg::Rsp as usize] = top;
    Ok(())
}

/// Reads at the stack pointer, then moves it; what a pop does.
#[inline(always)]
pub fn pop_value<T: Int>(s: &mut State) -> Result<u64, Trap> {
    let top = s.regs[Reg::Rsp as usize];
    let value = s.read::<T>(top, true)?;
    s.regs[Reg::Rsp as usize] = top.wrapping_add(T::SIZE.bytes());
    Ok(value)
}

fn is_segment(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Register && !instruction.op0_register().is_gpr()
}

fn push(instruction: &Instruction) -> Option<Op> {
    if is_segment(instruction) {
        return None;
    }
    let mut op = Op::new(instruction, nothing);
    let word = instruction.stack_pointer_increment() == -2;
    op.run = match (Form::of(instruction), word) {
        (Form::Rr, false) => push_r as Run,
        (Form::Rr, true) => push_r16,
        (Form::Mr, false) => push_m::<u64>,
        (Form::Mr, true) => push_m::<u16>,
        (_, false) => push_i::<u64>,
        (_, true) => push_i::<u16>,
    };
    Some(op)
}

/// The form that programs use all the time.
fn push_r(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = s.regs[op.dst as usize];
    let top = s.regs[Reg::Rsp as usize].wrapping_sub(8);
    match s.tlb.slot::<u64>(top) {
        Some(slot) => {
            let clear = slot.store(value);
            s.regs[Reg::Rsp as usize] = top;
            if clear {
                return next(s, rest);
            }
            touched::<u64>(s, rest, top)
        }
        None => push_cold(s, op, rest),
    }
}

#[cold]
#[inline(never)]
fn push_cold(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = s.regs[op.dst as usize];
        push_value::<u64>(s, value)
    })
}

fn push_r16(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = u16::get(s, op.dst);
        push_value::<u16>(s, value)
    })
}

fn push_i<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| push_value::<T>(s, op.imm))
}

fn push_m<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = s.read::<T>(Any::of(s, op), op.stack)?;
        push_value::<T>(s, value)
    })
}

fn pop(instruction: &Instruction) -> Option<Op> {
    if is_segment(instruction) {
        return None;
    }
    let word = size_of(instruction, 0) == Size::Word;
    let run = match (Form::of(instruction), word) {
        (Form::Rr, false) => pop_r as Run,
        (Form::Rr, true) => pop_r16,
        (_, false) => pop_m::<u64>,
        (_, true) => pop_m::<u16>,
    };
    Some(Op::new(instruction, run))
}

/// The form that programs use all the time.
fn pop_r(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let top = s.regs[Reg::Rsp as usize];
    match s.tlb.read::<u64>(top) {
        Some(value) => {
            s.regs[Reg::Rsp as usize] = top.wrapping_add(8);
            s.regs[op.dst as usize] = value;
            next(s, rest)
        }
        None => pop_cold(s, op, rest),
    }
}

#[cold]
#[inline(never)]
fn pop_cold(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = pop_value::<u64>(s)?;
        s.regs[op.dst as usize] = value;
        Ok(())
    })
}

fn pop_r16(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = pop_value::<u16>(s)?;
        u16::set(s, op.dst, value);
        Ok(())
    })
}

/// The address is computed with the stack pointer already moved.
fn pop_m<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let before = s.regs[Reg::Rsp as usize];
        let value = pop_value::<T>(s)?;
        let written = s.write::<T>(Any::of(s, op), value, op.stack);
        if written.is_err() {
            s.regs[Reg::Rsp as usize] = before;
        }
        written
    })
}

fn leave(instruction: &Instruction) -> Run {
    match instruction.code() {
        Code::Leavew => leave_frame::<u16>,
        _ => leave_frame::<u64>,
    }
}

fn leave_frame<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, _| {
        let frame = s.regs[Reg::Rbp as usize];
        let value = s.read::<T>(frame, true)?;
        s.regs[Reg::Rsp as usize] = frame.wrapping_add(T::SIZE.bytes());
        T::set(s, Reg::Rbp, value);
        Ok(())
    })
}

/// `imm` is the frame's size, `disp` the nesting level (0 to 31).
fn enter(instruction: &Instruction) -> Op {
    let run = match instruction.code() {
        Code::Enterw_imm16_imm8 => enter_frame::<u16> as Run,
        _ => enter_frame::<u64>,
    };
    let mut op = Op::new(instruction, run);
    op.imm = instruction.immediate16().into();
    op.disp = u64::from(instruction.immediate8_2nd()) % 32;
    op
}

fn enter_frame<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let before = (s.regs[Reg::Rsp as usize], s.regs[Reg::Rbp as usize]);
        let done = build_frame::<T>(s, op);
        if done.is_err() {
            (s.regs[Reg::Rsp as usize], s.regs[Reg::Rbp as usize]) = before;
        }
        done
    })
}

fn build_frame<T: Int>(s: &mut State, op: &Op) -> Result<(), Trap> {
    let old = T::get(s, Reg::Rbp);
    push_value::<T>(s, old)?;
    let frame = s.regs[Reg::Rsp as usize];
    let mut outer = s.regs[Reg::Rbp as usize];
    for _ in 1..op.disp {
        outer = outer.wrapping_sub(T::SIZE.bytes());
        let pointer = s.read::<T>(outer, true)?;
        push_value::<T>(s, pointer)?;
    }
    if op.disp > 0 {
        push_value::<T>(s, frame)?;
    }
    let top = s.regs[Reg::Rsp as usize].wrapping_sub(op.imm);
    // The manual's last check: the new top must be writable.
    s.check_write(top, T::SIZE.bytes(), true)?;
    T::set(s, Reg::Rbp, frame);
    s.regs[Reg::Rsp as usize] = top;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interp::testing::*;
    use crate::{Cpu, Gpr, Size, Trap};
    use iced_x86::code_asm::*;

    #[test]
    fn every_form_of_push_and_pop_moves_its_width() {
        let mut cpu = cpu(|a| {
            a.push(-2).unwrap();
            a.push(0x1234_5678).unwrap();
            a.db(&[0x66, 0x6a, 0xfe]).unwrap();
            a.push(ax).unwrap();
            a.push(qword_ptr(rsp)).unwrap();
            a.push(rsp).unwrap();
        });
        cpu.context().registers[Gpr::Rax] = 0xabcd;
        assert!(is_hlt(enter(&mut cpu, 99).0));
        let context = cpu.context();
        let read = |below: u64| context.read(STACK - below, Size::Qword).unwrap();
        assert_eq!(read(8), -2i64 as u64);
        assert_eq!(read(16), 0x1234_5678);
        assert_eq!(read(20) & 0xffff_ffff, 0xfffe_abcd);
        assert_eq!(read(28), 0x1234_5678_fffe_abcd);
        assert_eq!(read(36), STACK - 28);
    }

    #[test]
    fn popping_the_stack_pointer_and_through_it_uses_the_moved_one() {
        let context = run(
            |_| {},
            |a| {
                a.push(7).unwrap();
                a.push(6).unwrap();
                a.pop(qword_ptr(rsp)).unwrap();
                a.pop(rax).unwrap();
                a.push(DATA as i32).unwrap();
                a.pop(rsp).unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rax], 6);
        assert_eq!(context.registers[Gpr::Rsp], DATA);
    }

    #[test]
    fn frames_are_built_with_their_outer_ones_and_torn_down() {
        let mut cpu = cpu(|a| {
            a.enter(32, 0).unwrap();
            a.enter(16, 2).unwrap();
            a.mov(rax, rbp).unwrap();
            a.leave().unwrap();
        });
        assert!(is_hlt(enter(&mut cpu, 99).0));
        let outer = STACK - 8;
        let inner = outer - 32 - 8;
        let context = cpu.context();
        assert_eq!(context.registers[Gpr::Rax], inner);
        assert_eq!(context.registers[Gpr::Rbp], outer);
        assert_eq!(context.registers[Gpr::Rsp], inner + 8);
        assert_eq!(context.read(inner, Size::Qword).unwrap(), outer);
        assert_eq!(context.read(inner - 16, Size::Qword).unwrap(), inner);
    }

    #[test]
    fn what_faults_in_the_middle_leaves_stack_and_registers() {
        type Write = fn(&mut CodeAssembler);
        let nowhere = 1 << 40;
        let cases: [Write; 4] = [
            |a| a.pop(qword_ptr(rdi)).unwrap(),
            |a| a.push(qword_ptr(rdi)).unwrap(),
            |a| a.call(qword_ptr(rdi)).unwrap(),
            |a| {
                a.db(&[0xc8, 0, 0, 2]).unwrap();
            },
        ];
        for write in cases {
            let mut cpu = cpu(write);
            cpu.context().registers[Gpr::Rdi] = nowhere;
            cpu.context().registers[Gpr::Rbp] = nowhere;
            let before = cpu.context().registers;
            assert!(matches!(enter(&mut cpu, 9), (Trap::Fault(_), 0)));
            assert_eq!(cpu.context().registers, before);
            assert_eq!(cpu.context().rip, CODE);
        }
    }
}
