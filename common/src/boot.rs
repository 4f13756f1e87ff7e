//! What lies in guest memory before the first instruction runs.
//!
//! A vCPU enters as a Linux kernel does by the 64-bit boot protocol
//! (`Documentation/arch/x86/boot.rst`): in long mode, with identity page
//! tables and a flat GDT. A real machine needs firmware and a boot loader to
//! come this far; here the VMM writes the few tables itself.
//!
//! ```text
//!  0x0000_0000 +------------------------------+
//!              | nothing: a null pointer      |  mapped all the same
//!       0x1000 +------------------------------+
//!              | GDT, 7 descriptors           |  GDT, GDT_LIMIT
//!       0x2000 +------------------------------+
//!              | PML4: entry 0 only           |  PML4, what CR3 holds
//!       0x3000 +------------------------------+
//!              | PDPT: 4 pages of 1 GiB       |  PDPT
//!       0x4000 +------------------------------+
//!              | nothing                      |
//!      0x10000 +------------------------------+
//!              | stack of vCPU 31, 16 KiB     |
//!              | ...                          |
//!              | stack of vCPU 0              |  grows down from STACK_TOP
//!      0x90000 +------------------------------+
//!              | nothing                      |
//!  0x0010_0000 +------------------------------+
//!              | the image                    |  IMAGE_START
//!              | the guest's own memory       |
//!              +------------------------------+  the end of guest RAM
//!  0xfee0_0000   the local APIC, not RAM; the map ends at 4 GiB
//! ```
//!
//! This module writes memory and says what a vCPU starts with. It never
//! touches a register: to turn a [`Boot`] into a context is the first thing
//! that version 1 does.

use crate::{Memory, PAGE_SIZE, Size};

/// Guest-physical address of the global descriptor table.
pub const GDT: u64 = 0x1000;
/// The limit of the GDT as GDTR holds it: the offset of its last byte.
pub const GDT_LIMIT: u16 = (DESCRIPTORS.len() * 8 - 1) as u16;
/// Guest-physical address of the top page table: the value of CR3.
pub const PML4: u64 = 0x2000;
/// Guest-physical address of the only page-directory-pointer table.
pub const PDPT: u64 = 0x3000;
/// Where the stack of vCPU 0 begins, growing down.
pub const STACK_TOP: u64 = 0x9_0000;
/// Bytes of stack for each vCPU; vCPU 1's stack lies below vCPU 0's.
pub const STACK_SIZE: u64 = 0x4000;
/// The lowest address that an image may use.
pub const IMAGE_START: u64 = 0x10_0000;
/// As many vCPUs as there is room for stacks.
pub const MAX_VCPUS: u64 = (STACK_TOP - LOWEST_STACK) / STACK_SIZE;

const LOWEST_STACK: u64 = 0x1_0000;

/// The selectors of the boot GDT, which are Linux's (`asm/segment.h`).
///
/// Their order is what `syscall` and `sysret` ask for: kernel data follows
/// kernel code; user data and 64-bit user code follow 32-bit user code.
pub mod selectors {
    /// 64-bit code, privilege 0: CS at entry.
    pub const KERNEL_CODE: u16 = 0x10;
    /// Data, privilege 0: SS, DS and ES at entry.
    pub const KERNEL_DATA: u16 = 0x18;
    /// 32-bit code, privilege 3: the base from which `sysret` counts.
    pub const USER_CODE_32: u16 = 0x23;
    /// Data, privilege 3.
    pub const USER_DATA: u16 = 0x2b;
    /// 64-bit code, privilege 3.
    pub const USER_CODE: u16 = 0x33;
}

/// The descriptors in the order of their selectors. The first is null by rule
/// (SDM vol. 3, 3.5.1), the second because Linux has it so.
const DESCRIPTORS: [u64; 7] = [
    0,
    0,
    descriptor(CODE | PRIVILEGE_0, LONG),
    descriptor(DATA | PRIVILEGE_0, DEFAULT_32),
    descriptor(CODE | PRIVILEGE_3, DEFAULT_32),
    descriptor(DATA | PRIVILEGE_3, DEFAULT_32),
    descriptor(CODE | PRIVILEGE_3, LONG),
];

/// Present, code, readable, already accessed.
const CODE: u64 = 0x9b;
/// Present, data, writable, already accessed.
const DATA: u64 = 0x93;
const PRIVILEGE_0: u64 = 0 << 5;
const PRIVILEGE_3: u64 = 3 << 5;
/// The L flag: 64-bit code.
const LONG: u64 = 1 << 53;
/// The D/B flag: 32-bit operands or stack.
const DEFAULT_32: u64 = 1 << 54;

/// A descriptor with base 0 and a limit of 4 GiB (SDM vol. 3, figure 3-8).
const fn descriptor(access: u64, flags: u64) -> u64 {
    const LIMIT: u64 = 0x000f_0000_0000_ffff;
    const GRANULARITY_4K: u64 = 1 << 55;
    LIMIT | GRANULARITY_4K | flags | access << 40
}

/// What one vCPU starts with.
///
/// Everything else is the same for each vCPU: RFLAGS is 2, so interrupts are
/// closed; CS and SS are the kernel's [`selectors`]; all other registers are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// RIP: the address of the first instruction.
    pub entry: u64,
    /// RSP: the top of this vCPU's stack, a multiple of 16.
    pub stack: u64,
    /// CR3: guest-physical address of the top page table.
    pub root: u64,
    /// RDI: the number of the vCPU.
    pub vcpu: u64,
}

