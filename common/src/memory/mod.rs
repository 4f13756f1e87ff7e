//! Guest-physical memory, and the guest's page tables over it.

mod code;
mod ram;
#[cfg(unix)]
mod template;
mod tlb;
mod walk;
mod word;

pub use ram::{Memory, MemoryError};
#[cfg(unix)]
pub use template::Template;
pub(crate) use tlb::{Pages, Tlb};
pub use walk::{Access, Translation, is_canonical, read_virtual, translate, write_virtual};
pub(crate) use walk::{DIRTY, LARGE, NO_EXECUTE, PRESENT, TABLE, USER, WRITABLE};
pub use word::Word;

/// Bytes in a page, the unit of translation and of code generations.
pub const PAGE_SIZE: u64 = 4096;
