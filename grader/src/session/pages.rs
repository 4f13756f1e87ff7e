//! The way of an address through the page tables, in words.

use common::inspect::Walk;

/// The way of an address through the page tables, and what stands there.
pub fn page(walk: &Walk, bytes: &[u8]) -> Vec<String> {
    let mut rows = vec![format!(" address {:#x}", walk.address)];
    for level in &walk.levels {
        let rights = [
            (0, "present"),
            (1, "writable"),
            (2, "user"),
            (5, "accessed"),
            (6, "dirty"),
            (7, "large"),
            (63, "no-execute"),
        ];
        let rights = rights.iter().filter(|(bit, _)| level.entry >> bit & 1 != 0);
        let rights: Vec<_> = rights.map(|(_, name)| *name).collect();
        rows.push(format!(
            "   level {}   entry at {:#010x}: {:#018x}   {}",
            level.level,
            level.slot,
            level.entry,
            rights.join(" ")
        ));
    }
    rows.push(match walk.gpa {
        None => String::from("   mapped nowhere: an access is a page fault"),
        Some(gpa) => format!(
            "   guest-physical {gpa:#x}   kernel: {}   user: {}",
            may(walk, true),
            may(walk, false)
        ),
    });
    for (line, part) in bytes.chunks(16).enumerate() {
        let hex: Vec<_> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let at = walk.address.wrapping_add(16 * line as u64);
        rows.push(format!("   {at:#018x}  {}", hex.join(" ")));
    }
    rows
}

/// What somebody may do with a page.
fn may(walk: &Walk, kernel: bool) -> &'static str {
    match (kernel || walk.user, walk.writable, walk.executable) {
        (false, ..) => "nothing",
        (true, true, true) => "read, write, execute",
        (true, true, false) => "read, write",
        (true, false, true) => "read, execute",
        (true, false, false) => "read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::inspect::Level;

    #[test]
    fn a_page_is_told_level_by_level_with_what_each_mode_may_do() {
        let level = |level, slot, entry| Level { level, slot, entry };
        let walk = Walk {
            address: 0x1234,
            levels: vec![level(4, 0x2000, 0x3007), level(3, 0x3000, 0x83)],
            gpa: Some(0x1234),
            writable: true,
            user: false,
            executable: true,
            dirty: false,
        };
        let rows = page(&walk, &[0xde, 0xad]);
        assert!(rows[1].ends_with("present writable user"), "{rows:?}");
        assert!(rows[2].ends_with("present writable large"), "{rows:?}");
        assert!(
            rows[3].contains("kernel: read, write, execute   user: nothing"),
            "{rows:?}"
        );
        assert!(rows[4].ends_with("de ad"), "{rows:?}");
    }
}