/// A vCPU cannot be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Guest memory ends before the place for images begins.
    #[error("guest memory of {0:#x} bytes is too small: must be more than {IMAGE_START:#x}")]
    MemoryTooSmall(u64),
    /// There is no stack for this vCPU.
    #[error("vcpu {0} does not exist: there is room for {MAX_VCPUS}, numbered from 0")]
    NoSuchVcpu(u64),
}

impl Boot {
    /// Writes the boot structures into `memory`, and says what vCPU 0 starts
    /// with. Call it once, before any vCPU runs.
    ///
    /// # Errors
    /// [`BootError::MemoryTooSmall`]; nothing is written then.
    pub fn prepare(memory: &Memory, entry: u64) -> Result<Boot, BootError> {
        let too_small = BootError::MemoryTooSmall(memory.size());
        if memory.size() <= IMAGE_START {
            return Err(too_small);
        }
        write_table(memory, GDT, &DESCRIPTORS).ok_or(too_small)?;
        write_table(memory, PML4, &[PDPT | PRESENT | WRITABLE]).ok_or(too_small)?;
        write_table(memory, PDPT, &IDENTITY).ok_or(too_small)?;
        Ok(Boot {
            entry,
            stack: STACK_TOP,
            root: PML4,
            vcpu: 0,
        })
    }

    /// What vCPU number `vcpu` of the same machine starts with.
    ///
    /// # Errors
    /// [`BootError::NoSuchVcpu`] from [`MAX_VCPUS`] on.
    pub fn for_vcpu(self, vcpu: u64) -> Result<Boot, BootError> {
        if vcpu >= MAX_VCPUS {
            return Err(BootError::NoSuchVcpu(vcpu));
        }
        Ok(Boot {
            stack: STACK_TOP - vcpu * STACK_SIZE,
            vcpu,
            ..self
        })
    }
}

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;

/// Four pages of 1 GiB, each at its own address (SDM vol. 3, table 4-16).
const IDENTITY: [u64; 4] = [identity(0), identity(1), identity(2), identity(3)];

const fn identity(gibibyte: u64) -> u64 {
    gibibyte << 30 | PRESENT | WRITABLE | LARGE
}

/// Writes a page that begins with `entries` and is zero after them.
fn write_table(memory: &Memory, address: u64, entries: &[u64]) -> Option<()> {
    memory.write(address, &[0; PAGE_SIZE as usize])?;
    for (slot, entry) in (address..).step_by(8).zip(entries) {
        memory.store(slot, Size::Qword, *entry)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Context, View, translate};

    fn memory() -> Memory {
        Memory::new(2 << 20).unwrap()
    }

    #[test]
    fn the_first_four_gibibytes_are_mapped_to_themselves_for_the_kernel() {
        let memory = memory();
        let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
        let mut context = Context::new(memory);
        context.space.set_root(boot.root);
        for address in [0, 0x10_0abc, 0x7fff_ffff, 0xfee0_0390, 0xffff_ffff] {
            let found = translate(&context.space, address, Access::Write).unwrap();
            assert_eq!(found.gpa, address);
            assert!(found.writable && found.executable && !found.user);
        }
        assert!(translate(&context.space, 1 << 32, Access::Read).is_err());
    }

    #[test]
    fn user_mode_may_use_none_of_it() {
        let memory = memory();
        let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
        let mut context = Context::new(memory);
        context.space.set_root(boot.root);
        context.space.view = View::User;
        assert!(translate(&context.space, 0x10_0000, Access::Fetch).is_err());
    }

    #[test]
    fn the_descriptors_are_those_of_linux() {
        let memory = memory();
        Boot::prepare(&memory, 0).unwrap();
        let at = |selector: u16| {
            let slot = GDT + u64::from(selector & !7);
            memory.load(slot, Size::Qword).unwrap()
        };
        // `GDT_ENTRY_INIT` in arch/x86/kernel/cpu/common.c.
        assert_eq!(at(selectors::KERNEL_CODE), 0x00af_9b00_0000_ffff);
        assert_eq!(at(selectors::KERNEL_DATA), 0x00cf_9300_0000_ffff);
        assert_eq!(at(selectors::USER_CODE_32), 0x00cf_fb00_0000_ffff);
        assert_eq!(at(selectors::USER_DATA), 0x00cf_f300_0000_ffff);
        assert_eq!(at(selectors::USER_CODE), 0x00af_fb00_0000_ffff);
        assert_eq!(u64::from(GDT_LIMIT) + 1, 7 * 8);
    }

    #[test]
    fn every_vcpu_has_a_stack_of_its_own_between_the_tables_and_the_image() {
        let boot = Boot::prepare(&memory(), 0x10_0000).unwrap();
        let stacks: Vec<_> = (0..MAX_VCPUS)
            .map(|vcpu| boot.for_vcpu(vcpu).unwrap().stack)
            .collect();
        assert!(
            stacks
                .windows(2)
                .all(|pair| pair[0] - pair[1] == STACK_SIZE)
        );
        assert_eq!(stacks[0], STACK_TOP);
        assert_eq!(stacks.last().unwrap() - STACK_SIZE, LOWEST_STACK);
    }

    #[test]
    fn one_vcpu_too_many_is_refused_by_its_number() {
        let boot = Boot::prepare(&memory(), 0x10_0000).unwrap();
        let error = boot.for_vcpu(MAX_VCPUS).unwrap_err().to_string();
        assert!(error.contains("vcpu 32"), "{error}");
    }

    #[test]
    fn memory_without_room_for_an_image_is_refused_by_its_size() {
        let small = Memory::new(IMAGE_START).unwrap();
        let error = Boot::prepare(&small, 0).unwrap_err().to_string();
        assert!(error.contains("0x100000"), "{error}");
    }
}
