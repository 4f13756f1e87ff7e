//! What an assembled guest is: an entry point, segments of memory, symbols.
//!
//! [`Image`] is the guest before it becomes a file. [`Image::elf`] makes the
//! ELF64 file that our own loader reads; [`pvh::bootable`](crate::pvh::bootable)
//! makes the file that QEMU boots.

use crate::elf;

/// Size of a page in bytes; segments begin on page boundaries.
pub const PAGE_SIZE: u64 = 4096;

/// A guest's memory at the moment of its first instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Guest-physical address of the first instruction.
    pub entry: u64,
    /// What to place where. They do not overlap and are sorted by address.
    pub segments: Vec<Segment>,
    /// Names of places, sorted by address.
    pub symbols: Vec<Symbol>,
}

/// A range of guest-physical memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Guest-physical address of its first byte, the start of a page.
    pub address: u64,
    /// Its first bytes; the rest is zero.
    pub bytes: Vec<u8>,
    /// Its size in memory in bytes, at least that of `bytes`.
    pub memory_size: u64,
    /// What the guest does with it.
    pub access: Access,
}

/// What a segment is for. It may always be read.
///
/// A guest without page tables of its own is not held to this: the boot page
/// tables allow everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Code: read and executed.
    Execute,
    /// Data: read and written.
    Write,
}

/// A named place in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// As written in the assembly text.
    pub name: String,
    /// Guest-physical address of its first byte.
    pub address: u64,
    /// Bytes up to the next symbol, or to the end of the code or the data.
    pub size: u64,
    /// Whether it names code or data.
    pub kind: SymbolKind,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// Instructions (`STT_FUNC`).
    Code,
    /// Data or zeroed memory (`STT_OBJECT`).
    Data,
}

impl Image {
    /// The image as an ELF64 executable for x86-64, with a symbol table. Equal
    /// images give equal bytes.
    pub fn elf(&self) -> Vec<u8> {
        elf::write(self, None)
    }

    /// The symbol of this name.
    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|symbol| symbol.name == name)
    }
}
