//! One host thread steps all physical CPUs, in an order that a seed decides.

use super::{Control, Outcome, Progress, Schedule};
use crate::{Pcpu, Time};

/// In which order the physical CPUs are stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nearly in the order of their clocks: the one that is behind goes on, and
    /// the seed decides between those that are close together.
    Fair(u64),
    /// As badly as can be: the seed makes some physical CPUs wait for long while
    /// others run, and cuts in at odd moments.
    Adversarial(u64),
}

/// Steps the physical CPUs: always one whose clock is among the least.
///
/// A physical CPU that sleeps stands still, and its clock with it, until its
/// sleeper is due or somebody kicks it; then it has the time of who kicked it.
/// Each step lets guest code run for a few hundred ticks at most, so that two
/// physical CPUs are never further apart than a window and a step. One that is
/// alone is left to itself.
pub struct Stepper {
    order: Order,
    random: Random,
    /// Which physical CPU is held back: the adversary's choice.
    victim: usize,
}

/// How long a step is on the average, in ticks.
const STEP: u64 = 200;
/// How far apart two clocks may be for the seed to choose between them.
const WINDOW: u64 = 400;
/// The same for the adversary, who lets the others run ahead this far.
const WIDE_WINDOW: u64 = 20_000;

/// What a physical CPU does, as the stepper sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    AsleepUntil(Time),
}

impl Stepper {
    /// A stepper for this order.
    pub fn new(order: Order) -> Stepper {
        let (Order::Fair(seed) | Order::Adversarial(seed)) = order;
        Stepper {
            order,
            random: Random(seed),
            victim: 0,
        }
    }

    /// Runs until all is over, until no clock is before `limit`, or until nobody
    /// can go on.
    ///
    /// # Panics
    /// Without any physical CPU.
    pub fn run<C, S: Schedule<C>>(
        &mut self,
        scheduler: &mut S,
        pcpus: &mut [Pcpu<C>],
        limit: Time,
        control: &mut Control<'_, S>,
    ) -> Outcome {
        assert!(!pcpus.is_empty(), "no physical cpu: must be at least 1");
        let alone = pcpus.len() == 1;
        let mut states = vec![State::Awake; pcpus.len()];
        let mut next_command = Time::ZERO;
        loop {
            let (id, due) = self.choose(pcpus, &states);
            if next_command <= due && next_command < limit {
                let now = next_command;
                next_command = control(scheduler, now).max(now + 1);
                wake_kicked(pcpus, &mut states, now);
                continue;
            }
            if due >= limit {
                return match due {
                    Time::NEVER => Outcome::Stuck,
                    _ => Outcome::LimitReached,
                };
            }
            states[id] = State::Awake;
            let pcpu = &mut pcpus[id];
            pcpu.now = pcpu.now.max(due);
            if !alone {
                pcpu.horizon = pcpu.now + self.length();
            }
            let progress = scheduler.schedule_once(pcpu);
            pcpu.horizon = Time::NEVER;
            match progress {
                Progress::Ran => {}
                Progress::Done if next_command == Time::NEVER => return Outcome::Done,
                Progress::Done => states[id] = State::AsleepUntil(Time::NEVER),
                Progress::Idle { wake } => {
                    pcpu.recorder.runs(pcpu.now, None);
                    states[id] = State::AsleepUntil(wake);
                }
            }
            let now = pcpus[id].now;
            wake_kicked(pcpus, &mut states, now);
        }
    }

    /// How long the next step is at most.
    fn length(&mut self) -> u64 {
        match self.order {
            Order::Fair(_) => STEP / 2 + self.random.below(STEP),
            // Odd moments: often only a handful of instructions.
            Order::Adversarial(_) => 1 << self.random.below(12),
        }
    }

    /// Who is next, and when; [`Time::NEVER`] if nobody can go on.
    fn choose<C>(&mut self, pcpus: &[Pcpu<C>], states: &[State]) -> (usize, Time) {
        let due = |id: usize| match states[id] {
            State::Awake => pcpus[id].now,
            State::AsleepUntil(wake) => wake.max(pcpus[id].now),
        };
        let ids = 0..pcpus.len();
        let least = ids.clone().map(due).min().unwrap_or(Time::NEVER);
        let window = match self.order {
            Order::Fair(_) => WINDOW,
            Order::Adversarial(_) => WIDE_WINDOW,
        };
        if matches!(self.order, Order::Adversarial(_)) && self.random.below(32) == 0 {
            self.victim = self.random.below(pcpus.len() as u64) as usize;
        }
        let near = |id: &usize| due(*id) <= least + window && due(*id) != Time::NEVER;
        let mut candidates: Vec<_> = ids.filter(near).collect();
        if matches!(self.order, Order::Adversarial(_)) && candidates.len() > 1 {
            candidates.retain(|id| *id != self.victim);
        }
        match candidates.len() as u64 {
            0 => (0, Time::NEVER),
            count => {
                let id = candidates[self.random.below(count) as usize];
                (id, due(id))
            }
        }
    }
}

