//! Between two exits there is one request to KVM and nothing else: no memory is
//! allocated, and no other request is made.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code)] // a global allocator and the C library's `ioctl`, to count

mod support;

use common::Vcpu as _;
use common::{Exit, Time};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_int, c_long, c_ulong, c_void};
use support::{Bare, can_run};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, as all do here.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Stands before the C library's function of this name: every request of this
/// program comes here, and is counted. It has the name's whole contract, as Rust
/// cannot say "and perhaps one more argument": on x86-64 there is always one.
#[unsafe(no_mangle)]
extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    REQUESTS.set(REQUESTS.get() + 1);
    // SAFETY: the caller keeps to the contract of the request.
    let result: c_long = unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) };
    result as c_int
}

/// How much was allocated and requested in so many exits, each of which `handle`
/// answers.
fn cost(guest: &mut Bare, exits: u64, mut handle: impl FnMut(&mut Bare, Exit)) -> (u64, u64) {
    let mut turn = |guest: &mut Bare| {
        let exit = guest.vcpu.run(&mut guest.pcpu, Time(1 << 40));
        handle(guest, exit);
    };
    // The first time, the thread and the timer are prepared.
    (0..3).for_each(|_| turn(guest));
    let before = (ALLOCATIONS.get(), REQUESTS.get());
    (0..exits).for_each(|_| turn(guest));
    (ALLOCATIONS.get() - before.0, REQUESTS.get() - before.1)
}

#[test]
fn the_counters_count() {
    let before = (ALLOCATIONS.get(), REQUESTS.get());
    drop(std::hint::black_box(vec![1_u8; 100]));
    // SAFETY: no such file is open, so nothing is done.
    unsafe { libc::ioctl(-1, 0, 0) };
    assert_eq!(ALLOCATIONS.get() - before.0, 1);
    assert_eq!(REQUESTS.get() - before.1, 1);
}

#[test]
fn a_write_to_a_port_costs_one_request_and_no_memory() {
    if can_run(1) {
        // out 0x70, al; jmp
        let mut guest = Bare::new(&[0xe6, 0x70, 0xeb, 0xfc]);
        let is_write = |_: &mut Bare, exit| assert!(matches!(exit, Exit::PortOut { .. }));
        assert_eq!(cost(&mut guest, 100, is_write), (0, 100));
    }
}

#[test]
fn a_read_from_a_port_and_its_answer_cost_one_request_and_no_memory() {
    if can_run(1) {
        // in al, 0x70; jmp
        let mut guest = Bare::new(&[0xe4, 0x70, 0xeb, 0xfc]);
        let answer = |guest: &mut Bare, exit| {
            assert!(matches!(exit, Exit::PortIn { .. }));
            guest.vcpu.complete(&mut guest.pcpu, 7);
        };
        assert_eq!(cost(&mut guest, 100, answer), (0, 100));
    }
}

#[test]
fn the_items_of_a_string_cost_less_than_a_request_each_and_no_memory() {
    if can_run(1) {
        // mov edi, 0x200000; mov ecx, 100; rep insb; jmp
        let code = [
            0xbf, 0, 0, 0x20, 0, 0xb9, 100, 0, 0, 0, 0xf3, 0x6c, 0xeb, 0xf2,
        ];
        let mut guest = Bare::new(&code);
        let answer = |guest: &mut Bare, exit| {
            assert!(matches!(exit, Exit::PortIn { .. }), "{exit:?}");
            guest.vcpu.complete(&mut guest.pcpu, 7);
        };
        let (allocated, requests) = cost(&mut guest, 200, answer);
        assert_eq!(allocated, 0);
        assert!(requests < 200, "{requests} requests");
    }
}

#[test]
fn a_halt_costs_one_request_and_no_memory() {
    if can_run(1) {
        // hlt; jmp
        let mut guest = Bare::new(&[0xf4, 0xeb, 0xfd]);
        let is_halt = |_: &mut Bare, exit| assert_eq!(exit, Exit::Halted);
        assert_eq!(cost(&mut guest, 100, is_halt), (0, 100));
    }
}

#[test]
fn a_window_costs_one_request_and_no_memory() {
    if !can_run(1) {
        return;
    }
    // sti; nop; cli; out 0x70, al; jmp
    let mut guest = Bare::new(&[0xfb, 0x90, 0xfa, 0xe6, 0x70, 0xeb, 0xf9]);
    if guest.vcpu.machine().notices_windows_late() {
        let reason = "this kvm notices windows late: there the guest is led to them in steps";
        support::skip(reason, false);
        return;
    }
    guest.vcpu.want_window(true);
    let again = |guest: &mut Bare, exit| match exit {
        Exit::WindowOpen => {}
        Exit::PortOut { .. } => guest.vcpu.want_window(true),
        exit => panic!("{exit:?}"),
    };
    assert_eq!(cost(&mut guest, 100, again), (0, 100));
}
