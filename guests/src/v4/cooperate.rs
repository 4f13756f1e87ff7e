//! `cooperate`: threads that share work, and the CPU, of their own will.
//!
//! There is an array of numbers. Each thread adds up its share of them, every
//! so many-th, and lets another thread run after each addition. What it has so
//! far it keeps in a register, so that every switch is a chance to lose it.
//! Then the threads report, in the order of their numbers. There are no ticks:
//! whoever is not asked, runs on.

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::console;
use crate::image::Image;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v4::kernel::{self, Kernel};
use crate::v4::{CAPACITY, Guest, Threads};
use crate::x64;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "cooperate",
    about: "runs threads that share a sum and yield after every addition",
    build,
    expected,
};

/// Where in the shared page things are: whose turn it is to report, the total,
/// the numbers.
const TURN: i32 = 0;
const TOTAL: i32 = 8;
const NUMBERS: i32 = 16;

/// Registers that a system call keeps: each thread has its sum in one of them,
/// and something else in all others, for other threads to find there if a switch
/// does not keep them apart.
const SUM: [u8; 8] = [3, 5, 12, 13, 14, 15, 9, 10];

struct Parameters {
    threads: i32,
    numbers: Vec<i32>,
}

fn parameters(seed: u64) -> Parameters {
    let mut random = Random::new(seed);
    let threads = random.between(3, 9) as i32;
    let count = random.between(40, 100);
    let numbers = (0..count).map(|_| random.between(1, 1 << 24) as i32);
    Parameters {
        threads,
        numbers: numbers.collect(),
    }
}

impl Parameters {
    /// The numbers of one thread.
    fn share(&self, thread: i32) -> impl Iterator<Item = (usize, i32)> {
        let numbers = self.numbers.iter().copied().enumerate();
        numbers.skip(thread as usize).step_by(self.threads as usize)
    }

    fn sum(&self, thread: i32) -> i64 {
        self.share(thread)
            .map(|(_, number)| i64::from(number))
            .sum()
    }
}

fn build(threads: &Threads, seed: u64) -> Image {
    let parameters = parameters(seed);
    let kernel = Kernel {
        threads,
        ticks: false,
        limit: CAPACITY,
    };
    kernel.build(
        |asm, text| user(asm, text, &parameters),
        |asm| console::text(asm, OVER),
    )
}

const OVER: &str = "kernel: no thread is left\n";

fn user(asm: &mut Asm, text: &mut UserText, parameters: &Parameters) {
    for (index, &number) in parameters.numbers.iter().enumerate() {
        x64!(asm ; mov DWORD [->user_memory + (NUMBERS + 4 * index as i32) as isize], number);
    }
    let entries: Vec<_> = (0..parameters.threads).map(|_| asm.new_label()).collect();
    for (&entry, number) in entries.iter().zip(0..) {
        kernel::create(asm, entry, number);
    }
    kernel::await_turn(asm, TURN, parameters.threads);
    x64!(asm
        ; mov rax, QWORD parameters.numbers.iter().map(|&n| i64::from(n)).sum()
        ; cmp rax, [->user_memory + TOTAL as isize]
        ; jne >wrong
    );
    text.print(asm, RIGHT);
    kernel::exit(asm);
    x64!(asm ; wrong:);
    text.print(asm, "cooperate: the total is wrong\n");
    kernel::exit(asm);
    for (entry, number) in entries.into_iter().zip(0..) {
        x64!(asm ; =>entry);
        thread(asm, text, parameters, number);
    }
}

const RIGHT: &str = "cooperate: the total is right\n";

fn thread(asm: &mut Asm, text: &mut UserText, parameters: &Parameters, number: i32) {
    let sum = SUM[number as usize];
    for register in SUM {
        x64!(asm ; mov Rd(register), !number);
    }
    x64!(asm ; xor Rd(sum), Rd(sum));
    for (index, _) in parameters.share(number) {
        x64!(asm
            ; mov edx, [->user_memory + (NUMBERS + 4 * index as i32) as isize]
            ; add Rq(sum), rdx
        );
        kernel::yield_now(asm);
    }
    x64!(asm ; add [->user_memory + TOTAL as isize], Rq(sum));
    kernel::await_turn(asm, TURN, number);
    x64!(asm
        ; mov rdx, QWORD parameters.sum(number)
        ; cmp rdx, Rq(sum)
        ; jne >wrong
    );
    text.print(asm, &line(number, parameters.sum(number)));
    x64!(asm ; jmp >done ; wrong:);
    text.print(asm, &format!("cooperate: thread {number} is wrong\n"));
    x64!(asm ; done: ; inc DWORD [->user_memory + TURN as isize]);
    kernel::exit(asm);
}

fn line(thread: i32, sum: i64) -> String {
    format!("cooperate: thread {thread} has {sum}\n")
}

fn expected(seed: u64) -> Expected {
    let parameters = parameters(seed);
    let lines = (0..parameters.threads).map(|thread| line(thread, parameters.sum(thread)));
    let console = lines.collect::<String>() + RIGHT + OVER;
    Expected::exit(console, 0)
}
