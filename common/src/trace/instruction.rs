//! System instructions in words.

use crate::{Gpr, Operand, Segment, Size, SystemInstruction};
use std::fmt::{Display, Formatter, Result};

impl Display for SystemInstruction {
    /// As assembly text, with the operands' values in place of their names.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        use SystemInstruction as I;
        match *self {
            I::In { port, size } => write!(f, "in {}, {port:#x}", accumulator(size)),
            I::Out { port, size } => write!(f, "out {port:#x}, {}", accumulator(size)),
            I::Ins {
                port,
                size,
                address,
                repeat,
            } => {
                write!(
                    f,
                    "{}ins{} [{address:#x}], {port:#x}",
                    rep(repeat),
                    suffix(size)
                )
            }
            I::Outs {
                port,
                size,
                address,
                repeat,
            } => {
                write!(
                    f,
                    "{}outs{} {port:#x}, [{address:#x}]",
                    rep(repeat),
                    suffix(size)
                )
            }
            I::Hlt => f.write_str("hlt"),
            I::Cli => f.write_str("cli"),
            I::Sti => f.write_str("sti"),
            I::Pushf { size } => write!(f, "pushf{}", stack_suffix(size)),
            I::Popf { size } => write!(f, "popf{}", stack_suffix(size)),
            I::Int { vector } => write!(f, "int {vector:#x}"),
            I::Iret { size } => write!(f, "iret{}", stack_suffix(size)),
            I::Lidt { limit, base } => write!(f, "lidt base {base:#x}, limit {limit:#x}"),
            I::Lgdt { limit, base } => write!(f, "lgdt base {base:#x}, limit {limit:#x}"),
            I::Sidt { address } => write!(f, "sidt [{address:#x}]"),
            I::Sgdt { address } => write!(f, "sgdt [{address:#x}]"),
            I::Lldt { selector } => write!(f, "lldt {selector:#x}"),
            I::Ltr { selector } => write!(f, "ltr {selector:#x}"),
            I::Sldt { destination } => write!(f, "sldt {destination}"),
            I::Str { destination } => write!(f, "str {destination}"),
            I::Smsw { destination } => write!(f, "smsw {destination}"),
            I::Lmsw { value } => write!(f, "lmsw {value:#x}"),
            I::Clts => f.write_str("clts"),
            I::LoadSegment { segment, selector } => write!(f, "mov {segment}, {selector:#x}"),
            I::StoreSegment {
                segment,
                destination,
            } => write!(f, "mov {destination}, {segment}"),
            I::ReadControl {
                control,
                destination,
            } => {
                write!(f, "mov {}, cr{control}", destination.name())
            }
            I::WriteControl { control, value } => write!(f, "mov cr{control}, {value:#x}"),
            I::ReadDebug { debug, destination } => {
                write!(f, "mov {}, dr{debug}", destination.name())
            }
            I::WriteDebug { debug, value } => write!(f, "mov dr{debug}, {value:#x}"),
            I::Invlpg { address } => write!(f, "invlpg [{address:#x}]"),
            I::Rdmsr => f.write_str("rdmsr"),
            I::Wrmsr => f.write_str("wrmsr"),
            I::Swapgs => f.write_str("swapgs"),
            I::Syscall => f.write_str("syscall"),
            I::Sysret { size } => write!(f, "sysret{}", stack_suffix(size)),
            I::Other => f.write_str("a system instruction"),
        }
    }
}

fn rep(repeat: bool) -> &'static str {
    if repeat { "rep " } else { "" }
}

/// The register of port access.
fn accumulator(size: Size) -> &'static str {
    ["al", "ax", "eax", "rax"][size as usize]
}

fn suffix(size: Size) -> &'static str {
    ["b", "w", "d", "q"][size as usize]
}

/// The suffix of what pushes and pops: nothing for a word.
fn stack_suffix(size: Size) -> &'static str {
    ["", "", "d", "q"][size as usize]
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Operand::Memory(address) => write!(f, "word [{address:#x}]"),
            Operand::Register(register, size) => f.write_str(&sized_name(register, size)),
        }
    }
}

/// The name of the low `size` of a register, such as `eax` or `r8w`.
fn sized_name(register: Gpr, size: Size) -> String {
    let name = register.name();
    let numbered = register as usize >= Gpr::R8 as usize;
    match (size, numbered) {
        (Size::Qword, _) => name.to_string(),
        (Size::Dword, true) => format!("{name}d"),
        (Size::Word, true) => format!("{name}w"),
        (Size::Byte, true) => format!("{name}b"),
        (Size::Dword, false) => format!("e{}", &name[1..]),
        (Size::Word, false) => name[1..].to_string(),
        (Size::Byte, false) => format!("{}l", name[1..].trim_end_matches('x')),
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Segment::Es => "es",
            Segment::Cs => "cs",
            Segment::Ss => "ss",
            Segment::Ds => "ds",
            Segment::Fs => "fs",
            Segment::Gs => "gs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_instruction_reads_as_assembly_with_its_values() {
        use SystemInstruction as I;
        let (port, size) = (0x3f8, Size::Byte);
        let destination = Operand::Register(Gpr::Rax, Size::Dword);
        let cases = [
            (I::Out { port, size }, "out 0x3f8, al"),
            (
                I::In {
                    port,
                    size: Size::Dword,
                },
                "in eax, 0x3f8",
            ),
            (
                I::Outs {
                    port,
                    size,
                    address: 0x1000,
                    repeat: true,
                },
                "rep outsb 0x3f8, [0x1000]",
            ),
            (I::Iret { size: Size::Qword }, "iretq"),
            (I::Popf { size: Size::Word }, "popf"),
            (
                I::WriteControl {
                    control: 3,
                    value: 0x2000,
                },
                "mov cr3, 0x2000",
            ),
            (
                I::StoreSegment {
                    segment: Segment::Cs,
                    destination,
                },
                "mov eax, cs",
            ),
            (
                I::LoadSegment {
                    segment: Segment::Ss,
                    selector: 0x18,
                },
                "mov ss, 0x18",
            ),
        ];
        for (instruction, text) in cases {
            assert_eq!(instruction.to_string(), text);
        }
    }

    #[test]
    fn parts_of_registers_have_their_own_names() {
        let names = |register| Size::ALL.map(|size| sized_name(register, size));
        assert_eq!(names(Gpr::Rax), ["al", "ax", "eax", "rax"]);
        assert_eq!(names(Gpr::Rsi), ["sil", "si", "esi", "rsi"]);
        assert_eq!(names(Gpr::R8), ["r8b", "r8w", "r8d", "r8"]);
    }
}
