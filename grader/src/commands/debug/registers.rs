//! What gdb calls the registers of an x86-64 CPU, and in which order it wants them.
//!
//! Those that the raw CPU does not have are unknown to gdb, too, and not zero: the
//! x87's, and the segment registers where no version emulates them.
//!
//! Source: GDB's manual, appendix G, "Target Descriptions", of i386 features.

use common::Gpr;
use evidence::session::RegisterSet;
use gdbstub::arch::{Arch, RegId, Registers};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

/// The architecture of all guests.
pub(super) enum X86_64 {}

impl Arch for X86_64 {
    type Usize = u64;
    type Registers = All;
    type BreakpointKind = usize;
    type RegId = Number;

    fn target_description_xml() -> Option<&'static str> {
        static DESCRIPTION: LazyLock<String> = LazyLock::new(description);
        Some(&DESCRIPTION)
    }
}

/// The general registers in gdb's order.
pub(super) const GENERAL: [Gpr; 16] = [
    Gpr::Rax,
    Gpr::Rbx,
    Gpr::Rcx,
    Gpr::Rdx,
    Gpr::Rsi,
    Gpr::Rdi,
    Gpr::Rbp,
    Gpr::Rsp,
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
];

const SEGMENTS: [&str; 6] = ["cs", "ss", "ds", "es", "fs", "gs"];

const X87: [&str; 8] = [
    "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop",
];

/// The flags of a virtual CPU, with the numbers of their bits.
const FLAGS: [(&str, u8); 9] = [
    ("CF", 0),
    ("", 1),
    ("PF", 2),
    ("AF", 4),
    ("ZF", 6),
    ("SF", 7),
    ("IF", 9),
    ("DF", 10),
    ("OF", 11),
];

/// A register by gdb's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A general one.
    General(Gpr),
    /// The address of the next instruction.
    Rip,
    /// The flags.
    Flags,
    /// A segment register, by its place among them.
    Segment(usize),
    /// One of the x87.
    X87,
    /// One of SSE's.
    Xmm(usize),
    /// Control and status of SSE arithmetic.
    Mxcsr,
    /// Base of the FS segment.
    FsBase,
    /// Base of the GS segment.
    GsBase,
}

impl RegId for Number {
    fn from_raw_id(id: usize) -> Option<(Number, Option<NonZeroUsize>)> {
        let (number, bytes) = match id {
            0..16 => (Number::General(GENERAL[id]), 8),
            16 => (Number::Rip, 8),
            17 => (Number::Flags, 4),
            18..24 => (Number::Segment(id - 18), 4),
            24..32 => (Number::X87, 10),
            32..40 => (Number::X87, 4),
            40..56 => (Number::Xmm(id - 40), 16),
            56 => (Number::Mxcsr, 4),
            57 => (Number::FsBase, 8),
            58 => (Number::GsBase, 8),
            _ => return None,
        };
        Some((number, NonZeroUsize::new(bytes)))
    }
}

/// How many registers gdb knows.
const COUNT: usize = 59;

/// All of them, as bytes in gdb's order; `None` where there is no such register.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct All {
    rip: u64,
    bytes: Vec<Option<u8>>,
}

impl All {
    /// What a vCPU holds. `state` are the names and values of the virtual state, as
    /// the version emulates it; it knows the interrupt flag and the selectors.
    pub(super) fn of(set: &RegisterSet, state: &[(String, String)]) -> All {
        let mut bytes = Vec::new();
        for id in 0..COUNT {
            let Some((number, Some(length))) = Number::from_raw_id(id) else {
                continue;
            };
            match value(number, set, state) {
                Some(value) => bytes.extend(
                    value.to_le_bytes()[..length.get()]
                        .iter()
                        .map(|byte| Some(*byte)),
                ),
                None => bytes.extend(std::iter::repeat_n(None, length.get())),
            }
        }
        All {
            rip: set.registers.rip,
            bytes,
        }
    }
}

/// What one register holds, if there is such a one.
pub(super) fn value(number: Number, set: &RegisterSet, state: &[(String, String)]) -> Option<u128> {
    Some(match number {
        Number::General(register) => set.registers.get(register).into(),
        Number::Rip => set.registers.rip.into(),
        Number::Flags => (set.registers.flags | item(state, "IF").unwrap_or(0) << 9).into(),
        Number::Segment(0) => item(state, "CS")?.into(),
        Number::Segment(1) => item(state, "SS")?.into(),
        Number::Segment(_) | Number::X87 => return None,
        Number::Xmm(number) => set.xmm[number],
        Number::Mxcsr => set.mxcsr.into(),
        Number::FsBase => set.fs_base.into(),
        Number::GsBase => set.gs_base.into(),
    })
}

