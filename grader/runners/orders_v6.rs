//! What is tried with the scheduler of version 6 in many orders of its threads.

use common::devices::Apic;
use common::scripted::{Play, ScriptedVcpu, apic_with_timer};
use common::sync::Mutex;
use common::{Bus, Ending, Pcpu, Time};
use search::{Other, Scenario, drive};
use std::sync::Arc;
use v5::{Id, Processor, State, Stop, Vm, Weight};
use v6::{Peers, Runnable, Scheduler, Settings};

/// All that is tried.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "two physical CPUs that balance and sleep",
        run: two_balance,
    },
    Scenario {
        name: "two entries that wake each other in turn",
        run: ball_game,
    },
    Scenario {
        name: "an owner who pauses, resumes and shuts down",
        run: an_owner,
    },
    Scenario {
        name: "a physical CPU that is unplugged and plugged in",
        run: hotplug,
    },
    Scenario {
        name: "a physical CPU that is unplugged while it runs somebody",
        run: unplug_the_busy,
    },
    Scenario {
        name: "a sleeper that is woken while its physical CPU is unplugged",
        run: wake_the_homeless,
    },
];

/// Slices so short that every turn of a script is several of them.
const SLICE: u64 = 10;

type Vms = Scheduler<Vm<ScriptedVcpu>>;

fn pcpus(count: usize) -> Vec<Pcpu<()>> {
    (0..count).map(|id| Pcpu::new(id, ())).collect()
}

fn scheduler<R: Runnable>(pcpus: &[Pcpu<R::Cpu>]) -> Arc<Scheduler<R>> {
    let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
    Arc::new(Scheduler::new(kicks, SLICE))
}

fn start(scheduler: &Vms, apic: Apic, script: &[Play], home: usize, weight: u32) -> Id {
    let vcpu = ScriptedVcpu::new(script.iter().copied());
    let bus = Bus::new(Box::new(std::io::sink()));
    let settings = Settings {
        weight: Weight::new(weight).expect("a weight in range"),
        home: Some(home),
        ..Settings::default()
    };
    let id = scheduler.create(Vm::new(Processor::new(vcpu, apic, ()), bus), settings);
    scheduler.start(id, Time::ZERO).expect("it is new");
    id
}

/// Computes for `ticks`, and ends.
fn worker(scheduler: &Vms, ticks: u64, home: usize, weight: u32) -> Id {
    let script = [Play::Compute(ticks), Play::SWITCH_OFF];
    start(scheduler, Apic::new(0), &script, home, weight)
}

/// Sleeps and works in turn, and ends.
fn sleeper(scheduler: &Vms, home: usize) -> Id {
    let mut script = [Play::Nap, Play::END_OF_INTERRUPT, Play::Compute(5)].repeat(3);
    script.push(Play::SWITCH_OFF);
    start(scheduler, apic_with_timer(40), &script, home, 100)
}

fn all_ended(scheduler: &Vms, ids: &[Id]) {
    scheduler.audit().expect("everybody is where they say");
    for id in ids {
        let state = scheduler.state(*id).expect("it is not destroyed");
        assert!(
            matches!(state, State::Ended(_)),
            "vm {id} is {}",
            state.name()
        );
    }
}

fn two_balance() {
    let pcpus = pcpus(2);
    let scheduler = scheduler(&pcpus);
    let ids = [
        worker(&scheduler, 120, 0, 100),
        worker(&scheduler, 90, 1, 300),
        worker(&scheduler, 60, 0, 200),
        worker(&scheduler, 150, 1, 100),
        sleeper(&scheduler, 0),
        sleeper(&scheduler, 1),
    ];
    drive(&scheduler, pcpus, vec![]);
    all_ended(&scheduler, &ids);
}

fn an_owner() {
    let pcpus = pcpus(2);
    let scheduler = scheduler(&pcpus);
    let ids = [
        worker(&scheduler, 100, 0, 100),
        sleeper(&scheduler, 1),
        worker(&scheduler, 100, 1, 100),
    ];
    let owned = Arc::clone(&scheduler);
    let owner: Other = (
        "the owner",
        Box::new(move || {
            let now = Time(50);
            for id in ids {
                // Each of these may come too late: the VM may have ended.
                let _ = owned.pause(id, now);
            }
            let _ = owned.shut_down(ids[0], now);
            for id in ids {
                while owned.state(id) == Ok(State::Running) {
                    search::yield_now();
                }
                let _ = owned.resume(id, now);
            }
        }),
    );
    drive(&scheduler, pcpus, vec![owner]);
    all_ended(&scheduler, &ids);
}

fn hotplug() {
    let pcpus = pcpus(2);
    let scheduler = scheduler(&pcpus);
    let ids = [
        worker(&scheduler, 100, 0, 100),
        worker(&scheduler, 100, 1, 100),
        sleeper(&scheduler, 1),
        sleeper(&scheduler, 0),
    ];
    let owned = Arc::clone(&scheduler);
    let owner: Other = (
        "the owner",
        Box::new(move || {
            // One balances first with a higher number, and then with a lower one.
            for pcpu in [1, 0, 1] {
                owned.unplug(pcpu).expect("the other one is plugged in");
                owned.plug(pcpu).expect("it is unplugged");
            }
        }),
    );
    drive(&scheduler, pcpus, vec![owner]);
    all_ended(&scheduler, &ids);
}

