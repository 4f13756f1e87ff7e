//! `ins` and `outs`: port access straight from and to memory, item by item.
//! Given: nothing to do here.
//!
//! Each item is one exit, also under a `rep` prefix: RSI or RDI moves on by one
//! item and RCX counts down, so between two items the registers are exactly
//! what the manual says an interrupted `rep` leaves (SDM vol. 2, `REP`).

use crate::emulate::{Event, Next};
use crate::kernel_only::PortRead;
use common::{Access, Context, Exit, Gpr, Size, SystemInstruction, flags, translate};

/// One item of `ins`, between its exit and the device's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    size: Size,
    address: u64,
    repeat: bool,
    length: u8,
}

/// Begins the next item of an `ins` or `outs`: exits with what the guest
/// writes, or notes in `pending` what it wants to read.
pub(crate) fn start(
    context: &mut Context,
    instruction: SystemInstruction,
    length: u8,
    pending: &mut Option<PortRead>,
) -> Next {
    let (SystemInstruction::Ins {
        port,
        size,
        address,
        repeat,
    }
    | SystemInstruction::Outs {
        port,
        size,
        address,
        repeat,
    }) = instruction
    else {
        unreachable!("{instruction:?} is no string access to a port");
    };
    if repeat && context.registers[Gpr::Rcx] == 0 {
        context.rip += u64::from(length);
        return Next::Resume;
    }
    let item = Item {
        size,
        address,
        repeat,
        length,
    };
    let started = match instruction {
        SystemInstruction::Ins { .. } => check_writable(context, &item).map(|()| {
            *pending = Some(PortRead::Memory(item));
            Exit::PortIn { port, size }
        }),
        _ => context.read(address, size).map(|value| {
            advance(context, &item, Gpr::Rsi);
            let value = value as u32;
            Exit::PortOut { port, size, value }
        }),
    };
    match started {
        Ok(exit) => Next::Exit(exit),
        Err(fault) => Next::Raise(Event::Exception(fault)),
    }
}

/// Finishes one item of `ins` with the device's answer.
pub(crate) fn finish(context: &mut Context, item: Item, value: u64) {
    context
        .write(item.address, item.size, value)
        .expect("the memory was checked before the device was asked");
    advance(context, &item, Gpr::Rdi);
}

/// The device must not be asked for a value that then has nowhere to go.
fn check_writable(context: &Context, item: &Item) -> Result<(), common::Fault> {
    let last = item.address.wrapping_add(item.size.bytes() - 1);
    translate(&context.space, item.address, Access::Write)?;
    translate(&context.space, last, Access::Write)?;
    Ok(())
}

/// Moves the pointer to the next item, counts, and leaves the instruction once
/// all items are done.
fn advance(context: &mut Context, item: &Item, pointer: Gpr) {
    let step = item.size.bytes();
    let moved = &mut context.registers[pointer];
    *moved = match context.flags & flags::DF {
        0 => moved.wrapping_add(step),
        _ => moved.wrapping_sub(step),
    };
    if item.repeat {
        context.registers[Gpr::Rcx] -= 1;
    }
    if !item.repeat || context.registers[Gpr::Rcx] == 0 {
        context.rip += u64::from(item.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VirtualCpu;
    use crate::testing::system;
    use common::scripted::{Scripted, Step};
    use common::{Boot, Cpu, Fault, Memory, Pcpu, Time, Trap, Vcpu};

    const TEXT: u64 = 0x10_0000;

    /// A CPU that stops at the same string instruction `times` times.
    fn at_string(trap: Trap, times: usize) -> (Pcpu<Box<dyn Cpu>>, VirtualCpu) {
        let memory = Memory::new(2 << 20).unwrap();
        let boot = Boot::prepare(&memory, 0).unwrap();
        let steps = (0..times).map(|_| Step::new(trap, 0)).collect();
        let mut cpu = Scripted::new(memory, steps);
        crate::prepare(&boot, cpu.context());
        let cpu: Box<dyn Cpu> = Box::new(cpu);
        (Pcpu::new(0, cpu), VirtualCpu::default())
    }

    fn outs(address: u64) -> Trap {
        let (port, size, repeat) = (0x3f8, Size::Byte, true);
        let instruction = SystemInstruction::Outs {
            port,
            size,
            address,
            repeat,
        };
        system(instruction, 2)
    }

    #[test]
    fn every_item_of_a_repeated_write_is_an_exit_of_its_own() {
        let (mut pcpu, mut vcpu) = at_string(outs(TEXT), 2);
        pcpu.context().space.memory.write(TEXT, b"H").unwrap();
        pcpu.context().registers[Gpr::Rsi] = TEXT;
        pcpu.context().registers[Gpr::Rcx] = 2;
        let (port, size, value) = (0x3f8, Size::Byte, u32::from(b'H'));
        let exit = Exit::PortOut { port, size, value };

        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), exit);
        let context = pcpu.context();
        assert_eq!(context.registers[Gpr::Rsi], TEXT + 1);
        assert_eq!((context.registers[Gpr::Rcx], context.rip), (1, 0));

        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), exit);
        let context = pcpu.context();
        assert_eq!((context.registers[Gpr::Rcx], context.rip), (0, 2));
    }

    #[test]
    fn a_read_goes_to_memory_downwards_when_the_direction_flag_says_so() {
        let (port, size, repeat) = (0x3ff, Size::Word, false);
        let instruction = SystemInstruction::Ins {
            port,
            size,
            address: TEXT,
            repeat,
        };
        let (mut pcpu, mut vcpu) = at_string(system(instruction, 1), 1);
        pcpu.context().registers[Gpr::Rdi] = TEXT;
        pcpu.context().flags |= flags::DF;
        assert_eq!(
            vcpu.run(&mut pcpu, Time::NEVER),
            Exit::PortIn { port, size }
        );
        vcpu.complete(&mut pcpu, 0xabcd);
        let context = pcpu.context();
        assert_eq!(context.read(TEXT, Size::Word), Ok(0xabcd));
        assert_eq!(context.registers[Gpr::Rdi], TEXT - 2);
        assert_eq!(context.rip, 1);
    }

    #[test]
    fn a_write_from_memory_that_is_not_mapped_is_the_guests_page_fault() {
        let (mut pcpu, mut vcpu) = at_string(outs(1 << 40), 1);
        pcpu.context().registers[Gpr::Rcx] = 1;
        let exit = vcpu.run(&mut pcpu, Time::NEVER);
        assert!(
            matches!(
                exit,
                Exit::Unsupported(Trap::Fault(Fault::PageFault { .. }))
            ),
            "{exit:?}"
        );
        assert_eq!(pcpu.context().registers[Gpr::Rcx], 1);
    }
}
