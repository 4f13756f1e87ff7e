//! What does an event cost that the VMM forwards to its guest: a tick, a system
//! call, a switch between threads?
//!
//! ```text
//! cargo bench -p v4-user-threads --bench events
//! cargo bench -p v4-user-threads --bench events -- --samples 30
//! ```
//!
//! How it measures:
//!
//! - Each guest runs twice, with many events and with few, for the same virtual
//!   time; what the first takes longer is what its events cost. Their handlers'
//!   own instructions are no part of that: the other run has as many.
//! - CPU seconds, not wall-clock seconds; both runs and a plain loop one after
//!   the other, many times over; medians over these samples.
//! - The cost is also given in guest instructions: how many instructions of the
//!   plain loop the host could have run in that time. This ratio depends less on
//!   the host than the time does.
//! - Traps, exits and events are counted in a run of its own, as the sink that
//!   counts takes time, too. On this engine every run is the same.

#[cfg(unix)]
#[path = "../../../common/benches/interp/cpu_time.rs"]
#[allow(dead_code)] // the children of this process are nothing to us
mod cpu_time;
#[cfg(unix)]
#[path = "../../v3-user-thread/tests/machine/mod.rs"]
mod machine;

#[cfg(unix)]
mod session {
    use super::cpu_time;
    use super::machine::Machine;
    use clap::Parser;
    use common::trace::Event;
    use common::{Cpu, SystemInstruction, Trap, Vcpu};
    use guests::image::Image;
    use guests::kernel::apic::{self, TIMER_VECTOR, Timer};
    use guests::kernel::interrupts::{self, FULL_LIMIT, Gate};
    use guests::x64;

    /// What an event costs that the VMM forwards to its guest.
    #[derive(Parser)]
    struct Options {
        /// How often each run is repeated; medians are shown
        #[arg(long, value_name = "N", default_value_t = 15)]
        samples: usize,
        /// What cargo passes to every benchmark
        #[arg(long, hide = true)]
        bench: bool,
    }

    /// A tick that does not come.
    const NEVER: u32 = 1 << 30;
    /// Virtual time in which a guest warms up, and at which a run ends.
    const WARM: u64 = 200_000;
    const END: u64 = 3_000_000;

    /// One kind of event.
    struct Row {
        name: &'static str,
        /// Runs the guest with many events or with few.
        many: fn() -> Sample,
        few: fn() -> Sample,
        /// Counts what happens with many and with few.
        counts: [Counts; 2],
    }

    /// CPU seconds for so many ticks of virtual time.
    #[derive(Clone, Copy)]
    struct Sample {
        seconds: f64,
        time: u64,
    }

    #[derive(Clone, Copy, Default)]
    struct Counts {
        events: u64,
        traps: u64,
        exits: u64,
    }

