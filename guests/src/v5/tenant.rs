//! `tenant`: fills its house with things of its own, and looks after a while
//! whether all of them are still there.
//!
//! It fills some hundred KiB of its memory with a pattern, chooses the period,
//! the divider and the mode of its timer, and leaves a byte in its serial port.
//! Then it lives through many ticks of that timer. At the end it compares all
//! of it. Run it beside another of another seed: if the two share memory or a
//! device by mistake, at least one of them finds what it has not left there.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TIMER_VECTOR, Timer, register};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::{self, Random};
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "tenant",
    about: "fills its memory and its devices' registers, and finds all of it after many ticks",
    vcpus: 1,
    build,
    expected,
};

/// What the seed decides.
struct Parameters {
    /// Size of the filled memory in KiB.
    kib: i32,
    /// Where the generator of the pattern starts; not 0.
    start: u64,
    ticks: i32,
    /// The timer's initial count: long enough for QEMU.
    period: u32,
    /// The timer's divide configuration: by 1, 2 or 4.
    divide: u8,
    /// What stands in the serial port's scratch register.
    scratch: u8,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            kib: random.between(200, 400) as i32,
            start: random.next() | 1,
            ticks: random.between(20, 40) as i32,
            period: random.between(20_000, 40_000) as u32,
            divide: [0b1011, 0b0000, 0b0001][random.between(0, 3) as usize],
            scratch: random.next() as u8,
        }
    }

    /// The filled memory in words of eight bytes.
    fn words(&self) -> i32 {
        self.kib * 1024 / 8
    }
}

fn build(seed: u64) -> Image {
    let parameters = Parameters::new(seed);
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.words("ticks", &[0]);
        asm.zeroed("area", 4096, 8 * parameters.words() as usize);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        move_in(asm, &parameters);
        x64!(asm
            ; sti
            ; live:
            ; cmp DWORD [->ticks], parameters.ticks
            ; jb <live
            ; cli
        );
        report_memory(asm, &parameters);
        report_devices(asm);
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| {
            x64!(asm ; inc DWORD [->ticks]);
            apic::end_of_interrupt(asm);
        });
    })
}

/// Sets up the devices, starts the timer, and fills the memory.
fn move_in(asm: &mut Asm, parameters: &Parameters) {
    apic::enable(asm, Timer::Periodic, parameters.period);
    apic::write(asm, register::DIVIDE, parameters.divide.into());
    x64!(asm
        ; mov edx, console::SCRATCH as i32
        ; mov al, parameters.scratch as i8
        ; out dx, al
    );
    apic::start_timer(asm);
    for_each_word(asm, parameters, |asm| x64!(asm ; mov [rdi], rax));
}

/// Emits a loop over the filled memory: RDI is the address of a word, RAX what
/// it should hold. `body` must keep both, and RCX.
fn for_each_word(asm: &mut Asm, parameters: &Parameters, body: impl FnOnce(&mut Asm)) {
    x64!(asm
        ; lea rdi, [->area]
        ; mov rax, QWORD parameters.start as i64
        ; mov ecx, parameters.words()
        ; word:
    );
    random::advance(asm);
    body(asm);
    x64!(asm
        ; add rdi, 8
        ; dec ecx
        ; jnz <word
    );
}

/// Counts the words that differ.
fn report_memory(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm ; xor ebx, ebx);
    for_each_word(asm, parameters, |asm| {
        x64!(asm
            ; cmp [rdi], rax
            ; je >same
            ; inc ebx
            ; same:
        );
    });
    console::text(asm, &format!("tenant: {} KiB, ", parameters.kib));
    x64!(asm ; mov eax, ebx);
    console::decimal(asm);
    console::text(asm, CHANGED);
}

const CHANGED: &str = " words of them changed\n";

/// Prints what the devices hold.
fn report_devices(asm: &mut Asm) {
    let registers = [
        ("period ", register::INITIAL_COUNT),
        (", divider ", register::DIVIDE),
        (", mode ", register::TIMER),
    ];
    console::text(asm, "tenant: timer with ");
    for (name, register) in registers {
        console::text(asm, name);
        apic::read(asm, register);
        console::hexadecimal(asm, 5);
    }
    console::text(asm, "; scratch register ");
    x64!(asm
        ; mov edx, console::SCRATCH as i32
        ; in al, dx
    );
    console::hexadecimal(asm, 2);
    console::text(asm, "\n");
}

fn expected(seed: u64) -> Expected {
    let Parameters {
        kib,
        period,
        divide,
        scratch,
        ..
    } = Parameters::new(seed);
    /// Periodic, vector 32.
    const MODE: u32 = 0x2_0020;
    Expected::exit(
        format!(
            "tenant: {kib} KiB, 0{CHANGED}\
             tenant: timer with period {period:#07x}, divider {divide:#07x}, mode {MODE:#07x}; \
             scratch register {scratch:#04x}\n"
        ),
        0,
    )
}
