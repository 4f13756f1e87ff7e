//! Guest-physical memory: one run of RAM from address 0.
//!
//! This is one of the two places in the crate with unsafe code (the other is
//! the [`tlb`](super::tlb)): it turns host pointers into references to atomics,
//! and never into anything else, so that guest memory can be used from several
//! threads at once and every Rust reference to it stays honest.

#![allow(unsafe_code)]

use super::code::PageCode;
use super::{PAGE_SIZE, Word};
use crate::Size;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex};
use vm_memory::MmapRegion;

/// Guest-physical RAM from address 0. Clones share the same memory.
///
/// It may be used from several threads at once, as real RAM is: aligned
/// accesses of up to eight bytes are atomic, others are made of such. (Rust has
/// no words yet for atomics of different widths that race on the same bytes;
/// here, as in every VMM, the host's hardware defines them.) The host gives a
/// page only when it is first touched.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Ram>);

/// One mapping of the host, as each is one of a limited number:
///
/// ```text
///  base -> +-----------------------------+
///          | RAM                         |  size
///          +-----------------------------+
///          | one PageCode for each page  |  all zero at first
///          +-----------------------------+  mapping_length(size)
/// ```
///
/// Invariant: `base` points to `mapping_length(size)` bytes, readable and
/// writable, aligned to a page, which live as long as `_map`, so as long as this.
#[derive(Debug)]
struct Ram {
    _map: MmapRegion,
    base: *mut u8,
    size: u64,
    id: u64,
    epoch: AtomicU64,
    wide: Mutex<()>,
}

// SAFETY: `base` points to memory that is only accessed through atomics.
unsafe impl Send for Ram {}
// SAFETY: as above.
unsafe impl Sync for Ram {}

/// Guest memory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The size is 0 or not a multiple of the page size.
    #[error("guest memory of {0} bytes: must be a multiple of 4096 and not 0")]
    Size(u64),
    /// The host refused.
    #[error("the host has no {0} bytes for guest memory: {1}")]
    Host(u64, String),
}

impl Memory {
    /// RAM of `size` bytes, all zero.
    ///
    /// # Errors
    /// If `size` is no multiple of the page size or the host refuses.
    pub fn new(size: u64) -> Result<Memory, MemoryError> {
        if size == 0 || !size.is_multiple_of(PAGE_SIZE) {
            return Err(MemoryError::Size(size));
        }
        let map = MmapRegion::new(mapping_length(size)?)
            .map_err(|error| MemoryError::Host(size, error.to_string()))?;
        Ok(Memory::in_map(map, size))
    }

    /// RAM of `size` bytes in a mapping that nobody else uses, of the length
    /// that [`mapping_length`] says, readable, writable, and zero behind the RAM.
    pub(super) fn in_map(map: MmapRegion, size: u64) -> Memory {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        assert_eq!(Some(map.size()), mapping_length(size).ok());
        Memory(Arc::new(Ram {
            base: map.as_ptr(),
            _map: map,
            size,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            epoch: AtomicU64::new(0),
            wide: Mutex::new(()),
        }))
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Whether both names stand for the same RAM.
    pub fn same(&self, other: &Memory) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that no other memory of this process has or had.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Whether all of `length` bytes at `gpa` are RAM.
    pub fn contains(&self, gpa: u64, length: u64) -> bool {
        gpa.checked_add(length)
            .is_some_and(|end| end <= self.0.size)
    }

    /// Where the RAM begins in the host's memory: for an engine that gives it to
    /// the hardware. All of [`size`](Memory::size) bytes stay there, readable and
    /// writable, as long as a clone of this.
    ///
    /// What is stored there by another way than this type is not seen by a
    /// software CPU that has decoded code from it.
    pub fn host_address(&self) -> *mut u8 {
        self.0.base
    }

    /// Copies RAM at `gpa` out; `None` if any of it is not RAM.
    pub fn read(&self, gpa: u64, bytes: &mut [u8]) -> Option<()> {
        if !self.contains(gpa, bytes.len() as u64) {
            return None;
        }
        let mut at = gpa;
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = step(at, rest.len());
            let (part, after) = rest.split_at_mut(length);
            part.copy_from_slice(&self.load_part(at, length).to_le_bytes()[..length]);
            at += length as u64;
            rest = after;
        }
        Some(())
    }

