//! A software TLB: guest-virtual pages with the host addresses of their RAM.
//!
//! With [`ram`](super::ram) the only unsafe code in the crate, for speed: a hit
//! costs one compare and leads straight to the host's memory.
//!
//! Invariant: `host` and `code` of an entry with a valid tag belong to a page
//! of the memory whose number its `Pages` bear, and `Pages` are used only by a
//! TLB that keeps this memory alive.

#![allow(unsafe_code)]

use super::code::PageCode;
use super::{Access, Memory, PAGE_SIZE, Translation, Word};

/// How many pages are held, direct-mapped.
const ENTRIES: usize = 256;
/// A tag that no address matches: tags are compared with the page number and
/// with the low bits that an aligned address has clear, never with this bit.
const INVALID: u64 = PAGE_SIZE / 2;
const PAGE: u64 = !(PAGE_SIZE - 1);

/// The cached translations of one view of one address space.
pub(crate) struct Tlb {
    memory: Memory,
    pages: Pages,
}

/// What a TLB holds, and what is kept of it while the CPU runs in another
/// address space. It does not keep the memory alive: a VM that is gone must not
/// hold its RAM because some CPU still knows of it.
pub(crate) struct Pages {
    /// The number of the memory that the entries lead to.
    memory: u64,
    entries: Box<[Entry; ENTRIES]>,
    /// Whether some entries are parts of larger pages, which must be forgotten
    /// together.
    has_large: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The page whose reads hit, or [`INVALID`].
    read: u64,
    /// The page whose writes hit, or [`INVALID`]: writable, and already dirty.
    write: u64,
    /// The first byte of its RAM.
    host: *mut u8,
    code: *const PageCode,
}

const EMPTY: Entry = Entry {
    read: INVALID,
    write: INVALID,
    host: std::ptr::null_mut(),
    code: std::ptr::null(),
};

// SAFETY: the pointers lead to memory that may be used from any thread (see
// `Memory`).
unsafe impl Send for Pages {}

/// Where a store may go, and what must be looked at after it.
pub(crate) struct Slot<'a, T: Word> {
    cell: &'a T::Atomic,
    code: &'a PageCode,
}

impl<T: Word> Slot<'_, T> {
    #[inline(always)]
    pub fn load(&self) -> T {
        T::load(self.cell)
    }

    /// Stores, and says whether the page is free of code. If it is not, call
    /// [`Memory::touch`].
    #[inline(always)]
    #[must_use]
    pub fn store(&self, value: T) -> bool {
        T::store(self.cell, value);
        self.code.is_clear()
    }
}

impl Pages {
    /// None, of `memory`.
    pub fn new(memory: &Memory) -> Pages {
        Pages {
            memory: memory.id(),
            entries: Box::new([EMPTY; ENTRIES]),
            has_large: false,
        }
    }

    /// Whether they lead to `memory`.
    pub fn are_of(&self, memory: &Memory) -> bool {
        self.memory == memory.id()
    }

    fn clear(&mut self, memory: &Memory) {
        self.memory = memory.id();
        self.entries.fill(EMPTY);
        self.has_large = false;
    }
}

impl Tlb {
    /// An empty TLB for an address space in `memory`.
    pub fn new(memory: Memory) -> Tlb {
        Tlb {
            pages: Pages::new(&memory),
            memory,
        }
    }

    /// Goes over to `memory` and to what `pages` know of it, which is nothing
    /// if they are not of this memory, and leaves its own in their place.
    pub fn exchange(&mut self, memory: &Memory, pages: &mut Pages) {
        std::mem::swap(&mut self.pages, pages);
        if !self.pages.are_of(memory) {
            self.pages.clear(memory);
        }
        self.memory = memory.clone();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.pages.clear(&self.memory);
    }

    /// Forgets the page of `address`, and perhaps others.
    pub fn forget(&mut self, address: u64) {
        if std::mem::take(&mut self.pages.has_large) {
            self.pages.entries.fill(EMPTY);
        }
        self.pages.entries[index(address)] = EMPTY;
    }

    /// Remembers where `address` leads, after a walk that allowed a read or a
    /// write of it.
    pub fn fill(&mut self, address: u64, to: &Translation) {
        let (Some(host), Some(code)) = (self.memory.host_page(to.gpa), self.memory.code(to.gpa))
        else {
            return;
        };
        let page = address & PAGE;
        self.pages.has_large |= to.large;
        self.pages.entries[index(address)] = Entry {
            read: page,
            write: if to.writable && to.dirty {
                page
            } else {
                INVALID
            },
            host,
            code,
        };
    }

    /// The word at an address; `None` if it must be walked, or is not aligned.
    #[inline(always)]
    pub fn read<T: Word>(&self, address: u64) -> Option<T> {
        let entry = &self.pages.entries[index(address)];
        if entry.read != address & aligned::<T>() {
            return None;
        }
        // SAFETY: the entry is valid, so its page is RAM of `self.memory`; the
        // address is aligned, so the word lies within the page.
        let cell = unsafe { &*entry.at(address).cast::<T::Atomic>() };
        Some(T::load(cell))
    }

