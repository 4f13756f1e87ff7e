//! One host thread for each physical CPU.

use super::host_cpus::HostCpus;
use super::{Control, Outcome, Progress, Schedule};
use crate::sync::Mutex;
use crate::{Kick, Pcpu, Time};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs until all is over, until a clock reaches `limit`, or until every thread
/// sleeps for ever. Commands come from the thread of the first physical CPU, by
/// its clock.
///
/// Where a physical CPU idles, its clock is the host's ([`Pcpu::tick`]).
/// Each thread is pinned to a CPU of the host if that allows it.
///
/// # Panics
/// If a thread panics: when all others have come to their end.
pub fn threads<C: Send, S: Schedule<C> + Copy + Send + Sync>(
    scheduler: S,
    pcpus: &mut [Pcpu<C>],
    limit: Time,
    control: &mut Control<'_, S>,
) -> Outcome {
    let host = Host {
        cpus: HostCpus::allowed(),
        kicks: pcpus.iter().map(|pcpu| pcpu.kick.clone()).collect(),
        limit,
        over: AtomicBool::new(false),
        shared: Mutex::new(Shared {
            asleep: 0,
            commands: true,
            outcome: None,
        }),
    };
    std::thread::scope(|scope| {
        let (first, others) = pcpus.split_first_mut().expect("at least 1 physical cpu");
        for pcpu in others {
            let host = &host;
            scope.spawn(move || host.drive(scheduler, pcpu, None));
        }
        host.drive(scheduler, first, Some(control));
    });
    let outcome = host.shared.lock().outcome;
    outcome.unwrap_or(Outcome::Done)
}

/// What the threads share.
struct Host {
    cpus: HostCpus,
    kicks: Vec<Kick>,
    limit: Time,
    /// All threads are to come to their end.
    over: AtomicBool,
    shared: Mutex<Shared>,
}

struct Shared {
    /// How many threads sleep without a time to wake.
    asleep: usize,
    /// There may still be commands.
    commands: bool,
    outcome: Option<Outcome>,
}

/// Ends the run for all if a thread panics: nobody must wait for it for ever.
struct EndOnPanic<'a>(&'a Host);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Outcome::Stuck);
        }
    }
}

impl Host {
    fn drive<C, S: Schedule<C>>(
        &self,
        mut scheduler: S,
        pcpu: &mut Pcpu<C>,
        mut control: Option<&mut Control<'_, S>>,
    ) {
        let _guard = EndOnPanic(self);
        let _pin = self.cpus.pin(pcpu.id);
        let mut next_command = match control {
            Some(_) => Time::ZERO,
            None => Time::NEVER,
        };
        while !self.over.load(Ordering::Acquire) {
            if let Some(control) = control.as_mut().filter(|_| pcpu.now >= next_command) {
                next_command = control(&mut scheduler, pcpu.now).max(pcpu.now + 1);
                self.shared.lock().commands = next_command != Time::NEVER;
            }
            if pcpu.now >= self.limit {
                return self.end(Outcome::LimitReached);
            }
            match scheduler.schedule_once(pcpu) {
                Progress::Ran => {}
                Progress::Idle { wake } => self.sleep(pcpu, wake.min(next_command)),
                Progress::Done if self.shared.lock().commands => self.sleep(pcpu, next_command),
                Progress::Done => return self.end(Outcome::Done),
            }
        }
    }

    /// Sleeps until `wake` at most, or until the limit.
    fn sleep<C>(&self, pcpu: &mut Pcpu<C>, wake: Time) {
        pcpu.recorder.runs(pcpu.now, None);
        if wake == Time::NEVER {
            self.sleep_for_ever(pcpu);
            return;
        }
        let wake = wake.min(self.limit);
        let begin = Instant::now();
        let most = wake.since(pcpu.now).saturating_mul(pcpu.tick);
        pcpu.kick.sleep(Some(Duration::from_nanos(most)));
        let passed = begin.elapsed().as_nanos() as u64 / pcpu.tick;
        pcpu.now = match pcpu.kick.take() {
            true => pcpu.now.max(wake.min(pcpu.now + passed)),
            false => pcpu.now.max(wake),
        };
    }