    /// Copies into RAM at `gpa`; `None`, and nothing written, if any of it is
    /// not RAM.
    pub fn write(&self, gpa: u64, bytes: &[u8]) -> Option<()> {
        if !self.contains(gpa, bytes.len() as u64) {
            return None;
        }
        let mut at = gpa;
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = step(at, rest.len());
            let (part, after) = rest.split_at(length);
            let mut word = [0; 8];
            word[..length].copy_from_slice(part);
            self.store_part(at, length, u64::from_le_bytes(word));
            at += length as u64;
            rest = after;
        }
        fence(Ordering::SeqCst);
        self.touch(gpa, bytes.len() as u64);
        Some(())
    }

    /// Loads a little-endian value; `None` if any of it is not RAM.
    pub fn load(&self, gpa: u64, size: Size) -> Option<u64> {
        if self.contains(gpa, size.bytes()) && gpa.is_multiple_of(size.bytes()) {
            return Some(self.load_part(gpa, size.bytes() as usize));
        }
        let mut bytes = [0; 8];
        self.read(gpa, &mut bytes[..size.bytes() as usize])?;
        Some(u64::from_le_bytes(bytes))
    }

    /// Stores a little-endian value; `None`, and nothing stored, if any of it
    /// is not RAM.
    pub fn store(&self, gpa: u64, size: Size, value: u64) -> Option<()> {
        self.write(gpa, &value.to_le_bytes()[..size.bytes() as usize])
    }

    /// Replaces the value at `gpa` by `f` of it, as a locked instruction does,
    /// and returns the old one; `None` if any of it is not RAM. `f` may run
    /// several times.
    ///
    /// Atomic against every access if `gpa` is aligned; if not, only against
    /// other such updates of unaligned or sixteen-byte values.
    pub fn update(&self, gpa: u64, size: Size, mut f: impl FnMut(u64) -> u64) -> Option<u64> {
        if !self.contains(gpa, size.bytes()) {
            return None;
        }
        if !gpa.is_multiple_of(size.bytes()) {
            let _alone = self.alone();
            let old = self.load(gpa, size)?;
            self.store(gpa, size, f(old))?;
            return Some(old);
        }
        let old = match size {
            Size::Byte => u8::update(self.cell::<u8>(gpa), |v| f(v.into()) as u8).into(),
            Size::Word => u16::update(self.cell::<u16>(gpa), |v| f(v.into()) as u16).into(),
            Size::Dword => u32::update(self.cell::<u32>(gpa), |v| f(v.into()) as u32).into(),
            Size::Qword => u64::update(self.cell::<u64>(gpa), f),
        };
        self.touch(gpa, size.bytes());
        Some(old)
    }

    /// As [`update`](Memory::update), for sixteen bytes. Atomic only against
    /// other such updates.
    pub fn update_wide(&self, gpa: u64, f: impl FnOnce(u128) -> u128) -> Option<u128> {
        let _alone = self.alone();
        let mut bytes = [0; 16];
        self.read(gpa, &mut bytes)?;
        let old = u128::from_le_bytes(bytes);
        let new = f(old);
        if new != old {
            self.write(gpa, &new.to_le_bytes())?;
        }
        Some(old)
    }

    /// Sets bits of the aligned eight bytes at `gpa`, atomically, as the CPU
    /// does with a page-table entry. Nothing happens where there is no RAM.
    pub fn set_bits(&self, gpa: u64, bits: u64) {
        self.update(gpa & !7, Size::Qword, |value| value | bits);
    }

    /// Advances whenever a store hits code that somebody has decoded.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// What the page of `gpa` knows about code in it; `None` if it is not RAM.
    pub(crate) fn code(&self, gpa: u64) -> Option<&PageCode> {
        if gpa >= self.0.size {
            return None;
        }
        let number = (gpa / PAGE_SIZE) as usize;
        // SAFETY: there is one for each page, behind the RAM, aligned as RAM
        // ends at the end of a page; zero bytes are a `PageCode`, which is two
        // atomics, and nobody uses these bytes as anything else.
        unsafe {
            let table = self.0.base.add(self.0.size as usize);
            Some(&*table.cast::<PageCode>().add(number))
        }
    }

    /// Counts a store of `length` bytes at `gpa` that has been done, if it hit
    /// decoded code, and says whether it did.
    pub(crate) fn touch(&self, gpa: u64, length: u64) -> bool {
        let mut hit = false;
        let mut at = gpa;
        while at < gpa + length {
            let offset = at % PAGE_SIZE;
            let part = (PAGE_SIZE - offset).min(gpa + length - at);
            hit |= self.code(at).is_some_and(|page| page.touch(offset, part));
            at += part;
        }
        if hit {
            self.0.epoch.fetch_add(1, Ordering::SeqCst);
        }
        hit
    }

    /// The host's address of the page at `gpa`, which stays valid, readable and
    /// writable as long as this memory; `None` if it is not RAM.
    pub(super) fn host_page(&self, gpa: u64) -> Option<*mut u8> {
        let page = gpa & !(PAGE_SIZE - 1);
        self.contains(page, PAGE_SIZE)
            .then(|| self.0.base.wrapping_add(page as usize))
    }

    fn alone(&self) -> impl Drop {
        self.0
            .wide
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The aligned word at `gpa`.
    fn cell<T: Word>(&self, gpa: u64) -> &T::Atomic {
        assert!(self.contains(gpa, T::SIZE.bytes()) && gpa.is_multiple_of(T::SIZE.bytes()));
        // SAFETY: in bounds and aligned, as just checked; the memory lives as
        // long as `self` and is only accessed through atomics.
        unsafe { &*self.0.base.add(gpa as usize).cast::<T::Atomic>() }
    }

    fn load_part(&self, gpa: u64, length: usize) -> u64 {
        match length {
            1 => u8::load(self.cell::<u8>(gpa)).wide(),
            2 => u16::load(self.cell::<u16>(gpa)).wide(),
            4 => u32::load(self.cell::<u32>(gpa)).wide(),
            _ => u64::load(self.cell::<u64>(gpa)),
        }
    }

    fn store_part(&self, gpa: u64, length: usize, value: u64) {
        match length {
            1 => u8::store(self.cell::<u8>(gpa), value as u8),
            2 => u16::store(self.cell::<u16>(gpa), value as u16),
            4 => u32::store(self.cell::<u32>(gpa), value as u32),
            _ => u64::store(self.cell::<u64>(gpa), value),
        }
    }
}

