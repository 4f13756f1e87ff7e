//! What many memories begin as, so that thousands of VMs of one image cost the
//! host little: a VM has pages of its own only where somebody has stored.
//!
//! The template's bytes are in a file without a name. Each memory made from it
//! is one private mapping of that file: the host copies a page when it is first
//! stored into, and until then all share it.
//!
//! One mapping and no more, for a host has a limited number of them (65,530 a
//! process on Linux: `vm.max_map_count`). And no RAM is reserved: a host that
//! has too little notices at a store, when it can no longer refuse.

use super::ram::mapping_length;
use super::{Memory, MemoryError, PAGE_SIZE};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use vm_memory::MmapRegion;

/// RAM as it was at one moment, from which any number of [`Memory`]s can begin.
#[derive(Clone, Debug)]
pub struct Template {
    file: Arc<File>,
    size: u64,
}

impl Template {
    /// A template that holds what `memory` holds now. Nobody may be storing
    /// into it meanwhile; what is stored later does not reach the template.
    ///
    /// # Errors
    /// [`MemoryError::Host`] if the host has no room for a temporary file.
    pub fn of(memory: &Memory) -> Result<Template, MemoryError> {
        let size = memory.size();
        let file = write(memory).map_err(|error| MemoryError::Host(size, error.to_string()))?;
        Ok(Template {
            file: Arc::new(file),
            size,
        })
    }

    /// A memory of its own that begins as the template.
    ///
    /// # Errors
    /// [`MemoryError::Host`] if the host refuses one more.
    pub fn memory(&self) -> Result<Memory, MemoryError> {
        let refused = |error: String| MemoryError::Host(self.size, error);
        let length = mapping_length(self.size)?;
        let map = map(&self.file, length).map_err(|error| refused(error.to_string()))?;
        Ok(Memory::in_map(map, self.size))
    }
}

/// Writes what `memory` holds into a new file as long as a memory's mapping.
/// Pages that are zero stay holes.
fn write(memory: &Memory) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let length = mapping_length(memory.size()).map_err(io::Error::other)?;
    file.set_len(length as u64)?;
    let mut page = [0; PAGE_SIZE as usize];
    for gpa in (0..memory.size()).step_by(page.len()) {
        let _in_ram = memory.read(gpa, &mut page);
        if page.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(gpa))?;
            file.write_all(&page)?;
        }
    }
    Ok(file)
}

/// Maps the file so that stores stay with whoever makes them.
fn map(file: &Arc<File>, length: usize) -> Result<MmapRegion, vm_memory::mmap::MmapRegionError> {
    let file = vm_memory::FileOffset::from_arc(file.clone(), 0);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    MmapRegion::build(Some(file), length, protection, flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    const SIZE: u64 = 16 * PAGE_SIZE;

    fn template() -> (Memory, Template) {
        let memory = Memory::new(SIZE).unwrap();
        memory.write(5 * PAGE_SIZE - 3, b"before").unwrap();
        let template = Template::of(&memory).unwrap();
        (memory, template)
    }

    fn text(memory: &Memory) -> [u8; 6] {
        let mut found = [0; 6];
        memory.read(5 * PAGE_SIZE - 3, &mut found).unwrap();
        found
    }

    #[test]
    fn a_memory_begins_as_its_template() {
        let (_, template) = template();
        let memory = template.memory().unwrap();
        assert_eq!(memory.size(), SIZE);
        assert_eq!(&text(&memory), b"before");
        assert_eq!(memory.load(7 * PAGE_SIZE, Size::Qword), Some(0));
        assert_eq!(memory.load(SIZE, Size::Byte), None);
    }

    #[test]
    fn a_store_is_seen_by_no_other_memory_and_not_by_the_template() {
        let (source, template) = template();
        let [one, other] = [(); 2].map(|()| template.memory().unwrap());
        one.write(5 * PAGE_SIZE - 3, b"behind").unwrap();
        source.write(5 * PAGE_SIZE - 3, b"source").unwrap();
        assert_eq!(&text(&one), b"behind");
        assert_eq!(&text(&other), b"before");
        assert_eq!(&text(&template.memory().unwrap()), b"before");
    }

    #[test]
    fn code_that_one_memory_knows_of_is_not_code_in_another() {
        let (source, template) = template();
        source.code(0).unwrap().mark(0, 1);
        let [one, other] = [(); 2].map(|()| template.memory().unwrap());
        one.code(PAGE_SIZE).unwrap().mark(0, 1);
        for memory in [&one, &other, &Template::of(&one).unwrap().memory().unwrap()] {
            memory.write(0, &[1; 2 * PAGE_SIZE as usize]).unwrap();
        }
        assert_eq!((one.epoch(), other.epoch()), (1, 0));
        assert_eq!(one.code(PAGE_SIZE).unwrap().generation(), 1);
        assert_eq!(other.code(PAGE_SIZE).unwrap().generation(), 0);
    }

    #[test]
    fn a_memory_outlives_its_template() {
        let memory = template().1.memory().unwrap();
        assert_eq!(&text(&memory), b"before");
    }
}
