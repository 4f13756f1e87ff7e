//! What an ending probably means: the sentence that a tutor would say.

use super::{Scene, words};
use crate::trace::Event;
use crate::{
    Ending, Fault, Gpr, Mmio, MmioOperation, PAGE_SIZE, PageFaultCode, Size, Trap, bus,
    is_canonical,
};
use iced_x86::{FlowControl, Instruction, Mnemonic};

/// One sentence, for the endings that usually mean the same thing.
pub(super) fn meaning(scene: &Scene<'_>) -> Option<String> {
    let instruction = scene.code.decode(scene.at);
    match (scene.ending, words::trap(scene.ending)) {
        (Ending::OutOfTime, _) => Some(where_it_was(scene)),
        (Ending::Halted, _) => Some(format!(
            "`hlt` waits for an interrupt, and none can come; to end, a guest writes to \
             the exit port {:#x}",
            bus::EXIT_PORT
        )),
        (_, Some(Trap::Fault(fault))) => of_fault(scene, fault, instruction),
        (_, Some(Trap::Mmio(mmio))) => Some(of_mmio(scene, mmio)),
        (_, Some(Trap::System { instruction, .. })) => Some(format!(
            "`{}` needs privilege: a virtual CPU has to emulate it, and this one does not",
            match instruction {
                crate::SystemInstruction::Other => scene.code.text(scene.at),
                known => known.to_string(),
            }
        )),
        (_, Some(trap @ (Trap::Budget | Trap::Kicked | Trap::SpinLoop))) => Some(format!(
            "\"{trap}\" is the host's affair, and a guest must not notice it"
        )),
        _ => None,
    }
}

fn of_fault(scene: &Scene<'_>, fault: Fault, instruction: Option<Instruction>) -> Option<String> {
    match fault {
        Fault::InvalidOpcode { unimplemented } => {
            Some(of_opcode(scene, unimplemented, instruction))
        }
        Fault::DivideError => of_division(scene, &instruction?),
        Fault::PageFault { code, address } => Some(of_page(scene, code, address)),
        Fault::GeneralProtection(0) | Fault::StackSegment(0) => {
            of_canonical(scene, instruction.as_ref())
        }
        Fault::Breakpoint => Some("`int3` asks for a debugger, and there is none".to_string()),
        _ => None,
    }
}

fn of_opcode(scene: &Scene<'_>, unimplemented: bool, instruction: Option<Instruction>) -> String {
    let text = scene.code.text(scene.at);
    match instruction {
        None if scene.code.bytes(scene.at).is_empty() => went_to(scene, scene.at),
        None => "that is no instruction: did the guest run into data?".to_string(),
        Some(_) if unimplemented => {
            format!("real CPUs have `{text}`, but the software CPU does not implement it")
        }
        Some(it) if it.mnemonic() == Mnemonic::Ud2 => {
            "`ud2` exists to raise #UD: its author did not expect the guest here".to_string()
        }
        Some(_) => format!("a real CPU refuses `{text}` here too"),
    }
}

/// `div` and `idiv` have one operand, the divisor.
fn of_division(scene: &Scene<'_>, instruction: &Instruction) -> Option<String> {
    let divisor = scene.code.operand(instruction, 0)?;
    let text = scene.code.format(instruction);
    let operand = text.split_once(' ').map_or("", |(_, operand)| operand);
    Some(match divisor {
        0 => format!("the divisor, {operand}, is 0"),
        _ => format!(
            "the quotient does not fit its register: the divisor, {operand}, is {divisor:#x}; \
             was the upper half of the dividend (rdx, or ah) set?"
        ),
    })
}

