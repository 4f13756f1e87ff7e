//! `sleepers`: threads that sleep, each for a time of its own.
//!
//! All of them first agree on a tick to count from. They wake in the order of
//! their times and not in that of their numbers, and none too early. Most of the
//! time nobody is ready, and the kernel sleeps, too.

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::image::Image;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v4::kernel::{self, Kernel};
use crate::v4::{CAPACITY, Guest, Threads};
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "sleepers",
    about: "runs threads that sleep for different times and wake in their order",
    build,
    expected,
};

/// Where in the shared page the tick is that all count from.
const START: i32 = 0;
/// Ticks between two wakings: enough to print a line in.
const APART: i32 = 20;
/// Ticks before the first waking: enough to make all threads in.
const HEAD_START: i32 = 50;
/// How often each thread sleeps.
const NAPS: i32 = 2;

/// The threads in the order in which they wake. In the second round the order is
/// the same.
fn order(seed: u64) -> Vec<i32> {
    let mut random = Random::new(seed);
    let mut threads: Vec<i32> = (0..random.between(3, 8) as i32).collect();
    for place in (1..threads.len()).rev() {
        threads.swap(place, random.between(0, place as u64 + 1) as usize);
    }
    threads
}

fn build(threads: &Threads, seed: u64) -> Image {
    let kernel = Kernel {
        threads,
        ticks: true,
        limit: CAPACITY,
    };
    kernel.build(
        |asm, text| user(asm, text, &order(seed)),
        |asm| console::text(asm, OVER),
    )
}

const OVER: &str = "kernel: no thread is left\n";

fn user(asm: &mut Asm, text: &mut UserText, order: &[i32]) {
    let entries: Vec<_> = order.iter().map(|_| asm.new_label()).collect();
    kernel::ticks(asm);
    x64!(asm
        ; add eax, HEAD_START
        ; mov [->user_memory + START as isize], rax
    );
    for (&entry, number) in entries.iter().zip(0..) {
        kernel::create(asm, entry, number);
    }
    kernel::exit(asm);
    for (entry, number) in entries.into_iter().zip(0..) {
        x64!(asm ; =>entry);
        thread(asm, text, order, number);
    }
}

fn thread(asm: &mut Asm, text: &mut UserText, order: &[i32], number: i32) {
    let place = order.iter().position(|&other| other == number);
    let place = place.expect("every thread has a place in the order") as i32;
    for nap in 0..NAPS {
        let wake = APART * (place + nap * order.len() as i32);
        x64!(asm
            ; mov rdi, [->user_memory + START as isize]
            ; add rdi, wake
            ; mov rbx, rdi
        );
        kernel::sleep_until(asm);
        kernel::ticks(asm);
        x64!(asm ; cmp rax, rbx ; jb >early);
        text.print(asm, &line(number, nap));
        x64!(asm ; jmp >go_on ; early:);
        text.print(asm, "sleepers: too early\n");
        x64!(asm ; go_on:);
    }
    kernel::exit(asm);
}

fn line(thread: i32, nap: i32) -> String {
    format!("sleepers: thread {thread} woke from nap {}\n", nap + 1)
}

fn expected(seed: u64) -> Expected {
    let order = order(seed);
    let nap = |nap| order.iter().map(move |&thread| line(thread, nap));
    let lines: String = (0..NAPS).flat_map(nap).collect();
    Expected::exit(lines + OVER, 0)
}