/// Bytes of the mapping for RAM of `size` bytes, a multiple of the page size.
///
/// # Errors
/// [`MemoryError::Host`] if no host can have so many.
pub(super) fn mapping_length(size: u64) -> Result<usize, MemoryError> {
    let table = size / PAGE_SIZE * size_of::<PageCode>() as u64;
    size.checked_add(table.next_multiple_of(PAGE_SIZE))
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| MemoryError::Host(size, "more than its address space".to_string()))
}

/// The widest aligned access at `gpa` that is at most `left` bytes.
fn step(gpa: u64, left: usize) -> usize {
    let aligned = 1 << gpa.trailing_zeros().min(3);
    let fitting = 1 << left.ilog2().min(3);
    usize::min(aligned, fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_at_any_alignment() {
        let memory = Memory::new(8192).unwrap();
        for size in Size::ALL {
            for gpa in 4080..4100 {
                let value = size.truncate(0x1122_3344_5566_7788 + gpa);
                memory.store(gpa, size, value).unwrap();
                assert_eq!(memory.load(gpa, size), Some(value), "{gpa} {size:?}");
            }
        }
    }

    #[test]
    fn bytes_are_copied_without_their_neighbours() {
        let memory = Memory::new(4096).unwrap();
        memory.write(0, &[0xee; 64]).unwrap();
        let bytes: Vec<u8> = (1..=23).collect();
        memory.write(5, &bytes).unwrap();
        let mut found = [0; 25];
        memory.read(4, &mut found).unwrap();
        assert_eq!((found[0], found[24]), (0xee, 0xee));
        assert_eq!(found[1..24], bytes);
    }

    #[test]
    fn an_access_across_the_end_touches_nothing() {
        let memory = Memory::new(4096).unwrap();
        assert_eq!(memory.store(4094, Size::Dword, u64::MAX), None);
        assert_eq!(memory.load(4094, Size::Word), Some(0));
        assert_eq!(memory.load(u64::MAX, Size::Word), None);
        assert_eq!(memory.update(4096, Size::Byte, |v| v), None);
    }

    #[test]
    fn an_odd_size_is_refused_by_its_value() {
        let error = Memory::new(5000).unwrap_err().to_string();
        assert!(error.contains("5000"), "{error}");
    }

    #[test]
    fn more_than_the_host_can_have_is_an_error_and_no_abort() {
        for size in [1 << 48, 1 << 60, u64::MAX - (PAGE_SIZE - 1)] {
            let error = Memory::new(size).unwrap_err().to_string();
            assert!(error.contains(&size.to_string()), "{error}");
        }
    }

    #[test]
    fn every_page_knows_of_its_own_code_alone() {
        let memory = Memory::new(300 * PAGE_SIZE).unwrap();
        for page in 0..300 {
            assert!(memory.code(page * PAGE_SIZE).unwrap().is_clear());
            memory.code(page * PAGE_SIZE).unwrap().mark(0, PAGE_SIZE);
        }
        assert!(memory.code(300 * PAGE_SIZE).is_none());
        assert_eq!(memory.load(299 * PAGE_SIZE, Size::Qword), Some(0));
    }

    #[test]
    fn updates_from_several_threads_lose_nothing() {
        let memory = Memory::new(4096).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        memory.update(64, Size::Dword, |v| v + 1);
                        memory.update(129, Size::Dword, |v| v + 1);
                        memory.update_wide(256, |v| v + 1);
                    }
                });
            }
        });
        assert_eq!(memory.load(64, Size::Dword), Some(20_000));
        assert_eq!(memory.load(129, Size::Dword), Some(20_000));
        assert_eq!(memory.load(256, Size::Dword), Some(20_000));
    }

    #[test]
    fn a_write_into_marked_code_advances_page_and_epoch() {
        let memory = Memory::new(8192).unwrap();
        memory.code(4096).unwrap().mark(0, 1);
        memory.write(100, &[1; 3000]).unwrap();
        assert_eq!(memory.epoch(), 0);
        memory.write(4000, &[1; 200]).unwrap();
        assert_eq!(memory.epoch(), 1);
        assert_eq!(memory.code(4096).unwrap().generation(), 1);
    }
}