/// A number among the virtual state.
fn item(state: &[(String, String)], name: &str) -> Option<u64> {
    let (_, value) = state.iter().find(|(known, _)| known == name)?;
    match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

impl Registers for All {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.rip
    }

    fn gdb_serialize(&self, write_byte: impl FnMut(Option<u8>)) {
        self.bytes.iter().copied().for_each(write_byte);
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.bytes = bytes.iter().copied().map(Some).collect();
        Ok(())
    }
}

/// The registers in gdb's own format.
fn description() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>\
         <architecture>i386:x86-64</architecture><osabi>none</osabi>\
         <feature name=\"org.gnu.gdb.i386.core\"><flags id=\"flags\" size=\"4\">",
    );
    // A String never refuses to grow.
    for (name, bit) in FLAGS {
        let _ = write!(
            text,
            "<field name=\"{name}\" start=\"{bit}\" end=\"{bit}\"/>"
        );
    }
    text += "</flags>";
    for register in GENERAL {
        let kind = match register {
            Gpr::Rsp | Gpr::Rbp => "data_ptr",
            _ => "int64",
        };
        text += &one(register.name(), 64, kind);
    }
    text += &one("rip", 64, "code_ptr");
    text += &one("eflags", 32, "flags");
    for name in SEGMENTS {
        text += &one(name, 32, "int32");
    }
    for number in 0..8 {
        text += &one(&format!("st{number}"), 80, "i387_ext");
    }
    for name in X87 {
        text += &one(name, 32, "int");
    }
    text += "</feature><feature name=\"org.gnu.gdb.i386.sse\">";
    for number in 0..16 {
        text += &one(&format!("xmm{number}"), 128, "uint128");
    }
    text += &one("mxcsr", 32, "int");
    text += "</feature><feature name=\"org.gnu.gdb.i386.segments\">";
    for name in ["fs_base", "gs_base"] {
        text += &one(name, 64, "int64");
    }
    text + "</feature></target>"
}

fn one(name: &str, bits: u32, kind: &str) -> String {
    format!("<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::RegisterFile;

    fn set() -> RegisterSet {
        RegisterSet {
            registers: RegisterFile {
                general: std::array::from_fn(|number| number as u64),
                rip: 0x1234,
                flags: 0x46,
            },
            fs_base: 0xf5,
            gs_base: 0x65,
            xmm: [7; 16],
            mxcsr: 0x1f80,
        }
    }

    #[test]
    fn every_register_of_the_description_has_a_number_and_its_size() {
        let description = description();
        let sizes = description.split("bitsize=\"").skip(1);
        let sizes: Vec<usize> = sizes
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(sizes.len(), COUNT);
        for (id, bits) in sizes.into_iter().enumerate() {
            let (_, bytes) = Number::from_raw_id(id).unwrap();
            assert_eq!(bytes.unwrap().get() * 8, bits, "register {id}");
        }
        assert!(Number::from_raw_id(COUNT).is_none());
    }

    #[test]
    fn the_general_registers_stand_in_gdbs_order_and_others_are_unknown() {
        let all = All::of(&set(), &[]);
        assert_eq!(all.bytes[8], Some(Gpr::Rbx as u8), "rbx is gdb's second");
        let segments = 16 * 8 + 8 + 4;
        assert_eq!(all.bytes[segments..segments + 24 + 80 + 32], [None; 136]);
        assert_eq!(all.bytes.len(), 0x218 + 16);
        assert_eq!(all.pc(), 0x1234);
    }

    #[test]
    fn the_virtual_interrupt_flag_and_selectors_are_among_the_registers() {
        let state = [("IF", "1"), ("CS", "0x10")];
        let state = state.map(|(name, value)| (name.to_string(), value.to_string()));
        assert_eq!(value(Number::Flags, &set(), &state), Some(0x246));
        assert_eq!(value(Number::Segment(0), &set(), &state), Some(0x10));
        assert_eq!(value(Number::Segment(1), &set(), &state), None);
    }
}
