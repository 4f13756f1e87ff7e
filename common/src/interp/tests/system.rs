//! Instructions for the system, as the traps they become.

use crate::interp::testing::*;
use crate::{Cpu, Fault, Gpr, Operand, PageFaultCode, Segment, Size, SystemInstruction, Trap};
use iced_x86::code_asm::*;

/// What one instruction traps with.
fn resolved(write: fn(&mut CodeAssembler)) -> SystemInstruction {
    let expected_length = assemble(write).len();
    let mut cpu = cpu(write);
    let context = cpu.context();
    context.registers[Gpr::Rax] = 0x1122_3344_5566_7788;
    context.registers[Gpr::Rdx] = 0x9_03f8;
    context.registers[Gpr::Rdi] = DATA;
    context.registers[Gpr::Rsi] = DATA + 8;
    context.gs_base = 0x1000;
    let table = [0x34, 0x12, 1, 2, 3, 4, 5, 6, 7, 8];
    context.space.memory.write(DATA, &table).unwrap();
    let (trap, retired) = enter(&mut cpu, 9);
    assert_eq!((retired, cpu.context().rip), (0, CODE));
    match trap {
        Trap::System {
            instruction,
            length,
        } => {
            assert_eq!(usize::from(length), expected_length);
            instruction
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn operands_are_resolved() {
    use SystemInstruction::*;
    type Write = fn(&mut CodeAssembler);
    let (port, size) = (0x3f8, Size::Byte);
    let (limit, base) = (0x1234, 0x0807_0605_0403_0201);
    let address = DATA + 8;
    let repeat = true;
    let cases: [(SystemInstruction, Write); 24] = [
        (In { port, size }, |a| a.in_(al, dx).unwrap()),
        (
            In {
                port: 0x60,
                size: Size::Dword,
            },
            |a| a.in_(eax, 0x60).unwrap(),
        ),
        (
            Out {
                port: 0xf4,
                size: Size::Word,
            },
            |a| a.out(0xf4, ax).unwrap(),
        ),
        (
            Ins {
                port,
                size,
                address: DATA,
                repeat,
            },
            |a| a.rep().insb().unwrap(),
        ),
        (
            Outs {
                port,
                size: Size::Dword,
                address,
                repeat: false,
            },
            |a| a.outsd().unwrap(),
        ),
        (Lidt { limit, base }, |a| a.lidt(ptr(rdi)).unwrap()),
        (Lgdt { limit, base }, |a| a.lgdt(ptr(rdi)).unwrap()),
        (Sidt { address }, |a| a.sidt(ptr(rsi)).unwrap()),
        (
            Sgdt {
                address: DATA + 0x1002,
            },
            |a| a.sgdt(ptr(rdi + 2).gs()).unwrap(),
        ),
        (Ltr { selector: 0x1234 }, |a| a.ltr(word_ptr(rdi)).unwrap()),
        (Lldt { selector: 0x7788 }, |a| a.lldt(ax).unwrap()),
        (
            Str {
                destination: Operand::Register(Gpr::Rcx, Size::Dword),
            },
            |a| a.str(ecx).unwrap(),
        ),
        (
            StoreSegment {
                segment: Segment::Cs,
                destination: Operand::Memory(DATA),
            },
            |a| a.mov(word_ptr(rdi), cs).unwrap(),
        ),
        (
            LoadSegment {
                segment: Segment::Ss,
                selector: 0x7788,
            },
            |a| a.mov(ss, eax).unwrap(),
        ),
        (
            WriteControl {
                control: 3,
                value: 0x1122_3344_5566_7788,
            },
            |a| a.mov(cr3, rax).unwrap(),
        ),
        (
            ReadControl {
                control: 2,
                destination: Gpr::R9,
            },
            |a| a.mov(r9, cr2).unwrap(),
        ),
        (
            ReadDebug {
                debug: 7,
                destination: Gpr::Rax,
            },
            |a| a.mov(rax, dr7).unwrap(),
        ),
        (Invlpg { address }, |a| a.invlpg(byte_ptr(rsi)).unwrap()),
        (Pushf { size: Size::Qword }, |a| a.pushfq().unwrap()),
        (Popf { size: Size::Word }, |a| a.popf().unwrap()),
        (Int { vector: 0x80 }, |a| a.int(0x80).unwrap()),
        (Iret { size: Size::Qword }, |a| a.iretq().unwrap()),
        (Sysret { size: Size::Qword }, |a| a.sysretq().unwrap()),
        (Other, |a| a.rdtscp().unwrap()),
    ];
    for (expected, write) in cases {
        assert_eq!(resolved(write), expected);
    }
}

#[test]
fn an_operand_that_cannot_be_read_is_a_fault_instead() {
    let mut cpu = cpu(|a| a.lidt(ptr(rdi)).unwrap());
    cpu.context().registers[Gpr::Rdi] = 1 << 40;
    let fault = Fault::PageFault {
        code: PageFaultCode(0),
        address: 1 << 40,
    };
    assert_eq!(enter(&mut cpu, 9), (Trap::Fault(fault), 0));
}

#[test]
fn what_reveals_or_leaves_the_mode_is_for_the_system() {
    type Write = fn(&mut CodeAssembler);
    let cases: [Write; 6] = [
        |a| a.xgetbv().unwrap(),
        |a| a.rdpmc().unwrap(),
        |a| a.lar(eax, ecx).unwrap(),
        |a| a.push(fs).unwrap(),
        |a| a.retf().unwrap(),
        |a| a.wrfsbase(rax).unwrap(),
    ];
    for write in cases {
        assert_eq!(resolved(write), SystemInstruction::Other);
    }
}