    /// The place of the word at an address, for a store; `None` if it must be
    /// walked, or is not aligned.
    #[inline(always)]
    pub fn slot<T: Word>(&self, address: u64) -> Option<Slot<'_, T>> {
        let entry = &self.pages.entries[index(address)];
        if entry.write != address & aligned::<T>() {
            return None;
        }
        // SAFETY: as in `read`; `code` belongs to the same page.
        let (cell, code) = unsafe { (&*entry.at(address).cast::<T::Atomic>(), &*entry.code) };
        Some(Slot { cell, code })
    }

    /// The guest-physical address of `address`, if the page is known to allow
    /// the access.
    pub fn gpa(&self, address: u64, access: Access) -> Option<u64> {
        let entry = &self.pages.entries[index(address)];
        let tag = if access == Access::Write {
            entry.write
        } else {
            entry.read
        };
        let base = self.memory.host_page(0)?;
        (tag == address & PAGE)
            .then(|| (entry.host.addr() - base.addr()) as u64 + address % PAGE_SIZE)
    }
}

impl Entry {
    #[inline(always)]
    fn at(&self, address: u64) -> *mut u8 {
        self.host.wrapping_add((address % PAGE_SIZE) as usize)
    }
}

#[inline(always)]
fn index(address: u64) -> usize {
    (address / PAGE_SIZE) as usize % ENTRIES
}

/// The bits of an address that must be those of the tag: the page number, and
/// zeros where an aligned address has them.
#[inline(always)]
const fn aligned<T: Word>() -> u64 {
    PAGE | (T::BYTES as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(gpa: u64, writable: bool, dirty: bool) -> Translation {
        Translation {
            gpa,
            user: true,
            writable,
            executable: true,
            dirty,
            large: false,
        }
    }

    #[test]
    fn only_aligned_accesses_to_known_pages_hit() {
        let memory = Memory::new(8192).unwrap();
        memory.store(4096 + 8, crate::Size::Dword, 77).unwrap();
        let mut tlb = Tlb::new(memory);
        assert_eq!(tlb.read::<u32>(0x7008), None);
        tlb.fill(0x7123, &page(4096 + 0x123, true, true));
        assert_eq!(tlb.read::<u32>(0x7008), Some(77));
        assert_eq!(tlb.read::<u32>(0x7006), None);
        assert_eq!(tlb.read::<u8>(0x7009), Some(0));
        assert_eq!(tlb.gpa(0x7009, Access::Write), Some(4096 + 9));
        tlb.forget(0x7fff);
        assert_eq!(tlb.read::<u32>(0x7008), None);
    }

    #[test]
    fn a_page_that_is_clean_or_read_only_takes_no_store() {
        let mut tlb = Tlb::new(Memory::new(8192).unwrap());
        for (writable, dirty) in [(false, true), (true, false)] {
            tlb.fill(0, &page(0, writable, dirty));
            assert!(tlb.read::<u64>(0).is_some() && tlb.slot::<u64>(0).is_none());
        }
        tlb.fill(0, &page(0, true, true));
        assert!(tlb.slot::<u64>(0).unwrap().store(1));
    }

    #[test]
    fn a_large_page_is_forgotten_as_a_whole() {
        let mut tlb = Tlb::new(Memory::new(8192).unwrap());
        let large = Translation {
            large: true,
            ..page(0, true, true)
        };
        tlb.fill(0, &large);
        tlb.forget(0x1000);
        assert_eq!(tlb.read::<u8>(0), None);
    }

    #[test]
    fn pages_come_back_with_their_memory_and_with_no_other() {
        let [one, other] = [11, 22].map(|value| {
            let memory = Memory::new(4096).unwrap();
            memory.store(0, crate::Size::Byte, value).unwrap();
            memory
        });
        let mut tlb = Tlb::new(one.clone());
        tlb.fill(0, &page(0, true, true));
        let mut kept = Pages::new(&other);
        tlb.exchange(&other, &mut kept);
        assert_eq!(tlb.read::<u8>(0), None);
        tlb.fill(0, &page(0, true, true));
        tlb.exchange(&one, &mut kept);
        assert_eq!(tlb.read::<u8>(0), Some(11));
        tlb.exchange(&one, &mut kept);
        assert_eq!(tlb.read::<u8>(0), None);
    }

    #[test]
    fn a_page_without_ram_is_never_held() {
        let mut tlb = Tlb::new(Memory::new(4096).unwrap());
        tlb.fill(0x5000, &page(0x5000, true, true));
        assert_eq!(tlb.read::<u8>(0x5000), None);
    }

    #[test]
    fn the_empty_tlb_knows_no_address_at_all() {
        let tlb = Tlb::new(Memory::new(4096).unwrap());
        for address in (0..4096).chain([u64::MAX, INVALID, 1 << 47]) {
            assert_eq!(tlb.read::<u8>(address), None);
            assert!(tlb.slot::<u64>(address).is_none());
        }
    }
}
