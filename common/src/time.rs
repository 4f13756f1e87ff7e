//! Virtual time.
//!
//! Time here is never the host's clock: on the software CPU one tick is one
//! retired instruction, so a run is the same on every host and under any load.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign};

/// A point in virtual time, in ticks since the machine was switched on.
///
/// On the software CPU one tick is one retired guest instruction; a trap costs
/// one tick more (see [`Pcpu::enter`](crate::Pcpu::enter)).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment the machine is switched on.
    pub const ZERO: Time = Time(0);

    /// A deadline that is never reached.
    pub const NEVER: Time = Time(u64::MAX);

    /// Ticks from `earlier` to this moment; 0 if `earlier` is later.
    pub const fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// `ticks` later; stops at [`Time::NEVER`].
impl Add<u64> for Time {
    type Output = Time;

    fn add(self, ticks: u64) -> Time {
        Time(self.0.saturating_add(ticks))
    }
}

impl AddAssign<u64> for Time {
    fn add_assign(&mut self, ticks: u64) {
        *self = *self + ticks;
    }
}

impl fmt::Display for Time {
    /// The ticks in groups of three digits: `12,345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &grouped(self.0))
    }
}

/// A number in groups of three digits, as people read it.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_groups_of_three_digits() {
        let shown = [0, 999, 1_000, 1_234_567].map(|ticks| Time(ticks).to_string());
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn time_stops_at_never_instead_of_wrapping() {
        assert_eq!(Time::NEVER + 1, Time::NEVER);
    }
}