    /// A kernel that turns in a loop, whatever ticks do to it.
    fn looping(tick: u32) -> Image {
        guests::kernel::build(|asm| {
            let label = asm.new_label();
            asm.words("turns", &[0]);
            interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, label);
            interrupts::load(asm, FULL_LIMIT);
            apic::enable(asm, Timer::Periodic, tick);
            apic::start_timer(asm);
            x64!(asm
                ; sti
                ; turn:
                ; mov rax, [->turns]
                ; lea rdx, [rax + rax * 2 + 1]
                ; xor rdx, rbx
                ; mov [->turns], rdx
                ; inc rbx
                ; test rbx, rbx
                ; jnz <turn
                ; jmp <turn
            );
            interrupts::handler(asm, "tick", label, TIMER_VECTOR, apic::end_of_interrupt);
        })
    }

    fn user(_: u32) -> Image {
        guests::v3::guest("user").expect("a guest").build(1)
    }

    fn preempt(tick: u32) -> Image {
        let guest = guests::v4::guest("preempt").expect("a guest");
        let mut image = guest.build(&v4::THREADS, 1);
        apic::set_tick_length(&mut image, tick);
        image
    }

    fn measure<V: Vcpu<Cpu = Box<dyn Cpu>> + Default>(image: Image, end: u64) -> Sample {
        let mut machine = Machine::<V>::new(&image.elf());
        machine.run(1 << 40, WARM);
        let (begin, since) = (machine.pcpu.now, cpu_time::own());
        machine.run(1 << 40, end);
        Sample {
            seconds: cpu_time::own() - since,
            time: machine.pcpu.now.since(begin),
        }
    }

    fn counts<V: Vcpu<Cpu = Box<dyn Cpu>> + Default>(
        image: Image,
        end: u64,
        is_event: fn(Event) -> bool,
    ) -> Counts {
        let count = |wanted: fn(Event) -> bool| {
            let mut machine = Machine::<V>::new(&image.elf());
            machine.run(1 << 40, WARM);
            let count = machine.count(wanted);
            machine.run(1 << 40, end);
            *count.lock().expect("a count")
        };
        Counts {
            events: count(is_event),
            traps: count(|event| match event {
                Event::Trap { trap, .. } => !matches!(trap, Trap::Budget | Trap::Kicked),
                _ => false,
            }),
            exits: count(|event| matches!(event, Event::Exit(_))),
        }
    }

    fn is_tick(event: Event) -> bool {
        matches!(event, Event::Inject(_))
    }

    fn is_system_call(event: Event) -> bool {
        let Event::Trap { trap, .. } = event else {
            return false;
        };
        matches!(
            trap,
            Trap::System {
                instruction: SystemInstruction::Syscall,
                ..
            }
        )
    }

    type V2 = v2::VirtualCpu;
    type V3 = v3::VirtualCpu;
    /// Before the threads of `preempt` begin to report.
    const PREEMPT: u64 = 600_000;

    fn rows() -> Vec<Row> {
        vec![
            Row {
                name: "tick, version 2",
                many: || measure::<V2>(looping(1_000), END),
                few: || measure::<V2>(looping(NEVER), END),
                counts: [1_000, NEVER].map(|tick| counts::<V2>(looping(tick), END, is_tick)),
            },
            Row {
                name: "tick, version 3",
                many: || measure::<V3>(looping(1_000), END),
                few: || measure::<V3>(looping(NEVER), END),
                counts: [1_000, NEVER].map(|tick| counts::<V3>(looping(tick), END, is_tick)),
            },
            Row {
                name: "system call",
                many: || measure::<V3>(never_ticking(user), END),
                few: || measure::<V3>(looping(NEVER), END),
                counts: [
                    counts::<V3>(never_ticking(user), END, is_system_call),
                    counts::<V3>(looping(NEVER), END, is_system_call),
                ],
            },
            Row {
                name: "tick with a switch",
                many: || measure::<V3>(preempt(1_000), PREEMPT),
                few: || measure::<V3>(preempt(100_000), PREEMPT),
                counts: [1_000, 100_000].map(|tick| counts::<V3>(preempt(tick), PREEMPT, is_tick)),
            },
        ]
    }

    fn never_ticking(build: fn(u32) -> Image) -> Image {
        let mut image = build(NEVER);
        apic::set_tick_length(&mut image, NEVER);
        image
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    pub fn main() {
        let options = Options::parse();
        let samples = options.samples.max(1);
        println!(
            "{:20} {:>9} {:>10} {:>10} {:>9} {:>13} {:>12}",
            "event", "events", "traps each", "exits each", "ns each", "instructions", "a second"
        );
        for row in rows() {
            let [many, few] = row.counts;
            let events = many.events.saturating_sub(few.events) as f64;
            let mut costs = Vec::new();
            let mut worths = Vec::new();
            for _ in 0..samples {
                let (long, short) = ((row.many)(), (row.few)());
                let plain = measure::<V2>(looping(NEVER), END);
                let tick = short.seconds / short.time as f64;
                let cost = (long.seconds - tick * long.time as f64) / events;
                costs.push(cost);
                worths.push(cost / (plain.seconds / plain.time as f64));
            }
            let cost = median(costs);
            let each = |many: u64, few: u64| many.saturating_sub(few) as f64 / events;
            println!(
                "{:20} {:>9} {:>10.2} {:>10.2} {:>9.0} {:>13.0} {:>12.0}",
                row.name,
                events,
                each(many.traps, few.traps),
                each(many.exits, few.exits),
                cost * 1e9,
                median(worths),
                1.0 / cost
            );
        }
    }
}

#[cfg(unix)]
fn main() {
    session::main();
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: the benchmark measures CPU seconds by getrusage, which only a Unix has");
}
