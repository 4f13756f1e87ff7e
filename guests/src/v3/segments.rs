//! `segments`: a user thread with data of its own behind FS and GS.
//!
//! The bases of FS and GS are what is left of segmentation in 64-bit mode. User
//! code keeps its thread's data behind FS; GS it shares with the kernel, which
//! has its own base and exchanges the two with `swapgs` on every way in and out.
//! The thread here has the bases changed by system calls, and looks through both
//! whether it finds what belongs there, after system calls and after ticks.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::paging::PAGE;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v3::kernel;
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "segments",
    about: "runs a user thread with data behind FS and GS, whose bases the kernel sets",
    vcpus: 1,
    build,
    expected,
};

/// Where in user memory the blocks are that the bases may point to, and their
/// size in bytes. Each holds its own number, counted from 1, in its first word.
const BLOCKS: usize = 8;
const BLOCK: usize = 64;

/// The blocks that FS and GS point to in each round.
fn rounds(seed: u64) -> Vec<(u64, u64)> {
    let mut random = Random::new(seed);
    let rounds = random.between(5, 10);
    let mut block = || random.between(0, BLOCKS as u64);
    (0..rounds).map(|_| (block(), block())).collect()
}

fn build(seed: u64) -> Image {
    kernel::build(
        |asm| console::text(asm, BEGIN),
        |asm, text| thread(asm, text, seed),
        |asm, ()| {
            x64!(asm ; ->user_exit:);
            kernel::end_with_user(asm);
        },
    )
}

const BEGIN: &str = "kernel: starting the user thread\n";

fn thread(asm: &mut Asm, text: &mut UserText, seed: u64) {
    const _: () = assert!(BLOCKS * BLOCK <= PAGE);
    for block in 0..BLOCKS {
        x64!(asm ; mov DWORD [->user_memory + (block * BLOCK) as isize], block as i32 + 1);
    }
    for (fs, gs) in rounds(seed) {
        x64!(asm
            ; lea rdi, [->user_memory + (fs as usize * BLOCK) as isize]
            ; lea rsi, [->user_memory + (gs as usize * BLOCK) as isize]
            ; mov eax, kernel::SET_BASES as i32
            ; syscall
        );
        check(asm, fs, gs);
        kernel::await_tick(asm);
        check(asm, fs, gs);
        text.print(asm, &line(fs, gs));
    }
    kernel::exit_thread(asm, 0);
    x64!(asm ; ->lost:);
    text.print(asm, "user: FS or GS points elsewhere\n");
    kernel::exit_thread(asm, 1);
}

/// Looks through FS and GS.
fn check(asm: &mut Asm, fs: u64, gs: u64) {
    x64!(asm
        ; fs mov rax, [0]
        ; cmp rax, fs as i32 + 1
        ; jne ->lost
        ; gs mov rax, [0]
        ; cmp rax, gs as i32 + 1
        ; jne ->lost
    );
}

fn line(fs: u64, gs: u64) -> String {
    format!("user: block {} behind FS, {} behind GS\n", fs + 1, gs + 1)
}

fn expected(seed: u64) -> Expected {
    let lines = rounds(seed).into_iter().map(|(fs, gs)| line(fs, gs));
    Expected::exit(BEGIN.to_string() + &lines.collect::<String>(), 0)
}