    /// Sleeps until kicked. The last one to fall asleep ends the run: a kick
    /// comes from a thread that is awake.
    fn sleep_for_ever<C>(&self, pcpu: &mut Pcpu<C>) {
        let mut shared = self.shared.lock();
        shared.asleep += 1;
        let nobody_left =
            shared.asleep == self.kicks.len() && !self.kicks.iter().any(Kick::is_pending);
        drop(shared);
        if nobody_left {
            return self.end(Outcome::Stuck);
        }
        let begin = Instant::now();
        pcpu.kick.sleep(None);
        self.shared.lock().asleep -= 1;
        pcpu.kick.take();
        pcpu.now += begin.elapsed().as_nanos() as u64 / pcpu.tick;
    }

    fn end(&self, outcome: Outcome) {
        self.shared.lock().outcome.get_or_insert(outcome);
        self.over.store(true, Ordering::Release);
        self.kicks.iter().for_each(Kick::kick);
    }
}

#[cfg(test)]
mod tests {
    use super::super::nothing;
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Two physical CPUs that wake each other in turn, `rounds` times.
    struct PingPong {
        kicks: [Kick; 2],
        turn: AtomicUsize,
        rounds: usize,
    }

    impl Schedule<()> for &PingPong {
        fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
            let turn = self.turn.load(Ordering::SeqCst);
            if turn >= self.rounds {
                return Progress::Done;
            }
            if turn % 2 == pcpu.id {
                self.turn.store(turn + 1, Ordering::SeqCst);
                self.kicks[1 - pcpu.id].kick();
            }
            Progress::Idle { wake: Time::NEVER }
        }
    }

    fn ping_pong(rounds: usize, first: usize) -> (usize, Outcome) {
        let mut pcpus = [0, 1].map(|id| Pcpu::new(id, ()));
        let game = PingPong {
            kicks: [pcpus[0].kick.clone(), pcpus[1].kick.clone()],
            turn: AtomicUsize::new(first),
            rounds,
        };
        let outcome = threads(&game, &mut pcpus, Time::NEVER, &mut nothing);
        (game.turn.into_inner(), outcome)
    }

    #[test]
    fn two_sleepers_that_wake_each_other_never_miss_a_wake() {
        assert_eq!(ping_pong(20_000, 0), (20_000, Outcome::Done));
    }

    /// Nobody ever kicks.
    struct Silent;

    impl Schedule<()> for &Silent {
        fn schedule_once(&mut self, _: &mut Pcpu<()>) -> Progress {
            Progress::Idle { wake: Time::NEVER }
        }
    }

    #[test]
    fn when_all_sleep_for_ever_the_run_is_stuck() {
        let mut pcpus = [0, 1, 2].map(|id| Pcpu::new(id, ()));
        let outcome = threads(&Silent, &mut pcpus, Time::NEVER, &mut nothing);
        assert_eq!(outcome, Outcome::Stuck);
    }

    /// Sleeps once.
    struct Nap;

    impl Schedule<()> for &Nap {
        fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
            match pcpu.now {
                Time::ZERO => Progress::Idle { wake: Time(2_000) },
                _ => Progress::Done,
            }
        }
    }

    #[test]
    fn a_sleeper_sleeps_as_long_as_its_ticks_take() {
        let mut pcpus = [Pcpu::new(0, ())];
        pcpus[0].tick = 1_000;
        let begin = Instant::now();
        threads(&Nap, &mut pcpus, Time::NEVER, &mut nothing);
        assert!(begin.elapsed() >= Duration::from_millis(2));
        assert_eq!(pcpus[0].now, Time(2_000));
    }

    /// Number 1 panics; number 0 waits for it.
    struct Panics;

    impl Schedule<()> for &Panics {
        fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
            assert_eq!(pcpu.id, 0, "on purpose");
            Progress::Idle { wake: Time::NEVER }
        }
    }

    #[test]
    #[should_panic]
    fn a_panic_in_one_thread_ends_the_others_too() {
        let mut pcpus = [0, 1].map(|id| Pcpu::new(id, ()));
        threads(&Panics, &mut pcpus, Time::NEVER, &mut nothing);
    }

    #[test]
    fn a_limit_ends_even_those_who_sleep() {
        let mut pcpus = [0, 1].map(|id| Pcpu::new(id, ()));
        let mut control = |_: &mut &Silent, now: Time| now + 1_000_000;
        let outcome = threads(&Silent, &mut pcpus, Time(3_000_000), &mut control);
        assert_eq!(outcome, Outcome::LimitReached);
    }
}
