//! The pause filter: how the raw CPU notices that its code waits in a loop.
//!
//! Code that waits for a lock runs `pause` in a loop. If whoever holds the lock
//! does not run meanwhile, all that waiting is for nothing, and only the
//! hypervisor can know. So the CPU counts pauses, as AMD's pause filter does
//! (APM vol. 2, 15.14.4; Intel has PAUSE-loop exiting, SDM vol. 3, 26.1.3), and
//! reports a loop with [`Trap::SpinLoop`](crate::Trap::SpinLoop).
//!
//! The count belongs to the code that waits, so it stays in its
//! [`Context`](crate::Context), and is saved and restored with it.

/// When a loop of pauses is reported, and how far the present one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseFilter {
    /// Every so many pauses in one loop are reported (0 counts as 1).
    pub count: u32,
    /// Two pauses further apart than this, in retired instructions, do not
    /// belong to one loop.
    pub gap: u64,
    /// Instructions that have retired under this filter up to the present entry.
    retired: u64,
    /// How many of those had retired after the last pause.
    last: Option<u64>,
    /// The pauses of the present loop that have not been reported yet.
    pauses: u32,
}

impl PauseFilter {
    /// A filter that has seen no pause yet.
    pub fn new(count: u32, gap: u64) -> PauseFilter {
        PauseFilter {
            count,
            gap,
            retired: 0,
            last: None,
            pauses: 0,
        }
    }

    /// Counts a pause, the last of the `retired` instructions of this entry so
    /// far, and says whether to report it.
    pub(crate) fn pause(&mut self, retired: u64) -> bool {
        let now = self.retired + retired;
        let same_loop = self.last.is_some_and(|last| now - last <= self.gap);
        self.last = Some(now);
        self.pauses = if same_loop { self.pauses + 1 } else { 1 };
        let reported = self.pauses >= self.count;
        if reported {
            self.pauses = 0;
        }
        reported
    }

    /// An entry is over, in which so many instructions have retired.
    pub(crate) fn leave(&mut self, retired: u64) {
        self.retired += retired;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(filter: &mut PauseFilter, places: &[u64]) -> Vec<u64> {
        let reported = |place: &u64| filter.pause(*place);
        places.iter().copied().filter(reported).collect()
    }

    #[test]
    fn every_third_pause_of_a_loop_is_reported() {
        let places: Vec<u64> = (1..=10).map(|round| round * 4).collect();
        let found = reports(&mut PauseFilter::new(3, 4), &places);
        assert_eq!(found, [12, 24, 36]);
    }

    #[test]
    fn a_pause_too_far_from_the_last_one_begins_a_new_loop() {
        let places = [10, 20, 31, 41, 51];
        assert_eq!(reports(&mut PauseFilter::new(3, 10), &places), [51]);
        assert!(reports(&mut PauseFilter::new(3, 9), &places).is_empty());
    }

    #[test]
    fn a_count_of_zero_or_one_reports_every_pause() {
        for count in [0, 1] {
            assert_eq!(
                reports(&mut PauseFilter::new(count, 0), &[1, 100]),
                [1, 100]
            );
        }
    }

    #[test]
    fn a_loop_goes_on_in_the_next_entry() {
        let mut filter = PauseFilter::new(2, 10);
        assert!(!filter.pause(95));
        filter.leave(100);
        assert!(filter.pause(5));
    }
}
