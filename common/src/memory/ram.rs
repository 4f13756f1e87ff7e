//! Guest-physical memory: one run of RAM from address 0.

use crate::Size;
use std::sync::Arc;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// Guest-physical RAM from address 0. Clones share the same memory.
///
/// It may be used from several threads at once, as real RAM is: aligned
/// accesses of up to eight bytes are atomic. The host gives a page only when
/// it is first touched.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Ram>);

#[derive(Debug)]
struct Ram {
    map: GuestMemoryMmap,
    size: u64,
}

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
        if size == 0 || !size.is_multiple_of(super::PAGE_SIZE) {
            return Err(MemoryError::Size(size));
        }
        let map = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), size as usize)])
            .map_err(|error| MemoryError::Host(size, error.to_string()))?;
        Ok(Memory(Arc::new(Ram { map, size })))
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Whether both names stand for the same RAM.
    pub fn same(&self, other: &Memory) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether all of `length` bytes at `gpa` are RAM.
    pub fn contains(&self, gpa: u64, length: u64) -> bool {
        gpa.checked_add(length)
            .is_some_and(|end| end <= self.0.size)
    }

    /// Copies RAM at `gpa` out; `None` if any of it is not RAM.
    pub fn read(&self, gpa: u64, bytes: &mut [u8]) -> Option<()> {
        self.0.map.read_slice(bytes, GuestAddress(gpa)).ok()
    }

    /// Copies into RAM at `gpa`; `None`, and nothing written, if any of it is
    /// not RAM.
    pub fn write(&self, gpa: u64, bytes: &[u8]) -> Option<()> {
        if !self.contains(gpa, bytes.len() as u64) {
            return None;
        }
        self.0.map.write_slice(bytes, GuestAddress(gpa)).ok()
    }

    /// Loads a little-endian value; `None` if any of it is not RAM.
    pub fn load(&self, gpa: u64, size: Size) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(gpa, &mut bytes[..size.bytes() as usize])?;
        Some(u64::from_le_bytes(bytes))
    }

    /// Stores a little-endian value; `None`, and nothing stored, if any of it
    /// is not RAM.
    pub fn store(&self, gpa: u64, size: Size, value: u64) -> Option<()> {
        self.write(gpa, &value.to_le_bytes()[..size.bytes() as usize])
    }

    /// Sets bits of the aligned eight bytes at `gpa`, atomically, as the CPU
    /// does with a page-table entry. Nothing happens where there is no RAM.
    pub fn set_bits(&self, gpa: u64, bits: u64) {
        if let Some(value) = self.load(gpa, Size::Qword) {
            self.store(gpa, Size::Qword, value | bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded() {
        let memory = Memory::new(8192).unwrap();
        memory.store(4094, Size::Dword, 0x1234_5678).unwrap();
        assert_eq!(memory.load(4094, Size::Dword), Some(0x1234_5678));
    }

    #[test]
    fn an_access_across_the_end_touches_nothing() {
        let memory = Memory::new(4096).unwrap();
        assert_eq!(memory.store(4094, Size::Dword, u64::MAX), None);
        assert_eq!(memory.load(4094, Size::Word), Some(0));
    }

    #[test]
    fn an_odd_size_is_refused_by_its_value() {
        let error = Memory::new(5000).unwrap_err().to_string();
        assert!(error.contains("5000"), "{error}");
    }
}
