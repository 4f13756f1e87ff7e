//! What a sequence starts from and what it leaves behind, and where both lie.

use common::{Gpr, PAGE_SIZE, flags};
use std::fmt::Write;

/// The pages that host and guest share by address, from the code on.
pub const CODE_PAGES: u64 = 2;
pub const DATA_PAGES: u64 = 3;
pub const STACK_PAGES: u64 = 2;

/// Bytes of data and stack, which lie behind each other.
pub const SCRATCH: usize = ((DATA_PAGES + STACK_PAGES) * PAGE_SIZE) as usize;

/// The addresses of one test. They are below 2 GiB, so that absolute and
/// 32-bit addresses reach them.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Where the code is.
    pub code: u64,
}

impl Layout {
    /// Where the data is, followed at once by the stack.
    pub fn data(self) -> u64 {
        self.code + CODE_PAGES * PAGE_SIZE
    }

    /// RSP at the start: the middle of the stack.
    pub fn stack(self) -> u64 {
        self.data() + DATA_PAGES * PAGE_SIZE + STACK_PAGES * PAGE_SIZE / 2
    }
}

/// Everything an instruction of the user's can see or change.
#[derive(Clone, PartialEq)]
pub struct State {
    pub registers: [u64; 16],
    pub flags: u64,
    pub xmm: [u128; 16],
    pub mxcsr: u32,
    /// The data and the stack.
    pub scratch: Vec<u8>,
}

impl State {
    /// A state made from a seed: half the values random, half edges.
    pub fn random(seed: u64, layout: Layout) -> State {
        let mut next = generator(seed);
        let words: Vec<u64> = (0..SCRATCH / 8).map(|_| next()).collect();
        let mut dice = super::dice::Dice::new(&words);
        let mut registers = [(); 16].map(|()| dice.value());
        registers[Gpr::Rsp as usize] = layout.stack();
        State {
            registers,
            flags: dice.word() & flags::USER | flags::ALWAYS,
            xmm: [(); 16].map(|()| u128::from(dice.value()) << 64 | u128::from(dice.value())),
            mxcsr: 0x1f80,
            scratch: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    /// The first thing in which two states differ, in words; flags in
    /// `undefined` do not count.
    pub fn difference(native: &State, guest: &State, undefined: u64, at: Layout) -> Option<String> {
        let mut found = String::new();
        for register in Gpr::ALL {
            let (want, have) = (
                native.registers[register as usize],
                guest.registers[register as usize],
            );
            if want != have {
                let _ = writeln!(
                    found,
                    "{}: {want:#018x} natively, {have:#018x} on interp",
                    register.name()
                );
            }
        }
        let differing = (native.flags ^ guest.flags) & !undefined;
        if differing != 0 {
            let _ = writeln!(
                found,
                "flags: {} natively, {} on interp; they differ in {}",
                name_flags(native.flags),
                name_flags(guest.flags),
                name_flags(differing)
            );
        }
        for (index, (want, have)) in native.xmm.iter().zip(&guest.xmm).enumerate() {
            if want != have {
                let _ = writeln!(
                    found,
                    "xmm{index}: {want:#034x} natively, {have:#034x} on interp"
                );
            }
        }
        if native.mxcsr != guest.mxcsr {
            let _ = writeln!(
                found,
                "mxcsr: {:#x} natively, {:#x} on interp",
                native.mxcsr, guest.mxcsr
            );
        }
        let mut bytes = native.scratch.iter().zip(&guest.scratch).enumerate();
        if let Some((offset, (want, have))) = bytes.find(|(_, (want, have))| want != have) {
            let address = at.data() + offset as u64;
            let _ = writeln!(
                found,
                "memory at {address:#x}: {want:#04x} natively, {have:#04x} on interp"
            );
        }
        (!found.is_empty()).then_some(found)
    }
}

/// An endless row of numbers from a seed (splitmix64).
fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// Flags for people: `CF ZF`.
pub fn name_flags(value: u64) -> String {
    const NAMES: [(u64, &str); 7] = [
        (flags::CF, "CF"),
        (flags::PF, "PF"),
        (flags::AF, "AF"),
        (flags::ZF, "ZF"),
        (flags::SF, "SF"),
        (flags::DF, "DF"),
        (flags::OF, "OF"),
    ];
    let set = NAMES.iter().filter(|(bit, _)| value & bit != 0);
    let names: Vec<_> = set.map(|(_, name)| *name).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}
