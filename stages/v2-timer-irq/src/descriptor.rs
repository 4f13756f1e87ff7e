//! Descriptor tables and the segments in them. Given: nothing to do here.

use common::{Context, Fault, Size};

/// Where a descriptor table is: what `lidt` or `lgdt` loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorTable {
    /// Guest-virtual address of its first byte.
    pub base: u64,
    /// Offset of its last byte.
    pub limit: u16,
}

impl DescriptorTable {
    /// The address of the `length` bytes at `offset`, or `None` if they reach
    /// beyond the limit.
    pub fn address(&self, offset: u64, length: u64) -> Option<u64> {
        let last = offset + length - 1;
        (last <= u64::from(self.limit)).then(|| self.base.wrapping_add(offset))
    }

    /// The address of the descriptor that `selector` names.
    ///
    /// # Errors
    /// #GP(0) for the null selector; #GP with the selector if it lies beyond
    /// the limit or asks for a local table, which this machine does not have.
    pub fn slot(&self, selector: u16) -> Result<u64, Fault> {
        const LOCAL_TABLE: u16 = 1 << 2;
        if selector & !3 == 0 {
            return Err(Fault::GeneralProtection(0));
        }
        self.address(u64::from(selector & !7), 8)
            .filter(|_| selector & LOCAL_TABLE == 0)
            .ok_or(Fault::GeneralProtection(selector & !3))
    }

    /// The descriptor that `selector` names.
    ///
    /// # Errors
    /// As [`slot`](Self::slot), and the fault of reading it.
    pub fn descriptor(&self, context: &Context, selector: u16) -> Result<Descriptor, Fault> {
        let address = self.slot(selector)?;
        context.read(address, Size::Qword).map(Descriptor)
    }
}

/// A segment descriptor (SDM vol. 3, 3.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(pub u64);

impl Descriptor {
    /// Whether the segment may be used at all.
    pub const fn is_present(self) -> bool {
        self.bit(47)
    }

    /// The privilege level of the segment, 0 to 3.
    pub const fn privilege(self) -> u8 {
        (self.0 >> 45 & 3) as u8
    }

    /// Whether it holds 64-bit code.
    pub const fn is_long_code(self) -> bool {
        self.bit(44) && self.bit(43) && self.bit(53) && !self.bit(54)
    }

    /// Whether it is a data segment that may be written, as a stack must be.
    pub const fn is_writable_data(self) -> bool {
        self.bit(44) && !self.bit(43) && self.bit(41)
    }

    /// The type of a system segment, such as 9 for a 64-bit TSS; `None` for
    /// code and data.
    pub const fn system_type(self) -> Option<u8> {
        match self.bit(44) {
            true => None,
            false => Some((self.0 >> 40 & 0xf) as u8),
        }
    }

    /// The low 32 bits of the address where the segment begins.
    pub const fn base(self) -> u64 {
        self.0 >> 16 & 0xff_ffff | self.0 >> 32 & 0xff00_0000
    }

    /// The offset of the segment's last byte.
    pub const fn limit(self) -> u32 {
        let limit = (self.0 & 0xffff | self.0 >> 32 & 0xf_0000) as u32;
        match self.bit(55) {
            true => limit << 12 | 0xfff,
            false => limit,
        }
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::boot::{GDT, GDT_LIMIT, selectors};
    use common::{Boot, Memory};

    fn boot_table() -> (Context, DescriptorTable) {
        let memory = Memory::new(2 << 20).unwrap();
        let boot = Boot::prepare(&memory, 0).unwrap();
        let mut context = Context::new(memory);
        context.space.set_root(boot.root);
        let (base, limit) = (GDT, GDT_LIMIT);
        (context, DescriptorTable { base, limit })
    }

    #[test]
    fn the_boot_segments_are_what_their_names_say() {
        let (context, table) = boot_table();
        let descriptor = |selector| table.descriptor(&context, selector).unwrap();
        let code = descriptor(selectors::KERNEL_CODE);
        assert!(code.is_present() && code.is_long_code() && code.privilege() == 0);
        let data = descriptor(selectors::USER_DATA);
        assert!(data.is_present() && data.is_writable_data() && data.privilege() == 3);
        assert!(!descriptor(selectors::USER_CODE_32).is_long_code());
        assert_eq!((data.base(), data.limit()), (0, u32::MAX));
    }

    #[test]
    fn no_descriptor_lies_behind_the_limit_or_in_a_local_table() {
        let (context, table) = boot_table();
        let fault = |selector| table.descriptor(&context, selector).unwrap_err();
        assert_eq!(fault(3), Fault::GeneralProtection(0));
        assert_eq!(fault(0x3b), Fault::GeneralProtection(0x38));
        assert_eq!(fault(0x14), Fault::GeneralProtection(0x14));
    }
}
