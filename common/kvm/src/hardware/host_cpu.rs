//! A physical CPU, as KVM sees one: a thread of the host, its clock, its timer,
//! and the signal that calls it back from the guest.

use super::signal::{self, Timer};
use common::{Pcpu, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering, fence};
use std::time::Duration;

/// What a physical CPU must be to run a KVM vCPU: nothing but the thread that
/// runs it, with a clock and a timer. The guest's registers are never here: the
/// vCPU's file descriptor *is* the saved context, and the kernel swaps the
/// registers at each entry.
///
/// It may go from thread to thread between two runs.
pub struct HostCpu {
    /// Which one this is, among all of this process.
    number: u64,
    clock: Clock,
    timer: Option<Timer>,
    /// When the timer rings next, by the host's clock; [`NOT_ARMED`] if never.
    rings: u64,
    /// The thread that is in the guest now, by the kernel's number; 0 if none.
    inside: Arc<AtomicI32>,
}

const NOT_ARMED: u64 = u64::MAX;

/// No deadline calls the guest back earlier than this. An entry into the guest
/// takes from one microsecond on bare hardware to two hundred where hardware is
/// itself emulated; were the deadline nearer than that, the guest would never get
/// anywhere.
const LEAST_STAY: Duration = Duration::from_micros(300);

impl HostCpu {
    /// How long a tick of virtual time is, unless somebody wants it otherwise.
    /// An exit costs between one and two hundred microseconds, so a guest whose
    /// timer rings every thousand ticks still gets somewhere.
    pub const TICK: Duration = Duration::from_micros(1);

    /// The physical CPU number `id`. A tick of its time is `tick` of the host's,
    /// at least a nanosecond.
    pub fn pcpu(id: usize, tick: Duration) -> Pcpu<HostCpu> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let inside = Arc::new(AtomicI32::new(0));
        let cpu = HostCpu {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            clock: Clock::new(tick),
            timer: None,
            rings: NOT_ARMED,
            inside: inside.clone(),
        };
        let mut pcpu = Pcpu::new(id, cpu);
        pcpu.tick = pcpu.cpu.clock.tick;
        pcpu.kick.also(move || {
            // Either we see the thread here, or it sees the kick before it enters.
            fence(Ordering::SeqCst);
            match inside.load(Ordering::Relaxed) {
                0 => {}
                thread => signal::send(thread),
            }
        });
        pcpu
    }

    /// The calling thread begins to run a vCPU here, at time `now`. Look at the
    /// kick only after this.
    pub(crate) fn begin(&mut self, now: Time) -> std::io::Result<()> {
        if !self.timer.as_ref().is_some_and(Timer::is_ours) {
            self.timer = Some(Timer::new()?);
            self.rings = NOT_ARMED;
        }
        if signal::enter_thread(self.number) {
            // Another may have taken our timer's signal for its own.
            signal::call();
        }
        self.inside.store(signal::this_thread(), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.clock.set(now);
        Ok(())
    }

    /// It has stopped to.
    pub(crate) fn end(&mut self) {
        self.inside.store(0, Ordering::Relaxed);
    }

    /// Sees to it that a signal comes at `until`, or as soon after as the guest
    /// can have got somewhere. It may come earlier, and then this must be called
    /// again. So nothing has to be done in most cases.
    pub(crate) fn ring_at(&mut self, until: Time) {
        let wanted = self.clock.host_time(until);
        if wanted < self.rings
            && let Some(timer) = &self.timer
        {
            let least = signal::host_clock() + LEAST_STAY.as_nanos() as u64;
            self.rings = wanted.max(least);
            timer.set(self.rings);
        }
    }

    /// What time it is. The clock goes on with the host's, and never back.
    pub(crate) fn now(&mut self) -> Time {
        self.clock.now(signal::host_clock())
    }

    /// A signal came, and it may have been the timer's, which rings only once. So it
    /// is set anew, whoever it was: to ask the clock instead would be right only as
    /// long as all CPUs of the host agree about the time.
    pub(crate) fn called(&mut self) {
        self.rings = NOT_ARMED;
    }
}

/// Virtual time, as the host's clock makes it pass.
struct Clock {
    /// Nanoseconds of a tick.
    tick: u64,
    /// A moment by both clocks.
    host: u64,
    time: Time,
    /// What was last told.
    told: Option<Time>,
}

impl Clock {
    fn new(tick: Duration) -> Clock {
        Clock {
            tick: u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX).max(1),
            host: 0,
            time: Time::ZERO,
            told: None,
        }
    }

    /// Somebody says that it is `now`. A sleeper's time may have been put forward.
    fn set(&mut self, now: Time) {
        if self.told == Some(now) {
            return;
        }
        let host = signal::host_clock();
        if self.told.is_none() || self.now(host) < now {
            (self.host, self.time) = (host, now);
        }
        self.told = Some(now);
    }

    fn now(&mut self, host: u64) -> Time {
        let now = self.time + host.saturating_sub(self.host) / self.tick;
        self.told = Some(now);
        now
    }

    fn host_time(&self, time: Time) -> u64 {
        let nanoseconds = time.since(self.time).saturating_mul(self.tick);
        self.host.saturating_add(nanoseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn time_goes_on_with_the_clock_of_the_host() {
        let mut clock = Clock::new(MICROSECOND);
        clock.set(Time(5));
        let host = clock.host;
        assert_eq!(clock.now(host + 1_999), Time(6));
        assert_eq!(clock.host_time(Time(15)), host + 10_000);
        assert_eq!(clock.host_time(Time::NEVER), u64::MAX);
    }

    #[test]
    fn a_clock_that_was_put_forward_goes_on_from_there() {
        let mut clock = Clock::new(MICROSECOND);
        clock.set(Time(5));
        clock.set(Time(1 << 40));
        let host = clock.host;
        assert_eq!(clock.now(host + 3_000), Time(3 + (1 << 40)));
    }

    #[test]
    fn after_a_signal_the_timer_is_set_anew_whatever_the_clock_says() {
        let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
        pcpu.cpu.begin(Time::ZERO).unwrap();
        pcpu.cpu.ring_at(Time(60_000_000));
        assert_ne!(pcpu.cpu.rings, NOT_ARMED);
        pcpu.cpu.called();
        assert_eq!(pcpu.cpu.rings, NOT_ARMED);
    }

    #[test]
    fn the_timer_calls_the_thread_that_runs_the_cpu_also_when_it_came_back() {
        let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
        let mut runs_here = || {
            pcpu.cpu.begin(Time::ZERO).unwrap();
            pcpu.cpu.timer.as_ref().is_some_and(Timer::is_ours)
        };
        assert!(runs_here());
        std::thread::scope(|scope| assert!(scope.spawn(&mut runs_here).join().unwrap()));
        assert!(runs_here());
    }

    #[test]
    fn a_clock_is_never_put_back() {
        let mut clock = Clock::new(MICROSECOND);
        clock.set(Time(1 << 40));
        clock.set(Time(1));
        let host = clock.host;
        assert!(clock.now(host) >= Time(1 << 40));
    }
}