/// Leaves its physical CPU only when that is kicked, and ends on number 0.
struct Settler;

impl Runnable for Settler {
    type Cpu = ();

    fn load(&mut self, _: &mut Pcpu<()>) {}

    fn store(&mut self, _: &mut Pcpu<()>) {}

    fn turn(&mut self, pcpu: &mut Pcpu<()>, _: Time, _: &dyn Peers) -> Stop {
        pcpu.now += 1;
        if pcpu.id == 0 {
            return Stop::Ended(Ending::Exited(0));
        }
        while !pcpu.kick.take() {
            search::yield_now();
        }
        Stop::TimeUp
    }
}

fn unplug_the_busy() {
    let pcpus = pcpus(2);
    let scheduler = scheduler(&pcpus);
    let home = Settings {
        home: Some(1),
        ..Settings::default()
    };
    let id = scheduler.create(Settler, home);
    scheduler.start(id, Time::ZERO).expect("it is new");
    let owned = Arc::clone(&scheduler);
    let owner: Other = (
        "the owner",
        Box::new(move || owned.unplug(1).expect("the other one is plugged in")),
    );
    drive(&scheduler, pcpus, vec![owner]);
    scheduler.audit().expect("everybody is where they say");
}

/// Sleeps, every time it runs.
struct Napper;

impl Runnable for Napper {
    type Cpu = ();

    fn load(&mut self, _: &mut Pcpu<()>) {}

    fn store(&mut self, _: &mut Pcpu<()>) {}

    fn turn(&mut self, pcpu: &mut Pcpu<()>, _: Time, _: &dyn Peers) -> Stop {
        pcpu.now += 1;
        Stop::Asleep { wake: Time(1_000) }
    }
}

/// Who is awake before the one who unplugs comes to it stands on another queue
/// already. There are two that idle, so that it could be put on both.
fn wake_the_homeless() {
    let mut pcpus = pcpus(3);
    let scheduler = scheduler(&pcpus);
    let home = Settings {
        home: Some(1),
        ..Settings::default()
    };
    let id = scheduler.create(Napper, home);
    scheduler.start(id, Time::ZERO).expect("it is new");
    for pcpu in &mut pcpus {
        scheduler.schedule_once(pcpu);
    }
    let [owned, woken] = [Arc::clone(&scheduler), Arc::clone(&scheduler)];
    let owner: Other = (
        "the owner",
        Box::new(move || owned.unplug(1).expect("the others are plugged in")),
    );
    let waker: Other = ("a neighbour", Box::new(move || woken.wake(id, Time(10))));
    drive(&scheduler, vec![], vec![owner, waker]);
    scheduler.audit().expect("everybody is where they say");
}

/// Two entries that throw a ball to each other. Who has none sleeps, and nobody
/// else wakes anybody.
struct Player {
    number: usize,
    throws: usize,
    game: Arc<Game>,
}

struct Game {
    /// Whether the ball has come to each of the two.
    hands: [Mutex<bool>; 2],
    players: Mutex<Vec<Id>>,
}

impl Runnable for Player {
    type Cpu = ();

    fn load(&mut self, _: &mut Pcpu<()>) {}

    fn store(&mut self, _: &mut Pcpu<()>) {}

    fn turn(&mut self, pcpu: &mut Pcpu<()>, _: Time, peers: &dyn Peers) -> Stop {
        pcpu.now += 1;
        if !std::mem::take(&mut *self.game.hands[self.number].lock()) {
            return Stop::Asleep { wake: Time::NEVER };
        }
        let other = 1 - self.number;
        let id = self.game.players.lock()[other];
        *self.game.hands[other].lock() = true;
        peers.wake(id, pcpu.now);
        self.throws -= 1;
        match self.throws {
            0 => Stop::Ended(Ending::Exited(0)),
            _ => Stop::Asleep { wake: Time::NEVER },
        }
    }
}

fn ball_game() {
    const THROWS: usize = 4;
    let pcpus = pcpus(2);
    let scheduler = scheduler(&pcpus);
    let game = Arc::new(Game {
        hands: [Mutex::new(true), Mutex::new(false)],
        players: Mutex::default(),
    });
    let ids = [0, 1].map(|number| {
        let game = Arc::clone(&game);
        let player = Player {
            number,
            throws: THROWS,
            game,
        };
        scheduler.create(player, Settings::default())
    });
    game.players.lock().extend(ids);
    for id in ids {
        scheduler.start(id, Time::ZERO).expect("it is new");
    }
    drive(&scheduler, pcpus, vec![]);
    scheduler.audit().expect("everybody is where they say");
}