fn of_page(scene: &Scene<'_>, code: PageFaultCode, address: u64) -> String {
    let fetch = code.has(PageFaultCode::FETCH);
    if code.has(PageFaultCode::RESERVED) {
        return format!("a page-table entry for {address:#x} has a bit set that must be 0");
    }
    if !code.has(PageFaultCode::PROTECTION) {
        return match address {
            _ if fetch => went_to(scene, address),
            0..PAGE_SIZE => format!("{address:#x} is a null pointer, or nearly one"),
            _ => format!("no page is mapped at {address:#x}"),
        };
    }
    let denied = match scene.code.rights(address) {
        Some(page) if code.has(PageFaultCode::USER) && !page.user => "belongs to the kernel",
        Some(page) if fetch && !page.executable => "is marked no-execute",
        Some(page) if !page.writable => "may be read, but not written",
        _ => "allows it by now, but did not when the guest tried",
    };
    format!("the page of {address:#x} {denied}")
}

fn of_canonical(scene: &Scene<'_>, instruction: Option<&Instruction>) -> Option<String> {
    let rule = "bits 48 to 63 of an address must be copies of bit 47";
    if !is_canonical(scene.at) {
        return Some(format!("{} ({rule})", went_to(scene, scene.at)));
    }
    let instruction = instruction?;
    let operands = 0..instruction.op_count();
    let stack = instruction.is_stack_instruction();
    let stack = stack.then_some(scene.context.registers[Gpr::Rsp]);
    let bad = operands
        .filter_map(|operand| scene.code.address(instruction, operand))
        .chain(stack)
        .find(|address| !is_canonical(*address))?;
    Some(format!("{bad:#x} is not canonical: {rule}"))
}

fn of_mmio(scene: &Scene<'_>, mmio: Mmio) -> String {
    let Mmio { gpa, .. } = mmio;
    let end = scene.context.space.memory.size();
    let ends = format!("guest memory ends at {end:#x}");
    match mmio.operation {
        MmioOperation::Fetch => format!("{}; {ends}", went_to(scene, gpa)),
        _ if (bus::APIC..bus::APIC + PAGE_SIZE).contains(&gpa) => {
            format!("{gpa:#x} is the local APIC's, which takes plain moves of aligned dwords")
        }
        _ if gpa < end => format!("the access at {gpa:#x} crosses the end: {ends}"),
        _ => format!("{gpa:#x} is outside: {ends}"),
    }
}

/// The guest tried to run code at `address`; if it got there by a call, that
/// call is on its stack.
fn went_to(scene: &Scene<'_>, address: u64) -> String {
    let stack = scene.context.registers[Gpr::Rsp];
    let caller = scene.context.read(stack, Size::Qword).ok();
    let call = caller
        .and_then(|caller| scene.code.before(caller))
        .filter(|call| {
            let flow = call.flow_control();
            matches!(flow, FlowControl::Call | FlowControl::IndirectCall)
        });
    let place = |address| scene.code.symbols().place(address);
    match call {
        Some(call) => format!(
            "the guest went to {address:#x}; the last return address is that of `{}` at {}",
            scene.code.format(&call),
            place(call.ip())
        ),
        None => match last_place(scene, address) {
            Some(before) => format!(
                "the guest went to {address:#x}; before, it was seen at {}",
                place(before)
            ),
            None => format!("the guest went to {address:#x}"),
        },
    }
}

/// Where the guest was when anybody last looked, other than at `address`.
fn last_place(scene: &Scene<'_>, address: u64) -> Option<u64> {
    let places = scene.records.iter().rev().map(|record| record.rip);
    places.into_iter().find(|place| *place != address)
}

/// Where the guest was at its last traps, by name, most often first.
fn where_it_was(scene: &Scene<'_>) -> String {
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut looks = 0;
    for record in scene.records {
        if !matches!(record.event, Event::Trap { .. }) {
            continue;
        }
        looks += 1;
        let name = match scene.code.symbols().locate(record.rip) {
            Some((name, _)) => name.to_string(),
            None => format!("{:#x}", record.rip),
        };
        match seen.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => seen.push((name, 1)),
        }
    }
    seen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names: Vec<_> = seen
        .iter()
        .take(3)
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    if names.is_empty() {
        return "no trap tells where the guest was".to_string();
    }
    format!(
        "at its last {looks} traps the guest was in {}",
        names.join(", ")
    )
}
