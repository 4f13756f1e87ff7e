//! Whatever a guest computes, and however often it is interrupted: it comes to
//! the same result as undisturbed.
//!
//! The guests here are random code over random registers. Each runs once with
//! its timer stopped and once with ticks of a random length, under a host whose
//! own timer has another random period. In the end it prints all its registers
//! and flags: the two must not differ in a single bit.

mod machine;

use common::trace::Event;
use common::{Cpu, Ending, Vcpu};
use guests::asm::Asm;
use guests::console;
use guests::image::Image;
use guests::kernel::apic::{self, TIMER_VECTOR, Timer};
use guests::kernel::interrupts::{self, FULL_LIMIT, Gate};
use guests::{program, x64};
use machine::Machine;
use proptest::prelude::*;

/// All registers but the stack pointer.
const REGISTERS: [u8; 15] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// A tick that does not come while a guest runs.
const NEVER: u32 = 1 << 30;

/// One instruction of the random code.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    to: u8,
    from: u8,
    number: i8,
}

fn step() -> impl Strategy<Value = Step> {
    let register = || prop::sample::select(&REGISTERS[..]);
    (0..14_u8, register(), register(), any::<i8>()).prop_map(|(kind, to, from, number)| Step {
        kind,
        to,
        from,
        number,
    })
}

/// Emits the instruction. Most of them look at the flags or change them.
fn emit(
    asm: &mut Asm,
    Step {
        kind,
        to,
        from,
        number,
    }: Step,
) {
    match kind {
        0 => x64!(asm ; add Rq(to), Rq(from)),
        1 => x64!(asm ; adc Rq(to), Rq(from)),
        2 => x64!(asm ; sbb Rq(to), Rq(from)),
        3 => x64!(asm ; xor Rd(to), Rd(from)),
        4 => x64!(asm ; imul Rq(to), Rq(from)),
        5 => x64!(asm ; rol Rq(to), number),
        6 => x64!(asm ; rcr Rq(to), 1),
        7 => x64!(asm ; lea Rq(to), [Rq(from) + i32::from(number)]),
        8 => x64!(asm ; push Rq(from) ; pop Rq(to)),
        9 => x64!(asm ; cmp Rq(to), Rq(from) ; cmovo Rq(to), Rq(from)),
        10 => x64!(asm ; inc Rb(to)),
        11 => x64!(asm ; xchg Rq(to), Rq(from)),
        12 => x64!(asm ; std ; neg Rw(to)),
        _ => x64!(asm ; cld ; mov [->scratch], Rq(from) ; add Rq(to), [->scratch]),
    }
}

/// A guest that runs `code` with interrupts open, several times over, and prints
/// what has become of `values`.
fn guest(values: &[u64], code: &[Step], tick: u32) -> Image {
    guests::kernel::build(|asm| {
        let label = asm.new_label();
        for name in ["scratch", "rounds"] {
            asm.words(name, &[0]);
        }
        asm.zeroed("dump", 16, 17 * 8);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, label);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::Periodic, tick);
        apic::start_timer(asm);
        for (&register, &value) in REGISTERS.iter().zip(values) {
            x64!(asm ; mov Rq(register), QWORD value as i64);
        }
        x64!(asm ; sti ; ->round:);
        code.iter().for_each(|&step| emit(asm, step));
        x64!(asm ; inc DWORD [->rounds] ; cmp DWORD [->rounds], 20 ; jb ->round ; cli);
        dump(asm);
        program::exit(asm, 0);
        // It wrecks every register, and every flag.
        interrupts::handler(asm, "tick", label, TIMER_VECTOR, |asm| {
            for register in REGISTERS.into_iter().filter(|&register| register != 5) {
                x64!(asm ; xor Rd(register), Rd(register));
            }
            apic::end_of_interrupt(asm);
        });
    })
}

/// Prints the flags and all registers.
fn dump(asm: &mut Asm) {
    for (slot, &register) in REGISTERS.iter().enumerate() {
        x64!(asm ; mov [->dump + 8 * slot as isize], Rq(register));
    }
    x64!(asm ; seto [->dump + 120] ; lahf ; mov [->dump + 128], ah ; cld);
    for slot in 0..17 {
        x64!(asm ; mov rax, [->dump + 8 * slot as isize]);
        console::hexadecimal(asm, 16);
        console::text(asm, "\n");
    }
}

/// What the guest prints, and how many ticks it took.
fn run<V: Vcpu<Cpu = Box<dyn Cpu>> + Default>(image: &Image, host_tick: u64) -> (Vec<u8>, u64) {
    let mut machine = Machine::<V>::new(&image.elf());
    let ticks = machine.count(|event| matches!(event, Event::Inject(_)));
    let ending = machine.run(host_tick, 5_000_000);
    assert_eq!(ending, Ending::Exited(0));
    let ticks = *ticks.lock().unwrap();
    (machine.console(), ticks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn registers_survive_any_number_of_interruptions_at_any_instruction(
        values in prop::collection::vec(any::<u64>(), REGISTERS.len()),
        code in prop::collection::vec(step(), 50..150),
        tick in 90_u32..400,
        host_tick in 1_u64..5_000,
    ) {
        let (undisturbed, none) = run::<v2::VirtualCpu>(&guest(&values, &code, NEVER), 1 << 40);
        prop_assert_eq!(none, 0);
        let image = guest(&values, &code, tick);
        for (console, ticks) in [
            run::<v2::VirtualCpu>(&image, host_tick),
            run::<v3::VirtualCpu>(&image, host_tick),
        ] {
            prop_assert!(ticks >= 3, "only {ticks} ticks");
            prop_assert_eq!(
                String::from_utf8_lossy(&console),
                String::from_utf8_lossy(&undisturbed)
            );
        }
    }

    /// The same for user code, which looks after its registers itself.
    #[test]
    fn user_threads_do_what_their_models_say_under_any_ticks(
        seed in any::<u64>(),
        tick in 700_u32..30_000,
        host_tick in 1_u64..5_000,
    ) {
        for guest in ["user", "segments"] {
            let guest = guests::v3::guest(guest).unwrap();
            let mut image = guest.build(seed);
            apic::set_tick_length(&mut image, tick);
            let (console, ticks) = run::<v3::VirtualCpu>(&image, host_tick);
            prop_assert!(ticks > 0);
            prop_assert_eq!(console, guest.expected(seed).console);
        }
    }

    #[test]
    fn critical_sections_hold_under_any_ticks(
        seed in any::<u64>(),
        tick in 300_u32..30_000,
        host_tick in 1_u64..5_000,
    ) {
        for guest in ["ticks", "idle", "idle-one-shot"] {
            let guest = guests::v2::guest(guest).unwrap();
            let mut image = guest.build(seed);
            apic::set_tick_length(&mut image, tick);
            let (console, _) = run::<v2::VirtualCpu>(&image, host_tick);
            prop_assert_eq!(console, guest.expected(seed).console);
        }
    }
}
