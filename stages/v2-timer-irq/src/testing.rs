//! Helpers for the tests beside the code: a guest kernel's tables, made by
//! hand in memory, without any guest code.

use crate::Core;
use crate::descriptor::DescriptorTable;
use common::boot::selectors::KERNEL_CODE;
use common::{Boot, Context, Memory, Size};

/// Where the handler table is.
pub(crate) const IDT: u64 = 0x18_0000;
/// Where the handler of vector n is: at `HANDLERS + n`.
pub(crate) const HANDLERS: u64 = 0x11_0000;

/// A present interrupt gate to the kernel's code.
pub(crate) const INTERRUPT_GATE: u64 = 0x8e;
/// A present trap gate.
pub(crate) const TRAP_GATE: u64 = 0x8f;

/// A CPU after boot, with a handler table of 64 gates.
pub(crate) fn booted() -> (Context, Core) {
    let memory = Memory::new(2 << 20).unwrap();
    let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
    let mut context = Context::new(memory);
    v1::prepare(&boot, &mut context);
    let mut core = Core::new();
    core.handlers = DescriptorTable {
        base: IDT,
        limit: 64 * 16 - 1,
    };
    for vector in 0..64 {
        set_gate(&mut context, vector, INTERRUPT_GATE, KERNEL_CODE);
    }
    (context, core)
}

/// Writes the gate of `vector`.
pub(crate) fn set_gate(context: &mut Context, vector: u8, kind: u64, selector: u16) {
    let handler = HANDLERS + u64::from(vector);
    let low =
        handler & 0xffff | u64::from(selector) << 16 | kind << 40 | (handler & 0xffff_0000) << 32;
    let slot = IDT + u64::from(vector) * 16;
    context.write(slot, Size::Qword, low).unwrap();
    context.write(slot + 8, Size::Qword, handler >> 32).unwrap();
}

/// The eight-byte slots on the stack, from RSP upwards.
pub(crate) fn stack(context: &Context, slots: usize) -> Vec<u64> {
    let top = context.registers[common::Gpr::Rsp];
    (0..slots as u64)
        .map(|slot| context.read(top + 8 * slot, Size::Qword).unwrap())
        .collect()
}
