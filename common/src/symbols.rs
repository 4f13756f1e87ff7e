//! The names of places in the guest, for traces and reports.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// The symbols of an image.
///
/// A name stands for the addresses from its own up to the next name's, but only
/// within the image: for an address elsewhere there is no name, however near
/// the last symbol is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbols {
    /// Sorted by address; names of one address in the order they were given.
    names: Vec<(u64, String)>,
    /// Where the image lies, sorted.
    ranges: Vec<Range<u64>>,
}

impl Symbols {
    /// The symbols `names` of an image that lies in `ranges`. Names outside of
    /// these are left out; a name at the very end of one marks that end.
    pub fn new(
        names: impl IntoIterator<Item = (String, u64)>,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) -> Symbols {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_by_key(|range| range.start);
        let inside = |address| {
            let after = ranges.partition_point(|range| range.start <= address);
            after > 0 && address <= ranges[after - 1].end
        };
        let mut names: Vec<_> = names
            .into_iter()
            .filter(|(_, address)| inside(*address))
            .map(|(name, address)| (address, name))
            .collect();
        names.sort_by_key(|(address, _)| *address);
        Symbols { names, ranges }
    }

    /// The name at or before `address`, and the distance from it.
    pub fn locate(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let range = self.ranges[..after].last()?;
        let before = self.names.partition_point(|(start, _)| *start <= address);
        let (nearest, _) = self.names[..before].last()?;
        if !range.contains(&address) || *nearest < range.start {
            return None;
        }
        let first = self.names.partition_point(|(start, _)| start < nearest);
        Some((&self.names[first].1, address - nearest))
    }

    /// The address of a name.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        let found = self.names.iter().find(|(_, known)| known == name);
        found.map(|(address, _)| *address)
    }

    /// All names with their addresses, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names
            .iter()
            .map(|(address, name)| (name.as_str(), *address))
    }

    /// `address` as people read it: see [`Place`].
    pub fn place(&self, address: u64) -> Place<'_> {
        Place {
            symbols: self,
            address,
        }
    }
}

/// An address that shows as `worker+0x1c`, as `worker`, or, where there is no
/// name, as `0x1234`.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    symbols: &'a Symbols,
    address: u64,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.symbols.locate(self.address) {
            Some((name, 0)) => return f.pad(name),
            Some((name, offset)) => format!("{name}+{offset:#04x}"),
            None => format!("{:#x}", self.address),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Symbols {
        let names = [
            ("worker", 0x1010),
            ("start", 0x1000),
            ("table", 0x8000),
            ("end", 0x1100),
            ("alias", 0x1010),
            ("elsewhere", 0x5000),
        ];
        let names = names.map(|(name, address)| (name.to_string(), address));
        Symbols::new(names, [0x7ff0..0x8010, 0x1000..0x1100])
    }

    #[test]
    fn an_address_is_shown_by_its_nearest_name_before_it() {
        let shown = [0x1000, 0x100f, 0x1010, 0x10ff, 0x8001]
            .map(|address| symbols().place(address).to_string());
        let expected = ["start", "start+0x0f", "worker", "worker+0xef", "table+0x01"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn outside_the_image_no_name_is_near_enough() {
        let symbols = symbols();
        for address in [0, 0xfff, 0x1100, 0x5000, 0x7ff0, 0x8010, u64::MAX] {
            assert_eq!(symbols.locate(address), None, "{address:#x}");
        }
        assert_eq!(symbols.place(0x5000).to_string(), "0x5000");
    }

    #[test]
    fn a_name_gives_its_address_even_at_the_end_of_the_image() {
        assert_eq!(symbols().address_of("end"), Some(0x1100));
        assert_eq!(symbols().address_of("alias"), Some(0x1010));
        assert_eq!(symbols().address_of("elsewhere"), None);
    }

    #[test]
    fn a_place_keeps_the_width_it_is_given() {
        assert_eq!(
            format!("[{:12}]", symbols().place(0x1001)),
            "[start+0x01  ]"
        );
        assert_eq!(format!("[{:7}]", symbols().place(0x1000)), "[start  ]");
    }
}
