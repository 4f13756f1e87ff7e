//! The task state segment: where the CPU finds the kernel's stacks.

use common::{Context, Fault, Size};
use v2::{DescriptorTable, Gate};

/// The task register: what `ltr` loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskRegister {
    /// The selector.
    pub selector: u16,
    /// Where the segment begins.
    pub base: u64,
    /// The offset of its last byte.
    pub limit: u32,
}

/// The first stack pointer of the segment: the one for the kernel.
const RSP0: u64 = 4;
/// The first of the seven interrupt stacks.
const IST1: u64 = 36;
/// The type of a 64-bit TSS that no CPU uses.
const AVAILABLE: u8 = 9;
/// The bit of the descriptor that says that a CPU uses it.
const BUSY: u64 = 1 << 41;

impl TaskRegister {
    /// `ltr`: reads the descriptor of `selector` in the GDT and marks it busy
    /// (SDM vol. 3, 7.2.3).
    ///
    /// # Errors
    /// #GP(0) for the null selector; #GP with the selector if it is not the
    /// available 64-bit TSS of the GDT, #NP if that is not present.
    pub fn load(
        context: &mut Context,
        gdt: DescriptorTable,
        selector: u16,
    ) -> Result<TaskRegister, Fault> {
        let low_slot = gdt.slot(selector)?;
        let bad = Fault::GeneralProtection(selector & !3);
        let high_slot = gdt.address(u64::from(selector & !7) + 8, 8).ok_or(bad)?;
        let low = gdt.descriptor(context, selector)?;
        let high = context.read(high_slot, Size::Qword)?;
        if low.system_type() != Some(AVAILABLE) {
            return Err(bad);
        }
        if !low.is_present() {
            return Err(Fault::SegmentNotPresent(selector & !3));
        }
        context.write(low_slot, Size::Qword, low.0 | BUSY)?;
        Ok(TaskRegister {
            selector,
            base: low.base() | high << 32,
            limit: low.limit(),
        })
    }

    /// The stack on which the handler of `gate` starts when it interrupts user
    /// code, or when its gate asks for a stack of its own.
    ///
    /// # Exercise v3-E4: interrupts and exceptions from user mode (the stack)
    ///
    /// A gate whose stack number is not 0 gets that interrupt stack; the others
    /// get the kernel's. Eight bytes each (SDM vol. 3, figure 8-11).
    ///
    /// # Errors
    /// #TS with the task register's selector if the segment ends before the
    /// pointer; the fault of the read that failed.
    pub fn stack(&self, context: &Context, gate: Gate) -> Result<u64, Fault> {
        // BEGIN SOLUTION
        let offset = match gate.stack {
            0 => RSP0,
            number => IST1 + 8 * (u64::from(number) - 1),
        };
        if offset + 7 > u64::from(self.limit) {
            return Err(Fault::InvalidTss(self.selector & !3));
        }
        context.read(self.base.wrapping_add(offset), Size::Qword)
        // END SOLUTION
        // STUB: todo!("v3-E4: find the kernel's stack")
    }
}
