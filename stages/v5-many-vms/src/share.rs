//! How much of the CPU a VM may have, and how much it has had.

use std::fmt;

/// How much a VM counts beside the others: of two that always want to run, one
/// with twice the weight gets twice the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u32);

/// A weight that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("weight {0}: must be from {min} to {max}", min = Weight::MIN, max = Weight::MAX)]
pub struct WeightError(pub u32);

impl Weight {
    /// The least.
    pub const MIN: u32 = 1;
    /// The most.
    pub const MAX: u32 = 10_000;

    /// A weight of `weight`, which only means something beside others.
    ///
    /// # Errors
    /// If it is not from [`MIN`](Weight::MIN) to [`MAX`](Weight::MAX).
    pub fn new(weight: u32) -> Result<Weight, WeightError> {
        match weight {
            Weight::MIN..=Weight::MAX => Ok(Weight(weight)),
            _ => Err(WeightError(weight)),
        }
    }

    /// Its number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The usual weight: 100.
impl Default for Weight {
    fn default() -> Weight {
        Weight(100)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A VM's place in the order of the runqueue: who has had least goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How much it counts.
    pub weight: Weight,
    /// How much it has had, for its weight. (Stride scheduling calls it the
    /// pass, Linux the virtual run time.)
    pub pass: u64,
}

/// What a tick adds to the pass of a VM of weight 1.
const SCALE: u64 = 1 << 16;

impl Share {
    /// The share of a VM that has had nothing yet.
    pub fn new(weight: Weight) -> Share {
        Share { weight, pass: 0 }
    }

    /// It ran for `ticks`.
    pub fn charge(&mut self, ticks: u64) {
        self.pass += self.cost(ticks);
    }

    /// What `ticks` add to the pass.
    ///
    /// # Exercise v5-E6: weights
    ///
    /// A VM of weight 100 that ran a slice moves back in the queue by some
    /// distance. One of weight 200 must move back by half of it: then it comes
    /// twice as often. Multiply by [`SCALE`] before you divide, or the ticks of
    /// a short turn cost a heavy VM nothing.
    pub fn cost(&self, ticks: u64) -> u64 {
        // BEGIN SOLUTION
        ticks.saturating_mul(SCALE) / u64::from(self.weight.0)
        // END SOLUTION
        // STUB: if self.weight != Weight::default() {
        // STUB:     todo!("v5-E6: charge by weight");
        // STUB: }
        // STUB: ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(weight: u32, ticks: u64) -> u64 {
        Share::new(Weight::new(weight).unwrap()).cost(ticks)
    }

    #[test]
    fn twice_the_weight_pays_half() {
        assert_eq!(cost(100, 10_000), 2 * cost(200, 10_000));
    }

    #[test]
    fn even_one_tick_costs_even_the_heaviest_something() {
        assert!(cost(Weight::MAX, 1) > 0);
    }

    #[test]
    fn a_weight_out_of_range_is_refused_with_the_range() {
        for weight in [0, 10_001] {
            let error = Weight::new(weight).unwrap_err().to_string();
            assert_eq!(error, format!("weight {weight}: must be from 1 to 10000"));
        }
    }
}