/// Wakes the sleepers among the physical CPUs that somebody kicked at `now`.
fn wake_kicked<C>(pcpus: &mut [Pcpu<C>], states: &mut [State], now: Time) {
    for (pcpu, state) in pcpus.iter_mut().zip(states) {
        if *state != State::Awake && pcpu.kick.take() {
            *state = State::Awake;
            pcpu.now = pcpu.now.max(now);
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: a good choice for every seed, also 0.
struct Random(u64);

impl Random {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::super::nothing;
    use super::*;

    /// A scheduler that keeps each physical CPU busy until `work`, and notes who
    /// was called when.
    struct Busy {
        work: Time,
        calls: Vec<(usize, Time)>,
    }

    impl Schedule<()> for Busy {
        fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
            self.calls.push((pcpu.id, pcpu.now));
            pcpu.pass(pcpu.before_horizon(10_000));
            pcpu.kick.take();
            match pcpu.now < self.work {
                true => Progress::Ran,
                false => Progress::Idle { wake: Time::NEVER },
            }
        }
    }

    fn run(order: Order, pcpus: usize) -> (Busy, Outcome) {
        let mut pcpus: Vec<_> = (0..pcpus).map(|id| Pcpu::new(id, ())).collect();
        let mut busy = Busy {
            work: Time(50_000),
            calls: Vec::new(),
        };
        let outcome = Stepper::new(order).run(&mut busy, &mut pcpus, Time(1_000_000), &mut nothing);
        (busy, outcome)
    }

    #[test]
    fn equal_seeds_give_equal_orders_and_others_others() {
        let calls = |seed| run(Order::Fair(seed), 3).0.calls;
        assert_eq!(calls(1), calls(1));
        assert_ne!(calls(1), calls(2));
    }

    #[test]
    fn no_clock_runs_away_from_the_others() {
        for seed in 0..50 {
            let mut clocks = [Time::ZERO; 3];
            for (id, now) in run(Order::Fair(seed), 3).0.calls {
                clocks[id] = now;
                let least = *clocks.iter().min().unwrap();
                assert!(now.since(least) <= WINDOW + 2 * STEP, "{id} at {now}");
            }
        }
    }

    #[test]
    fn the_adversary_lets_others_run_ahead_but_not_for_ever() {
        let (busy, _) = run(Order::Adversarial(1), 2);
        let mut clocks = [Time::ZERO; 2];
        let mut furthest = 0;
        for (id, now) in busy.calls {
            clocks[id] = now;
            furthest = furthest.max(clocks[0].0.abs_diff(clocks[1].0));
        }
        assert!(
            (5 * WINDOW..=WIDE_WINDOW + 4096).contains(&furthest),
            "{furthest}"
        );
    }

    #[test]
    fn when_all_sleep_for_ever_the_run_is_stuck() {
        assert_eq!(run(Order::Fair(1), 2).1, Outcome::Stuck);
    }

    /// Number 1 sleeps until number 0 has kicked it, at the end of its work.
    struct Handover(Vec<(usize, Time)>);

    impl Schedule<()> for (&mut Handover, crate::Kick) {
        fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
            self.0.0.push((pcpu.id, pcpu.now));
            match (
                pcpu.id,
                self.0.0.iter().filter(|call| call.0 == pcpu.id).count(),
            ) {
                (0, 5) => {
                    self.1.kick();
                    Progress::Idle { wake: Time::NEVER }
                }
                (0, _) => {
                    pcpu.pass(100);
                    Progress::Ran
                }
                (_, 1) => Progress::Idle { wake: Time::NEVER },
                _ => Progress::Done,
            }
        }
    }

    #[test]
    fn a_kicked_sleeper_wakes_at_the_time_of_who_kicked_it() {
        let mut pcpus: Vec<_> = (0..2).map(|id| Pcpu::new(id, ())).collect();
        let mut handover = Handover(Vec::new());
        let mut scheduler = (&mut handover, pcpus[1].kick.clone());
        let outcome =
            Stepper::new(Order::Fair(1)).run(&mut scheduler, &mut pcpus, Time::NEVER, &mut nothing);
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(handover.0.last(), Some(&(1, Time(400))));
    }

    #[test]
    fn commands_come_at_their_times_even_when_nobody_runs() {
        let mut pcpus = [Pcpu::new(0, ())];
        let mut busy = Busy {
            work: Time::ZERO,
            calls: Vec::new(),
        };
        let mut times = Vec::new();
        let mut control = |_: &mut Busy, now: Time| {
            times.push(now);
            if now < Time(3_000) {
                now + 1_000
            } else {
                Time::NEVER
            }
        };
        Stepper::new(Order::Fair(1)).run(&mut busy, &mut pcpus, Time::NEVER, &mut control);
        assert_eq!(times, [0, 1_000, 2_000, 3_000].map(Time));
    }
}
