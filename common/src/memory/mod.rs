//! Guest-physical memory, and the guest's page tables over it.

mod ram;
mod walk;

pub use ram::{Memory, MemoryError};
pub use walk::{Access, Translation, is_canonical, read_virtual, translate, write_virtual};

/// Bytes in a page, the unit of translation and of code generations.
pub const PAGE_SIZE: u64 = 4096;
