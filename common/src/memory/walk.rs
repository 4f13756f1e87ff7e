//! The walk through the guest's page tables (SDM vol. 3, 4.5).
//!
//! The machine always runs with CR0.WP = 1 and EFER.NXE = 1: a page that is not
//! writable is so for the kernel too, and the no-execute bit counts.

use super::PAGE_SIZE;
use crate::{Fault, PageFaultCode, Size, Space, View};

/// What an access wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read data.
    Read,
    /// Write data.
    Write,
    /// Fetch an instruction.
    Fetch,
}

/// Where a guest-virtual address leads, and what its page allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The guest-physical address of the same byte.
    pub gpa: u64,
    /// Whether user mode may use the page.
    pub user: bool,
    /// Whether the page may be written.
    pub writable: bool,
    /// Whether code may be fetched from the page.
    pub executable: bool,
    /// Whether the dirty bit is set, so that a write needs no second walk.
    pub dirty: bool,
    /// Whether the page is larger than 4 KiB.
    pub large: bool,
}

pub(crate) const PRESENT: u64 = 1 << 0;
pub(crate) const WRITABLE: u64 = 1 << 1;
pub(crate) const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
pub(crate) const DIRTY: u64 = 1 << 6;
pub(crate) const LARGE: u64 = 1 << 7;
pub(crate) const NO_EXECUTE: u64 = 1 << 63;
/// The address bits of an entry. Physical addresses have 40 bits here, so the
/// bits from 40 to 51 are reserved.
pub(crate) const TABLE: u64 = 0x0000_00ff_ffff_f000;
const RESERVED: u64 = 0x000f_ff00_0000_0000;

/// Whether an address is canonical: bits 48 to 63 are copies of bit 47.
pub const fn is_canonical(address: u64) -> bool {
    (address as i64) << 16 >> 16 == address as i64
}

/// Walks the page tables of `space` for one access to `address`, in its view,
/// and sets the accessed and dirty bits as the CPU does.
///
/// # Errors
/// The page fault, or #GP(0) for a non-canonical address.
pub fn translate(space: &Space, address: u64, access: Access) -> Result<Translation, Fault> {
    if !is_canonical(address) {
        return Err(Fault::GeneralProtection(0));
    }
    let fault = |why| page_fault(space.view, address, access, why);
    let mut table = space.root();
    let mut rights = WRITABLE | USER;
    let mut executable = true;
    for shift in [39, 30, 21, 12] {
        let slot = table + (address >> shift & 0x1ff) * 8;
        // Where there is no RAM the bus reads as all ones: a reserved bit set.
        let entry = space.memory.load(slot, Size::Qword).unwrap_or(u64::MAX);
        if entry & PRESENT == 0 {
            return Err(fault(0));
        }
        rights &= entry;
        executable &= entry & NO_EXECUTE == 0;
        let leaf = shift == 12 || entry & LARGE != 0;
        if has_reserved_bits(entry, shift) {
            return Err(fault(PageFaultCode::PROTECTION | PageFaultCode::RESERVED));
        }
        if !leaf {
            set_bits(space, slot, entry, ACCESSED);
            table = entry & TABLE;
            continue;
        }
        let allowed = (space.view == View::Kernel || rights & USER != 0)
            && (access != Access::Write || rights & WRITABLE != 0)
            && (access != Access::Fetch || executable);
        if !allowed {
            return Err(fault(PageFaultCode::PROTECTION));
        }
        let written = if access == Access::Write { DIRTY } else { 0 };
        set_bits(space, slot, entry, ACCESSED | written);
        let within = (1 << shift) - 1;
        return Ok(Translation {
            gpa: entry & TABLE & !within | address & within,
            user: rights & USER != 0,
            writable: rights & WRITABLE != 0,
            executable,
            dirty: (entry | written) & DIRTY != 0,
            large: shift != 12,
        });
    }
    unreachable!("the last level is always a leaf")
}

fn page_fault(view: View, address: u64, access: Access, why: u32) -> Fault {
    let what = match access {
        Access::Read => 0,
        Access::Write => PageFaultCode::WRITE,
        Access::Fetch => PageFaultCode::FETCH,
    };
    let who = match view {
        View::Kernel => 0,
        View::User => PageFaultCode::USER,
    };
    let code = PageFaultCode(why | what | who);
    Fault::PageFault { code, address }
}

/// Whether an entry that maps `1 << shift` bytes has a bit set that must be 0.
fn has_reserved_bits(entry: u64, shift: u32) -> bool {
    let large = entry & LARGE != 0;
    let below_large_frame = match shift {
        39 => LARGE,
        30 if large => 0x3fff_e000,
        21 if large => 0x001f_e000,
        _ => 0,
    };
    entry & (RESERVED | below_large_frame) != 0
}

fn set_bits(space: &Space, slot: u64, entry: u64, bits: u64) {
    if entry & bits != bits {
        space.memory.set_bits(slot, bits);
    }
}

/// Reads bytes at a guest-virtual address, page by page.
///
/// # Errors
/// The fault of the first byte that cannot be read. Where there is no RAM,
/// bytes read as all ones.
pub fn read_virtual(space: &Space, address: u64, bytes: &mut [u8]) -> Result<(), Fault> {
    let mut done = 0;
    while done < bytes.len() {
        let at = address.wrapping_add(done as u64);
        let length = to_page_end(at).min(bytes.len() - done);
        let part = &mut bytes[done..done + length];
        let gpa = translate(space, at, Access::Read)?.gpa;
        if space.memory.read(gpa, part).is_none() {
            part.fill(0xff);
        }
        done += length;
    }
    Ok(())
}

/// Writes bytes at a guest-virtual address. Where there is no RAM, bytes
/// vanish.
///
/// # Errors
/// The fault of the first byte that cannot be written; nothing is written then.
pub fn write_virtual(space: &Space, address: u64, bytes: &[u8]) -> Result<(), Fault> {
    for dry_run in [true, false] {
        let mut done = 0;
        while done < bytes.len() {
            let at = address.wrapping_add(done as u64);
            let length = to_page_end(at).min(bytes.len() - done);
            let gpa = translate(space, at, Access::Write)?.gpa;
            if !dry_run {
                let _nobody_there = space.memory.write(gpa, &bytes[done..done + length]);
            }
            done += length;
        }
    }
    Ok(())
}

fn to_page_end(address: u64) -> usize {
    (PAGE_SIZE - address % PAGE_SIZE) as usize
}
