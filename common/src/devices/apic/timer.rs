//! The APIC's timer (SDM vol. 3, 11.5.4).
//!
//! Its clock is virtual time: one tick of the undivided clock is one tick of
//! [`Time`], so a count of `n` expires after `n` times the divider.

use super::MASKED;
use crate::Time;

/// Vector, mask, and in bit 17 periodic. Bit 18, TSC-deadline, does not exist
/// here.
const LOCAL_VECTOR_BITS: u32 = 0xff | MASKED | PERIODIC;
const PERIODIC: u32 = 1 << 17;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    local_vector: u32,
    initial: u32,
    divide: u32,
    /// When it expires next; [`Time::NEVER`] while it stands still.
    due: Time,
}

/// As after reset: one-shot, masked, stopped.
impl Default for Timer {
    fn default() -> Timer {
        Timer {
            local_vector: MASKED,
            initial: 0,
            divide: 0,
            due: Time::NEVER,
        }
    }
}

impl Timer {
    pub(super) fn local_vector(&self) -> u32 {
        self.local_vector
    }

    pub(super) fn initial_count(&self) -> u32 {
        self.initial
    }

    pub(super) fn divide_configuration(&self) -> u32 {
        self.divide
    }

    /// A change of the mode stops the timer; a change of the vector or the mask
    /// does not.
    pub(super) fn write_local_vector(&mut self, value: u32) {
        let changed = self.local_vector ^ value;
        self.local_vector = value & LOCAL_VECTOR_BITS;
        if changed & PERIODIC != 0 {
            self.due = Time::NEVER;
        }
    }

    pub(super) fn mask(&mut self) {
        self.local_vector |= MASKED;
    }

    /// Counts down from `initial`, beginning now; 0 stops the timer.
    pub(super) fn start(&mut self, now: Time, initial: u32) {
        self.initial = initial;
        self.due = match initial {
            0 => Time::NEVER,
            _ => now + self.period(),
        };
    }

    /// The count so far stays, and goes on at the new rate.
    pub(super) fn write_divide(&mut self, now: Time, value: u32) {
        let left = self.current_count(now);
        self.divide = value & 0b1011;
        if self.is_running() {
            self.due = now + u64::from(left) * self.divider();
        }
    }

    /// What is left to count at `now`: 0 only once it has expired or stopped.
    pub(super) fn current_count(&self, now: Time) -> u32 {
        if !self.is_running() {
            return 0;
        }
        let left = self.due.since(now).div_ceil(self.divider());
        left.min(u64::from(self.initial)) as u32
    }

    /// Runs on to `now`; the vector to request if the timer expired unmasked. A
    /// periodic timer expires at the multiples of its period, however late it
    /// is looked at.
    pub(super) fn advance(&mut self, now: Time) -> Option<u8> {
        if !self.is_running() || now < self.due {
            return None;
        }
        self.due = if self.is_periodic() {
            let missed = now.since(self.due) / self.period();
            self.due + missed.saturating_add(1).saturating_mul(self.period())
        } else {
            Time::NEVER
        };
        (!self.is_masked()).then_some(self.local_vector as u8)
    }

    pub(super) fn deadline(&self) -> Time {
        if self.is_masked() {
            Time::NEVER
        } else {
            self.due
        }
    }

    fn is_running(&self) -> bool {
        self.due != Time::NEVER
    }

    fn is_periodic(&self) -> bool {
        self.local_vector & PERIODIC != 0
    }

    fn is_masked(&self) -> bool {
        self.local_vector & MASKED != 0
    }

    fn period(&self) -> u64 {
        u64::from(self.initial) * self.divider()
    }

    /// Bits 0, 1 and 3 of the divide configuration: 2, 4, ... 128, 1 (SDM
    /// vol. 3, figure 11-10).
    fn divider(&self) -> u64 {
        let code = self.divide & 3 | self.divide >> 1 & 4;
        1 << ((code + 1) & 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(local_vector: u32, divide: u32, initial: u32) -> Timer {
        let mut timer = Timer::default();
        timer.write_local_vector(local_vector);
        timer.write_divide(Time::ZERO, divide);
        timer.start(Time::ZERO, initial);
        timer
    }

    #[test]
    fn the_divider_is_decoded_as_the_manual_says() {
        let codes = [
            0b0000, 0b0001, 0b0010, 0b0011, 0b1000, 0b1001, 0b1010, 0b1011,
        ];
        let dividers = codes.map(|code| running(32, code, 1).divider());
        assert_eq!(dividers, [2, 4, 8, 16, 32, 64, 128, 1]);
    }

    #[test]
    fn a_one_shot_timer_expires_once() {
        let mut timer = running(32, 0b1011, 100);
        assert_eq!(timer.deadline(), Time(100));
        assert_eq!(timer.advance(Time(99)), None);
        assert_eq!(timer.advance(Time(100)), Some(32));
        assert_eq!(timer.advance(Time(1000)), None);
        assert_eq!(timer.current_count(Time(1000)), 0);
    }

    #[test]
    fn a_periodic_timer_does_not_drift_when_it_is_looked_at_late() {
        let mut timer = running(32 | PERIODIC, 0b1011, 100);
        assert_eq!(timer.advance(Time(350)), Some(32));
        assert_eq!(timer.deadline(), Time(400));
        assert_eq!(timer.current_count(Time(350)), 50);
    }

    #[test]
    fn the_count_falls_by_one_each_divided_tick() {
        let timer = running(32, 0b0000, 10);
        let counts = [0, 1, 2, 3, 19].map(|now| timer.current_count(Time(now)));
        assert_eq!(counts, [10, 10, 9, 9, 1]);
    }

    #[test]
    fn a_masked_timer_counts_but_requests_nothing() {
        let mut timer = running(32 | MASKED | PERIODIC, 0b1011, 100);
        assert_eq!(timer.deadline(), Time::NEVER);
        assert_eq!(timer.advance(Time(150)), None);
        timer.write_local_vector(32 | PERIODIC);
        assert_eq!(timer.deadline(), Time(200));
    }

    #[test]
    fn an_initial_count_of_zero_stops_the_timer() {
        let mut timer = running(32 | PERIODIC, 0b1011, 100);
        timer.start(Time(50), 0);
        assert_eq!(timer.advance(Time(1000)), None);
        assert_eq!(timer.deadline(), Time::NEVER);
    }

    #[test]
    fn a_change_of_mode_stops_the_timer() {
        let mut timer = running(32, 0b1011, 100);
        timer.write_local_vector(32 | PERIODIC);
        assert_eq!(timer.deadline(), Time::NEVER);
    }

    #[test]
    fn a_new_divider_keeps_the_count() {
        let mut timer = running(32, 0b1011, 100);
        timer.write_divide(Time(40), 0b0000);
        assert_eq!(timer.current_count(Time(40)), 60);
        assert_eq!(timer.deadline(), Time(160));
    }

    #[test]
    fn the_end_of_time_is_no_endless_loop() {
        let mut timer = running(32 | PERIODIC, 0b1011, 1);
        timer.advance(Time::NEVER);
        assert_eq!(timer.deadline(), Time::NEVER);
    }
}
