//! A part of a run, and how it is cut into columns.

use super::trace::Trace;
use common::Time;

/// From when to when a picture goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its beginning.
    pub from: u64,
    /// Its end, which comes later.
    pub to: u64,
}

impl Part {
    /// All of a run.
    pub fn whole(trace: &Trace) -> Part {
        Part {
            from: 0,
            to: trace.until.max(1),
        }
    }

    /// What the command line asks for, of which the run has at least a piece.
    ///
    /// # Errors
    /// If it has none.
    pub fn of(trace: &Trace, from: Option<u64>, to: Option<u64>) -> Result<Part, String> {
        let whole = Part::whole(trace);
        let from = from.unwrap_or(whole.from);
        let to = to.unwrap_or(whole.to).min(whole.to);
        match from < to {
            true => Ok(Part { from, to }),
            false => Err(format!(
                "nothing lies between {} and {}: this run goes from 0 to {}",
                Time(from),
                Time(to),
                Time(whole.to)
            )),
        }
    }

    /// How long it is.
    pub fn length(self) -> u64 {
        self.to - self.from
    }
}

/// A part of a run, cut into columns.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) count: u64,
    pub(super) part: Part,
}

impl Columns {
    /// The times of a column: at least one tick.
    fn bounds(&self, column: u64) -> (u64, u64) {
        let at = |column: u64| {
            let length = u128::from(self.part.length());
            self.part.from + (length * u128::from(column) / u128::from(self.count)) as u64
        };
        (at(column), at(column + 1).max(at(column) + 1))
    }

    /// The column that a time lies in, if it lies in the part.
    pub(super) fn of(&self, time: u64) -> Option<usize> {
        let behind = u128::from(time.checked_sub(self.part.from)?);
        let column = behind * u128::from(self.count) / u128::from(self.part.length());
        let is_end = time == self.part.to;
        let column = column as u64 - u64::from(is_end);
        (column < self.count).then_some(column as usize)
    }

    /// For each column the sign of the sorted spans (from, to, sign) that take most
    /// of it.
    pub(super) fn signs(&self, spans: &[(u64, u64, char)], none: char) -> Vec<char> {
        let sign = |column| {
            let (begin, end) = self.bounds(column);
            let mut times: Vec<(char, u64)> = Vec::new();
            let mut rest = end - begin;
            let first = spans.partition_point(|(_, to, _)| *to <= begin);
            for &(from, to, sign) in spans[first..].iter().take_while(|span| span.0 < end) {
                let time = to.min(end).saturating_sub(from.max(begin));
                rest = rest.saturating_sub(time);
                match times.iter_mut().find(|(known, _)| *known == sign) {
                    Some((_, sum)) => *sum += time,
                    None => times.push((sign, time)),
                }
            }
            let most = times.into_iter().max_by_key(|(_, time)| *time);
            most.filter(|(_, time)| *time >= rest)
                .map_or(none, |(sign, _)| sign)
        };
        (0..self.count).map(sign).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::example;

    #[test]
    fn a_column_shows_what_takes_most_of_it() {
        let part = Part { from: 100, to: 200 };
        let columns = Columns { count: 4, part };
        let spans = [
            (0, 110, 'a'),
            (110, 150, 'b'),
            (160, 170, 'c'),
            (199, 900, 'd'),
        ];
        let signs: String = columns.signs(&spans, '.').into_iter().collect();
        assert_eq!(signs, "bb..");
    }

    #[test]
    fn a_time_lies_in_its_column_and_the_end_in_the_last() {
        let part = Part { from: 100, to: 200 };
        let columns = Columns { count: 4, part };
        let found = [99, 100, 124, 125, 199, 200, 201].map(|time| columns.of(time));
        let expected = [None, Some(0), Some(0), Some(1), Some(3), Some(3), None];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_part_that_the_run_does_not_have_is_refused() {
        assert!(Part::of(&example(), Some(5000), None).is_err());
        assert!(Part::of(&example(), Some(7), Some(7)).is_err());
        let part = Part::of(&example(), Some(1000), Some(9999)).unwrap();
        assert_eq!((part.from, part.to), (1000, 1200));
    }
}
