//! Nothing is allocated on the way of a trap: from the moment when the raw CPU
//! comes back to the next entry the VMM works with the memory that it has,
//! whatever the guest does and however many threads it makes. (The software CPU
//! itself allocates where it decodes new code; that is its cache, and is not
//! counted.)
#![allow(unsafe_code)] // a global allocator is `unsafe` by its signature

#[path = "../../v3-user-thread/tests/machine/mod.rs"]
mod machine;

use common::trace::Event;
use common::{Context, Cpu, Ending, Interp, Kick, Time, Trap, Vcpu};
use guests::image::Image;
use guests::kernel::apic;
use machine::Machine;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts what this thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static IN_THE_CPU: Cell<bool> = const { Cell::new(false) };
}

fn count_one() {
    if !IN_THE_CPU.get() {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    }
}

/// The software CPU, with what it does by itself not counted.
struct Uncounted(Interp);

impl Cpu for Uncounted {
    fn context(&mut self) -> &mut Context {
        self.0.context()
    }

    fn enter(&mut self, now: Time, budget: u64, kick: &Kick) -> (Trap, u64) {
        IN_THE_CPU.set(true);
        let trap = self.0.enter(now, budget, kick);
        IN_THE_CPU.set(false);
        trap
    }

    fn complete(&mut self, value: u64) {
        self.0.complete(value);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, as all do here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: the pointer came from `System`, as all do here.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations there are between two moments of a guest's life, and how
/// many traps.
fn allocations<V: Vcpu<Cpu = Box<dyn Cpu>> + Default>(
    mut image: Image,
    tick: u32,
    moments: [u64; 2],
) -> (u64, u64) {
    apic::set_tick_length(&mut image, tick);
    let on_interp = |memory| Box::new(Uncounted(Interp::new(memory))) as Box<dyn Cpu>;
    let mut machine = Machine::<V>::on(&image.elf(), on_interp);
    assert_eq!(machine.run(1 << 40, moments[0]), Ending::OutOfTime);
    let traps = machine.count(|event| matches!(event, Event::Trap { .. }));
    let before = ALLOCATIONS.get();
    assert_eq!(machine.run(10_000, moments[1]), Ending::OutOfTime);
    let allocated = ALLOCATIONS.get() - before;
    let traps = *traps.lock().unwrap();
    (allocated, traps)
}

/// Passes if there were traps, and nothing was allocated.
fn allocates_nothing((allocated, traps): (u64, u64)) {
    assert!(traps > 100, "{traps} traps");
    assert_eq!(allocated, 0);
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn ticks_allocate_nothing() {
    let image = guests::v2::guest("ticks").unwrap().build(1);
    allocates_nothing(allocations::<v2::VirtualCpu>(
        image,
        2_000,
        [30_000, 75_000],
    ));
}

/// The thread waits for its first tick by asking for it, again and again.
#[test]
fn system_calls_allocate_nothing() {
    let image = guests::v3::guest("user").unwrap().build(1);
    let never = 1 << 30;
    allocates_nothing(allocations::<v3::VirtualCpu>(
        image,
        never,
        [100_000, 1_000_000],
    ));
}

#[test]
fn what_user_code_must_not_do_allocates_nothing() {
    let image = guests::v3::guest("intruder").unwrap().build(1);
    let never = 1 << 30;
    allocates_nothing(allocations::<v3::VirtualCpu>(
        image,
        never,
        [10_000, 18_000],
    ));
}

#[test]
fn threads_and_switches_between_them_allocate_nothing() {
    for (name, moments) in [
        ("preempt", [150_000, 300_000]),
        ("fork-bomb", [7_000, 10_500]),
    ] {
        let image = guests::v4::guest(name).unwrap().build(&v4::THREADS, 1);
        allocates_nothing(allocations::<v4::VirtualCpu>(image, 1_000, moments));
    }
}
