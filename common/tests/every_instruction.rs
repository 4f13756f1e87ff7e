//! Every instruction that iced-x86 knows in 64-bit mode either executes, traps
//! or is a #UD on the software CPU. Nothing panics, and no fault moves RIP.

mod machine;

use common::interp::Interp;
use common::{Cpu, Fault, Gpr, MmioOperation, Registers, Trap};
use iced_x86::{Code, Encoder, Instruction, OpCodeOperandKind as Kind, OpKind, Register};
use machine::{CODE, DATA, RAM, cpu, enter, memory};
use proptest::prelude::*;

/// A CPU in front of these bytes.
fn in_front_of(code: &[u8]) -> Interp {
    let memory = memory();
    memory.write(CODE, code).unwrap();
    cpu(&memory, CODE)
}

/// Runs one instruction, and checks what holds for all of them.
fn step(cpu: &mut Interp) -> Trap {
    let before = cpu.context().rip;
    let (trap, retired) = enter(cpu, 1);
    let faulted = matches!(trap, Trap::Fault(fault) if fault != Fault::Breakpoint);
    if faulted || matches!(trap, Trap::System { .. }) {
        assert_eq!(cpu.context().rip, before, "{trap:?}");
        assert_eq!(retired, 0, "{trap:?}");
    }
    trap
}

#[test]
fn every_code_executes_or_traps() {
    let mut tried = 0;
    for code in Code::values().filter(|code| code.op_code().mode64()) {
        for memory in [false, true] {
            let Some(bytes) = encode(code, memory) else {
                continue;
            };
            tried += 1;
            step(&mut in_front_of(&bytes));
        }
    }
    // So that nobody takes the encoder away without noticing.
    assert!(tried > 2500, "only {tried} encodings");
}

/// Encodes a code with the simplest operands; `None` if it has none of that
/// kind.
fn encode(code: Code, memory: bool) -> Option<Vec<u8>> {
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    for (index, kind) in (0..).zip(code.op_code().op_kinds().iter().copied()) {
        set_operand(&mut instruction, index, kind, memory);
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&instruction, CODE).ok()?;
    Some(encoder.take_buffer())
}

fn set_operand(instruction: &mut Instruction, index: u32, kind: Kind, memory: bool) {
    let name = format!("{kind:?}");
    if name.starts_with("mem") || name == "sibmem" || memory && name.contains("_or_mem") {
        set_memory(instruction, index, &name);
    } else if let Some(register) = register(kind, &name, index) {
        instruction.set_op_kind(index, OpKind::Register);
        instruction.set_op_register(index, register);
    } else {
        instruction.set_op_kind(index, immediate(kind));
        if name.starts_with("br") || name.starts_with("xbegin") {
            instruction.set_near_branch64(CODE);
        } else if name == "imm8_const_1" {
            instruction.set_immediate8(1);
        }
    }
}

fn set_memory(instruction: &mut Instruction, index: u32, name: &str) {
    instruction.set_op_kind(index, OpKind::Memory);
    if name == "mem_offs" {
        instruction.set_memory_displ_size(8);
        instruction.set_memory_displacement64(DATA);
        return;
    }
    instruction.set_memory_base(Register::RBX);
    if let Some(lanes) = name.strip_prefix("mem_vsib") {
        instruction.set_memory_index(match lanes.as_bytes().last() {
            Some(b'y') => Register::YMM7,
            Some(b'z') => Register::ZMM7,
            _ => Register::XMM7,
        });
    }
}

