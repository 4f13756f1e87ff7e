//! The guest's page tables and memory, as one who only looks sees them: no
//! accessed bit is set, and no right is missing.

use crate::memory::{DIRTY, LARGE, NO_EXECUTE, PRESENT, TABLE, USER, WRITABLE};
use crate::{PAGE_SIZE, Size, Space, is_canonical};
use serde::{Deserialize, Serialize};

/// The way of one address through the page tables (SDM vol. 3, 4.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The guest-virtual address.
    pub address: u64,
    /// One for each table that was looked into, from the top; none if the address
    /// is not canonical.
    pub levels: Vec<Level>,
    /// The guest-physical address of the same byte, if it is mapped.
    pub gpa: Option<u64>,
    /// Whether all tables let the kernel write.
    pub writable: bool,
    /// Whether all tables let user mode in.
    pub user: bool,
    /// Whether all tables let code be fetched.
    pub executable: bool,
    /// Whether the page has been written since somebody cleared this bit.
    pub dirty: bool,
}

/// One step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// 4 for the top, 1 for the table whose entries name pages of 4 KiB.
    pub level: u8,
    /// Guest-physical address of the entry.
    pub slot: u64,
    /// What stands there; all ones where there is no RAM.
    pub entry: u64,
}

/// Walks the page tables of `space` to `address`, whoever may use what is there.
/// What an entry says beside its address and rights is not checked.
pub fn walk(space: &Space, address: u64) -> Walk {
    let mut walk = Walk {
        address,
        writable: true,
        user: true,
        executable: true,
        ..Walk::default()
    };
    let mut table = space.root();
    for level in (1..=4u8).rev().filter(|_| is_canonical(address)) {
        let shift = 3 + 9 * u32::from(level);
        let slot = table + (address >> shift & 0x1ff) * 8;
        let entry = space.memory.load(slot, Size::Qword).unwrap_or(u64::MAX);
        walk.levels.push(Level { level, slot, entry });
        if entry & PRESENT == 0 {
            break;
        }
        walk.writable &= entry & WRITABLE != 0;
        walk.user &= entry & USER != 0;
        walk.executable &= entry & NO_EXECUTE == 0;
        if level == 1 || entry & LARGE != 0 {
            let within = (1 << shift) - 1;
            walk.gpa = Some(entry & TABLE & !within | address & within);
            walk.dirty = entry & DIRTY != 0;
            break;
        }
        table = entry & TABLE;
    }
    walk
}

/// As many of `length` bytes from a guest-virtual address on as are mapped to
/// RAM.
pub fn read(space: &Space, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in pages(address, length) {
        let mut page = vec![0; part];
        let found = walk(space, at).gpa;
        if found
            .and_then(|gpa| space.memory.read(gpa, &mut page))
            .is_none()
        {
            break;
        }
        bytes.extend(page);
    }
    bytes
}

/// Writes bytes at a guest-virtual address, whatever its pages allow, and has the
/// CPU forget what it has cached, as page tables may be among them. `None`, and
/// nothing written, if not all is mapped to RAM.
pub fn write(space: &mut Space, address: u64, bytes: &[u8]) -> Option<()> {
    if read(space, address, bytes.len()).len() < bytes.len() {
        return None;
    }
    let mut rest = bytes;
    for (at, part) in pages(address, bytes.len()) {
        let (now, later) = rest.split_at(part);
        space.memory.write(walk(space, at).gpa?, now)?;
        rest = later;
    }
    space.set_root(space.root());
    Some(())
}

/// The pieces of a range of addresses, none of which crosses a page.
fn pages(address: u64, length: usize) -> impl Iterator<Item = (u64, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = address.wrapping_add(done as u64);
        let to_page_end = (PAGE_SIZE - at % PAGE_SIZE) as usize;
        let part = to_page_end.min(length - done);
        done += part;
        (part > 0).then_some((at, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Boot, Memory, translate};

    /// The address space in which guests begin.
    fn space() -> Space {
        let memory = Memory::new(4 << 20).unwrap();
        let boot = Boot::prepare(&memory, 0).unwrap();
        let mut space = Space::new(memory);
        space.set_root(boot.root);
        space
    }

    fn all_of(space: &Space) -> Vec<u8> {
        let mut bytes = vec![0; space.memory.size() as usize];
        space.memory.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_walk_leads_where_the_cpus_leads_and_leaves_no_trace() {
        let space = space();
        for address in [0, 0x12_3456, 0x30_0fff, 1 << 40, u64::MAX, 1 << 60] {
            let before = all_of(&space);
            let walk = walk(&space, address);
            assert_eq!(all_of(&space), before, "{address:#x}");
            let cpus = translate(&space, address, Access::Read).ok();
            assert_eq!(walk.gpa, cpus.map(|found| found.gpa), "{address:#x}");
            if let Some(found) = cpus {
                assert_eq!(walk.user, found.user);
                assert_eq!(walk.writable, found.writable);
                assert_eq!(walk.executable, found.executable);
            }
        }
    }

    #[test]
    fn the_levels_of_a_walk_are_the_entries_that_the_cpu_reads() {
        let space = space();
        let walk = walk(&space, 0x12_3456);
        assert_eq!(walk.levels[0].slot, space.root());
        for (index, level) in walk.levels.iter().enumerate() {
            assert_eq!(usize::from(level.level), 4 - index);
            assert_eq!(
                space.memory.load(level.slot, Size::Qword),
                Some(level.entry)
            );
        }
    }

    #[test]
    fn what_is_written_across_a_page_is_read_back() {
        let mut space = space();
        let address = 0x20_0000 - 3;
        write(&mut space, address, b"across").unwrap();
        assert_eq!(read(&space, address, 6), b"across");
        assert_eq!(space.take_flush(), crate::Flush::All);
    }

    #[test]
    fn where_nothing_is_mapped_nothing_is_read_or_written() {
        let mut space = space();
        let end = space.memory.size();
        let edge = read(&space, end - 2, 15);
        assert_eq!(edge.len(), 2);
        assert_eq!(write(&mut space, end - 2, &[1, 2, 3]), None);
        assert_eq!(read(&space, end - 2, 2), edge);
    }
}
