//! ELF64 images: what a guest comes in.
//!
//! An image is checked as a whole before a byte of it reaches guest memory, and
//! one that cannot run is refused with what is wrong and what would be right.
//! Nothing in a file can make this code panic, or allocate out of proportion to
//! the file.
//!
//! What is deliberately absent: relocation, dynamic linking, and segments whose
//! virtual address is not their physical one, since the guest starts with
//! identity page tables.
//!
//! Source: the System V ABI, chapters 4 and 5; `elf(5)` sums them up.

mod error;

pub use error::ImageError;

use crate::{Memory, Symbols, boot};
use object::LittleEndian;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use std::ops::Range;

/// A guest image that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Address of the first instruction.
    pub entry: u64,
    /// What is loaded, in the order of addresses; no two overlap.
    pub segments: Vec<Segment>,
    /// The names of its places.
    pub symbols: Symbols,
    file: Vec<u8>,
}

/// A run of guest memory that the image fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The guest-physical addresses that it takes.
    pub range: Range<u64>,
    /// Which bytes of the file it begins with; the rest is zero.
    bytes: Range<usize>,
}

type Header = FileHeader64<LittleEndian>;
const ENDIAN: LittleEndian = LittleEndian;

impl Image {
    /// Checks an ELF64 file.
    ///
    /// # Errors
    /// [`ImageError`] says what is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Image, ImageError> {
        let header = check_header(file)?;
        let segments = read_segments(header, file)?;
        let entry = header.e_entry.get(ENDIAN);
        if !segments.iter().any(|one| one.range.contains(&entry)) {
            return Err(ImageError::Entry(entry));
        }
        Ok(Image {
            entry,
            symbols: read_symbols(header, file, &segments)?,
            segments,
            file: file.to_vec(),
        })
    }

    /// What the file gives of each segment, with the segment's first address.
    pub fn contents(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let segments = self.segments.iter();
        segments.map(|segment| (segment.range.start, &self.file[segment.bytes.clone()]))
    }

    /// Copies the image into guest memory that nobody has used yet. Where the
    /// file gives no bytes the memory stays as it is: zero.
    ///
    /// # Errors
    /// [`ImageError::OutsideMemory`]; nothing is written then.
    pub fn load(&self, memory: &Memory) -> Result<(), ImageError> {
        for Segment { range, .. } in &self.segments {
            if range.end > memory.size() {
                return Err(ImageError::OutsideMemory {
                    segment: range.clone().into(),
                    memory: memory.size(),
                });
            }
        }
        for (start, bytes) in self.contents() {
            let written = memory.write(start, bytes);
            debug_assert!(written.is_some(), "every segment was checked above");
        }
        Ok(())
    }
}

/// Checks who the file is for, from the most general to the most particular.
fn check_header(file: &[u8]) -> Result<&Header, ImageError> {
    if !file.starts_with(&elf::ELFMAG) {
        return Err(ImageError::NotElf);
    }
    // The class and the byte order stand before anything that depends on them.
    if file.get(4).is_some_and(|class| *class != elf::ELFCLASS64.0) {
        return Err(ImageError::Class);
    }
    if file.get(5).is_some_and(|data| *data != elf::ELFDATA2LSB.0) {
        return Err(ImageError::Endianness);
    }
    if file.len() < size_of::<Header>() {
        return Err(ImageError::Truncated(file.len()));
    }
    let header = Header::parse(file).map_err(|_| ImageError::Version(file[6]))?;
    let machine = header.e_machine(ENDIAN);
    if machine != elf::EM_X86_64 {
        return Err(ImageError::Machine(machine.0));
    }
    let kind = header.e_type(ENDIAN);
    if kind != elf::ET_EXEC {
        return Err(ImageError::Type(kind.0));
    }
    Ok(header)
}

fn read_segments(header: &Header, file: &[u8]) -> Result<Vec<Segment>, ImageError> {
    let headers = header.program_headers(ENDIAN, file);
    let table = "program header table";
    let length = file.len();
    let headers = headers.map_err(|_| ImageError::Table { table, length })?;
    let mut segments = headers
        .iter()
        .filter(|header| header.p_type(ENDIAN) == elf::PT_LOAD)
        .filter(|header| header.p_memsz(ENDIAN) > 0 || header.p_filesz(ENDIAN) > 0)
        .map(|header| read_segment(header, length))
        .collect::<Result<Vec<_>, _>>()?;
    if segments.is_empty() {
        return Err(ImageError::NothingToLoad);
    }
    segments.sort_by_key(|segment| segment.range.start);
    for pair in segments.windows(2) {
        if pair[1].range.start < pair[0].range.end {
            let [first, second] = [&pair[0], &pair[1]].map(|one| one.range.clone().into());
            return Err(ImageError::Overlap { first, second });
        }
    }
    Ok(segments)
}

fn read_segment(
    header: &ProgramHeader64<LittleEndian>,
    length: usize,
) -> Result<Segment, ImageError> {
    let start = header.p_vaddr(ENDIAN);
    let size = header.p_memsz(ENDIAN);
    let physical = header.p_paddr(ENDIAN);
    let (offset, file_size) = header.file_range(ENDIAN);
    if physical != start {
        return Err(ImageError::NotIdentity { start, physical });
    }
    let end = start.checked_add(size);
    let end = end.ok_or(ImageError::AddressWraps { start, size })?;
    let segment = (start..end).into();
    if file_size > size {
        return Err(ImageError::FileLargerThanMemory {
            segment,
            file_size,
            size,
        });
    }
    let file_end = offset.checked_add(file_size);
    if file_end.is_none_or(|file_end| file_end > length as u64) {
        return Err(ImageError::OutsideFile {
            segment,
            offset,
            file_size,
            length,
        });
    }
    if start < boot::IMAGE_START {
        return Err(ImageError::BootArea { segment });
    }
    Ok(Segment {
        range: start..end,
        bytes: offset as usize..(offset + file_size) as usize,
    })
}

/// Longer names are cut: many symbols may share the bytes of one.
const LONGEST_NAME: usize = 128;

/// The symbols that stand for places in the image. There may be none.
fn read_symbols(header: &Header, file: &[u8], segments: &[Segment]) -> Result<Symbols, ImageError> {
    let table = "symbol table";
    let length = file.len();
    let broken = |_| ImageError::Table { table, length };
    let sections = header.sections(ENDIAN, file).map_err(broken)?;
    let symbols = sections.symbols(ENDIAN, file, elf::SHT_SYMTAB);
    let symbols = symbols.map_err(broken)?;
    let mut names = Vec::new();
    for symbol in symbols.iter().filter(|symbol| is_place(symbol)) {
        let name = symbols.symbol_name(ENDIAN, symbol).map_err(broken)?;
        if !name.is_empty() {
            let name = &name[..name.len().min(LONGEST_NAME)];
            let name = String::from_utf8_lossy(name).into_owned();
            names.push((name, symbol.st_value(ENDIAN)));
        }
    }
    let ranges = segments.iter().map(|segment| segment.range.clone());
    Ok(Symbols::new(names, ranges))
}

/// Whether a symbol names an address, and not a file, a section or something
/// defined elsewhere.
fn is_place(symbol: &elf::Sym64<LittleEndian>) -> bool {
    let kinds = [elf::STT_NOTYPE, elf::STT_FUNC, elf::STT_OBJECT];
    kinds.contains(&symbol.st_type()) && !symbol.is_undefined(ENDIAN)
}

#[cfg(test)]
mod tests;
