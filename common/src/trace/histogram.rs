//! How many exits of each kind there were.

use crate::Exit;
use std::fmt;

/// Counts exits by their [kind](Exit::kind).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(&'static str, u64)>);

impl Histogram {
    /// Counts one exit. Only the first of its kind allocates.
    pub(super) fn count(&mut self, exit: Exit) {
        let kind = exit.kind();
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.0.push((kind, 1)),
        }
    }

    /// Kinds and counts, in the order in which each kind first appeared.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }

    /// How many exits there were of one kind.
    pub fn of(&self, kind: &str) -> u64 {
        self.iter()
            .find(|(known, _)| *known == kind)
            .map_or(0, |(_, count)| count)
    }

    /// How many exits there were.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}

/// One kind a line, the most frequent first.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (kind, count) in sorted {
            let count = crate::time::grouped(count);
            writeln!(f, "{kind:<12} {count:>12}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Histogram {
        let mut histogram = Histogram::default();
        histogram.count(Exit::Halted);
        (0..1234).for_each(|_| histogram.count(Exit::Deadline));
        histogram
    }

    #[test]
    fn the_most_frequent_exit_is_shown_first() {
        let shown = counted().to_string();
        let expected = "deadline            1,234\nhalted                  1\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_kind_that_never_happened_counts_zero() {
        let histogram = counted();
        assert_eq!([histogram.of("deadline"), histogram.of("mmio")], [1234, 0]);
        assert_eq!(histogram.total(), 1235);
    }
}
