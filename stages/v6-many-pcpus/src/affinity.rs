//! On which physical CPUs a VM may run. Given: nothing to do here.

/// A set of physical CPUs, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Affinity(u64);

impl Affinity {
    /// As many physical CPUs as there can be: their numbers are below this.
    pub const CAPACITY: usize = 64;

    /// Any physical CPU.
    pub const ANY: Affinity = Affinity(u64::MAX);

    /// Those whose bits are set; any if none is.
    pub const fn of_mask(mask: u64) -> Affinity {
        match mask {
            0 => Affinity::ANY,
            _ => Affinity(mask),
        }
    }

    /// Only this one.
    ///
    /// # Panics
    /// If there can be no physical CPU of this number.
    pub const fn only(pcpu: usize) -> Affinity {
        assert!(pcpu < Affinity::CAPACITY, "no such physical cpu");
        Affinity(1 << pcpu)
    }

    /// Whether this one is among them.
    pub const fn allows(self, pcpu: usize) -> bool {
        pcpu < Affinity::CAPACITY && self.0 >> pcpu & 1 == 1
    }
}

impl Default for Affinity {
    fn default() -> Affinity {
        Affinity::ANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affinity_allows_those_that_it_names() {
        let allowed = |affinity: Affinity| (0..4).map(|id| affinity.allows(id)).collect::<Vec<_>>();
        assert_eq!(allowed(Affinity::only(2)), [false, false, true, false]);
        assert_eq!(
            allowed(Affinity::of_mask(0b1001)),
            [true, false, false, true]
        );
        assert_eq!(allowed(Affinity::of_mask(0)), [true; 4]);
        assert!(!Affinity::ANY.allows(64));
    }
}
