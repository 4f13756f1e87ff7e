//! Why an image is refused.

use crate::boot::IMAGE_START;
use std::fmt;
use std::ops::Range;

/// An image cannot run: what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum ImageError {
    /// It does not begin with ELF's magic number.
    #[error("the image is not an ELF file: must begin with the bytes 7f 45 4c 46")]
    NotElf,
    /// It is a 32-bit file.
    #[error("the image is not 64-bit: its ELF class must be 2 (ELFCLASS64)")]
    Class,
    /// Its byte order is wrong.
    #[error("the image is big-endian: must be little-endian (ELFDATA2LSB)")]
    Endianness,
    /// It ends within the file header.
    #[error("the image is truncated: {0} bytes, must be at least the 64 of an ELF header")]
    Truncated(usize),
    /// Its ELF version is unknown.
    #[error("the image has ELF version {0}: must be 1")]
    Version(u8),
    /// It is for another kind of CPU.
    #[error("the image's machine is {machine}, must be x86-64", machine = machine_name(*.0))]
    Machine(u16),
    /// It is no executable.
    #[error(
        "the image's type is {kind}, must be executable at a fixed address (ET_EXEC)",
        kind = type_name(*.0)
    )]
    Type(u16),
    /// A table is not where the file says.
    #[error("the image's {table} is malformed or does not lie within its {length} bytes")]
    Table { table: &'static str, length: usize },
    /// There is no segment to load.
    #[error("the image has no loadable segment (PT_LOAD): must have at least one")]
    NothingToLoad,
    /// A segment's two addresses differ.
    #[error(
        "the image's segment at virtual address {start:#x} has physical address {physical:#x}: \
         must be the same, since the guest starts with identity page tables"
    )]
    NotIdentity { start: u64, physical: u64 },
    /// A segment does not end.
    #[error("the image's segment of {size:#x} bytes at {start:#x} goes beyond the last address")]
    AddressWraps { start: u64, size: u64 },
    /// A segment has more bytes than room.
    #[error(
        "the image's segment {segment} has {file_size:#x} bytes in the file: \
         must be at most its {size:#x} bytes in memory"
    )]
    FileLargerThanMemory {
        segment: Addresses,
        file_size: u64,
        size: u64,
    },
    /// A segment's bytes are not there.
    #[error(
        "the image is truncated: the {file_size:#x} bytes of segment {segment} stand \
         at offset {offset:#x} of a file of {length:#x} bytes"
    )]
    OutsideFile {
        segment: Addresses,
        offset: u64,
        file_size: u64,
        length: usize,
    },
    /// A segment takes the place of the boot structures.
    #[error(
        "the image's segment {segment} overlaps the boot structures and stacks: \
         must begin at {IMAGE_START:#x} or above"
    )]
    BootArea { segment: Addresses },
    /// Two segments want the same memory.
    #[error("the image's segments {first} and {second} overlap: must be apart")]
    Overlap { first: Addresses, second: Addresses },
    /// The first instruction is in no segment.
    #[error("the image's entry {0:#x} is outside of every loadable segment: must be in one")]
    Entry(u64),
    /// Guest memory is too small for a segment.
    #[error(
        "the image's segment {segment} is outside guest memory of {memory:#x} bytes: \
         must end at {memory:#x} or below"
    )]
    OutsideMemory { segment: Addresses, memory: u64 },
}

/// A range of addresses that shows as `0x1000..0x2000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Range<u64>);

impl From<Range<u64>> for Addresses {
    fn from(range: Range<u64>) -> Addresses {
        Addresses(range)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.0.start, self.0.end)
    }
}

/// The common machines by name, the others by number.
fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86 (32-bit)".into(),
        8 => "mips".into(),
        21 => "ppc64".into(),
        22 => "s390x".into(),
        40 => "arm".into(),
        183 => "aarch64".into(),
        243 => "risc-v".into(),
        258 => "loongarch".into(),
        other => format!("number {other}"),
    }
}

fn type_name(kind: u16) -> String {
    match kind {
        1 => "relocatable object (ET_REL)".into(),
        3 => "shared object or position-independent executable (ET_DYN)".into(),
        4 => "core dump (ET_CORE)".into(),
        other => format!("number {other}"),
    }
}
