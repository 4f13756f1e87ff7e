//! `permitted`: user code that does what it may, and one thing that it may not.
//!
//! Not all that touches the machine is the kernel's. User code may read its flags and
//! change most of them, look at its segments and load others of its own, and even
//! return from an interrupt that never came, to itself. What it cannot do in these ways
//! is open or close interrupts, or come to the kernel.
//!
//! By convention between this kernel and its user, R12 is where to go on after an
//! exception.

use crate::asm::{Asm, SegmentRegister};
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::GENERAL_PROTECTION;
use crate::kernel::interrupts::{self, Gate, KERNEL_CODE, frame};
use crate::kernel::segments::{USER_CODE, USER_DATA};
use crate::kernel::user;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v3::kernel;
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "permitted",
    about: "runs user code that reads and changes its own flags and segments",
    vcpus: 1,
    build,
    expected,
};

/// Something that user code does, with what it says if all is well. It goes to
/// `->wrong` if something is not.
struct Deed {
    says: &'static str,
    emit: fn(&mut Asm, flags: i32),
}

const DEEDS: [Deed; 5] = [
    Deed {
        says: "user: pushf shows that interrupts are open\n",
        emit: |asm, _| {
            read_flags(asm);
            x64!(asm ; test eax, INTERRUPT_FLAG ; jz ->wrong);
        },
    },
    Deed {
        says: "user: popf changes my flags, and interrupts stay open\n",
        emit: |asm, flags| {
            x64!(asm ; push flags | PRIVILEGE ; popf);
            expect_flags(asm, flags);
        },
    },
    Deed {
        says: "user: CS and SS are the segments of user code\n",
        emit: |asm, _| {
            expect_segment(asm, SegmentRegister::Ss, USER_DATA);
            asm.extend([0x8c, 0xc8]); // mov eax, cs
            x64!(asm ; cmp eax, i32::from(USER_CODE) ; jne ->wrong);
        },
    },
    Deed {
        says: "user: ES and FS hold what I have loaded\n",
        emit: |asm, _| {
            x64!(asm ; mov eax, i32::from(USER_DATA));
            asm.load_segment(SegmentRegister::Es);
            asm.load_segment(SegmentRegister::Fs);
            expect_segment(asm, SegmentRegister::Es, USER_DATA);
            expect_segment(asm, SegmentRegister::Fs, USER_DATA);
        },
    },
    Deed {
        says: "user: iretq takes me where I like, and interrupts stay open\n",
        emit: |asm, flags| {
            return_to(asm, USER_CODE, flags);
            expect_flags(asm, flags);
        },
    },
];

/// RFLAGS.IF.
const INTERRUPT_FLAG: i32 = 1 << 9;
/// RFLAGS.IOPL: who may use ports. Only a kernel can change it.
const PRIVILEGE: i32 = 3 << 12;
/// The arithmetic flags, and bit 1, which is always set.
const ARITHMETIC: u64 = 0x8d5;
const ALWAYS_SET: i32 = 2;

fn build(seed: u64) -> Image {
    kernel::build(
        |asm| {
            let protection = asm.new_label();
            interrupts::gate(asm, GENERAL_PROTECTION, Gate::Interrupt, protection);
            protection
        },
        |asm, text| thread(asm, text, seed),
        |asm, protection| {
            user::handler(asm, "vector_13", protection, GENERAL_PROTECTION, report);
            x64!(asm ; ->user_exit:);
            kernel::end_with_user(asm);
        },
    )
}

fn thread(asm: &mut Asm, text: &mut UserText, seed: u64) {
    let mut random = Random::new(seed);
    for deed in &DEEDS {
        let flags = (random.next() & ARITHMETIC) as i32 | ALWAYS_SET;
        x64!(asm ; lea r12, [->wrong]);
        (deed.emit)(asm, flags);
        text.print(asm, deed.says);
    }
    x64!(asm ; lea r12, [>refused]);
    return_to(asm, KERNEL_CODE, ALWAYS_SET);
    x64!(asm ; ->wrong:);
    text.print(asm, "user: that is not what it should be\n");
    kernel::exit_thread(asm, 1);
    x64!(asm ; refused:);
    kernel::exit_thread(asm, 0);
}

/// EAX: the flags.
fn read_flags(asm: &mut Asm) {
    x64!(asm ; pushf ; pop rax);
}

/// The flags must be these, with interrupts open.
fn expect_flags(asm: &mut Asm, flags: i32) {
    read_flags(asm);
    x64!(asm ; cmp eax, flags | INTERRUPT_FLAG ; jne ->wrong);
}

fn expect_segment(asm: &mut Asm, register: SegmentRegister, selector: u16) {
    asm.store_segment(register);
    x64!(asm ; cmp eax, i32::from(selector) ; jne ->wrong);
}

/// Returns to the next instruction, in the segment `code` with these flags.
fn return_to(asm: &mut Asm, code: u16, flags: i32) {
    x64!(asm
        ; mov rax, rsp
        ; push i32::from(USER_DATA)
        ; push rax
        ; push flags
        ; push i32::from(code)
        ; lea rax, [>next]
        ; push rax
        ; iretq
        ; next:
    );
}

/// The kernel says what it was told, and lets the thread go on at R12. From user mode
/// a handler starts without a stack segment: SS is 0.
fn report(asm: &mut Asm) {
    asm.store_segment(SegmentRegister::Ss);
    x64!(asm ; mov rbx, rax);
    console::text(asm, "kernel: #GP, error code ");
    x64!(asm ; mov rax, [rbp + frame::ERROR_CODE]);
    console::hexadecimal(asm, 4);
    console::text(asm, ", my SS is ");
    x64!(asm ; mov rax, rbx);
    console::hexadecimal(asm, 4);
    console::text(asm, "\n");
    x64!(asm
        ; mov rax, [rbp + frame::R12]
        ; mov [rbp + frame::RIP], rax
    );
}

fn expected(_seed: u64) -> Expected {
    let deeds: String = DEEDS.iter().map(|deed| deed.says).collect();
    let refused = format!("kernel: #GP, error code {KERNEL_CODE:#06x}, my SS is 0x0000\n");
    Expected::exit(deeds + &refused, 0)
}
