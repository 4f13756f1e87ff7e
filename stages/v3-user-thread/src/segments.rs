//! Segment registers: loading them is checked, reading them tells. Given:
//! nothing to do here.
//!
//! In 64-bit mode only the bases of FS and GS mean anything, and those are in
//! the raw CPU's context. The selectors are kept so that the guest reads back
//! what it loaded.

use crate::mode::Mode;
use common::boot::selectors::KERNEL_DATA;
use common::{Context, Fault, Segment};
use v2::DescriptorTable;

/// The selectors of the data segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSegments {
    /// ES, DS, FS, GS.
    selectors: [u16; 4],
}

impl Default for DataSegments {
    /// As the boot code leaves them.
    fn default() -> DataSegments {
        DataSegments {
            selectors: [KERNEL_DATA, KERNEL_DATA, 0, 0],
        }
    }
}

impl DataSegments {
    /// The selector of a data segment; `None` for CS and SS.
    pub fn get(&self, segment: Segment) -> Option<u16> {
        index(segment).map(|index| self.selectors[index])
    }

    /// `mov segment, selector` for a data segment. Loading FS or GS also loads
    /// its base, from the descriptor or, with the null selector, with 0.
    ///
    /// # Errors
    /// #GP with the selector if the segment is not data (or readable code) that
    /// this mode may use, #NP if it is not present; nothing changes then.
    ///
    /// # Panics
    /// For CS and SS, which are no data segments.
    pub fn load(
        &mut self,
        context: &mut Context,
        gdt: DescriptorTable,
        segment: Segment,
        selector: u16,
    ) -> Result<(), Fault> {
        let index = index(segment).expect("only data segments are kept here");
        let base = match selector & !3 {
            0 => 0,
            _ => usable_base(context, gdt, selector)?,
        };
        self.selectors[index] = selector;
        match segment {
            Segment::Fs => context.fs_base = base,
            Segment::Gs => context.gs_base = base,
            _ => {}
        }
        Ok(())
    }
}

fn index(segment: Segment) -> Option<usize> {
    match segment {
        Segment::Es => Some(0),
        Segment::Ds => Some(1),
        Segment::Fs => Some(2),
        Segment::Gs => Some(3),
        Segment::Cs | Segment::Ss => None,
    }
}

fn usable_base(context: &mut Context, gdt: DescriptorTable, selector: u16) -> Result<u64, Fault> {
    let read = |context: &mut Context| gdt.descriptor(context, selector);
    let descriptor = Mode::Kernel.during(context, read)?;
    let reachable = match Mode::of(context) {
        Mode::Kernel => true,
        Mode::User => descriptor.privilege() == 3,
    };
    if !descriptor.is_writable_data() || !reachable {
        return Err(Fault::GeneralProtection(selector & !3));
    }
    if !descriptor.is_present() {
        return Err(Fault::SegmentNotPresent(selector & !3));
    }
    Ok(descriptor.base())
}