fn register(kind: Kind, name: &str, index: u32) -> Option<Register> {
    let first = match kind {
        Kind::es => return Some(Register::ES),
        Kind::cs => return Some(Register::CS),
        Kind::ss => return Some(Register::SS),
        Kind::ds => return Some(Register::DS),
        Kind::fs => return Some(Register::FS),
        Kind::gs => return Some(Register::GS),
        Kind::al => return Some(Register::AL),
        Kind::cl => return Some(Register::CL),
        Kind::ax => return Some(Register::AX),
        Kind::dx => return Some(Register::DX),
        Kind::eax => return Some(Register::EAX),
        Kind::rax => return Some(Register::RAX),
        Kind::st0 => return Some(Register::ST0),
        Kind::sti_opcode => Register::ST0,
        Kind::seg_reg => return Some(Register::DS),
        Kind::cr_reg => return Some(Register::CR4),
        _ => match name.split('_').next()? {
            "r8" => Register::AL,
            "r16" => Register::AX,
            "r32" => Register::EAX,
            "r64" => Register::RAX,
            "mm" => Register::MM0,
            "xmm" | "xmmp3" => Register::XMM0,
            "ymm" => Register::YMM0,
            "zmm" | "zmmp3" => Register::ZMM0,
            "tmm" => Register::TMM0,
            "bnd" => Register::BND0,
            "k" | "kp1" => Register::K0,
            "dr" => Register::DR0,
            "tr" => Register::TR0,
            _ => return None,
        },
    };
    // Some instructions forbid two operands that are the same.
    Some(first + index)
}

fn immediate(kind: Kind) -> OpKind {
    match kind {
        Kind::imm16 => OpKind::Immediate16,
        Kind::imm32 => OpKind::Immediate32,
        Kind::imm64 => OpKind::Immediate64,
        Kind::imm8sex16 => OpKind::Immediate8to16,
        Kind::imm8sex32 => OpKind::Immediate8to32,
        Kind::imm8sex64 => OpKind::Immediate8to64,
        Kind::imm32sex64 => OpKind::Immediate32to64,
        Kind::seg_rSI => OpKind::MemorySegRSI,
        Kind::es_rDI => OpKind::MemoryESRDI,
        Kind::seg_rDI => OpKind::MemorySegRDI,
        Kind::br16_1 | Kind::br16_2 => OpKind::NearBranch16,
        Kind::br32_1 | Kind::br32_4 => OpKind::NearBranch32,
        Kind::br64_1 | Kind::br64_4 | Kind::xbegin_2 | Kind::xbegin_4 => OpKind::NearBranch64,
        _ => OpKind::Immediate8,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes that nobody has assembled, from registers that point anywhere.
    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 1..64),
        registers in prop::array::uniform16(prop_oneof![any::<u64>(), DATA - 64..DATA + 64, RAM - 16..RAM]),
    ) {
        let mut cpu = in_front_of(&bytes);
        cpu.context().registers = Registers(registers);
        for _ in 0..16 {
            match step(&mut cpu) {
                Trap::Budget | Trap::Kicked => {}
                Trap::Mmio(mmio) if mmio.operation == MmioOperation::Read => cpu.complete(0),
                Trap::Mmio(mmio) if matches!(mmio.operation, MmioOperation::Write(_)) => {}
                _ => break,
            }
        }
    }
}

/// #DE is checked here: natively it would end the process.
#[test]
fn a_quotient_that_does_not_fit_is_a_divide_error() {
    use iced_x86::code_asm::*;
    type Emit = fn(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>;
    let cases: [(u64, u64, u64, Emit, bool); 10] = [
        (0, 1, 0, |a| a.div(cl), true),
        (0, 0x100, 1, |a| a.div(cl), true),
        (0, 0xff, 1, |a| a.div(cl), false),
        (1, 0, 1, |a| a.div(rcx), true),
        (0, u64::MAX, 1, |a| a.div(rcx), false),
        (u64::MAX, 1 << 63, u64::MAX, |a| a.idiv(rcx), true),
        (u64::MAX, 1 << 63, 1, |a| a.idiv(rcx), false),
        (0, 0x80, 1, |a| a.idiv(cl), true),
        (0, 0x8000_0000, 1, |a| a.idiv(ecx), true),
        (0, 0x7fff_ffff, 1, |a| a.idiv(ecx), false),
    ];
    for (high, low, divisor, emit, faults) in cases {
        let mut asm = CodeAssembler::new(64).unwrap();
        emit(&mut asm).unwrap();
        let mut cpu = in_front_of(&asm.assemble(CODE).unwrap());
        let registers = &mut cpu.context().registers;
        registers[Gpr::Rdx] = high;
        registers[Gpr::Rax] = low;
        registers[Gpr::Rcx] = divisor;
        let trap = step(&mut cpu);
        let expected = if faults {
            Trap::Fault(Fault::DivideError)
        } else {
            Trap::Budget
        };
        assert_eq!(trap, expected, "{high:#x}:{low:#x} / {divisor:#x}");
    }
}
