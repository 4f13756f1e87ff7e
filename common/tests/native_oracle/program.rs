//! A sequence of steps as machine code, and what is known about its flags.

use crate::flags::{Effect, effect};
use crate::jumps::TARGET;
use crate::state::{CODE_PAGES, Layout, name_flags};
use crate::step::{Made, Step};
use common::{PAGE_SIZE, flags};
use iced_x86::{Code, Encoder, Formatter, Instruction, IntelFormatter, OpKind, Register};
use std::fmt::Write;

/// Machine code for one layout.
pub struct Program {
    pub layout: Layout,
    pub bytes: Vec<u8>,
    /// Each instruction with its address.
    pub listing: Vec<(u64, Instruction)>,
    /// Flags that are undefined behind the last instruction.
    pub undefined: u64,
}

impl Program {
    /// Assembles steps. A jump skips as many steps as it says, or goes to the
    /// end. Before an instruction that reads a flag which may be undefined
    /// there, a comparison defines it.
    pub fn assemble(steps: &[Step], layout: Layout) -> Program {
        let made: Vec<_> = steps.iter().map(|step| step.make(layout)).collect();
        let (parts, undefined) = define_flags(made);
        let mut ip = layout.code;
        let mut starts = Vec::new();
        for part in &parts {
            starts.push(ip);
            for instruction in &part.instructions {
                ip += encode(&aim(*instruction, ip), ip).len() as u64;
            }
        }
        starts.push(ip);
        let mut program = Program {
            layout,
            bytes: Vec::new(),
            listing: Vec::new(),
            undefined,
        };
        for part in &parts {
            let target = starts[part.target];
            for instruction in &part.instructions {
                program.push(*instruction, target);
            }
        }
        assert!(program.bytes.len() as u64 <= CODE_PAGES * PAGE_SIZE - 16);
        program
    }

    fn push(&mut self, instruction: Instruction, target: u64) {
        let ip = self.end();
        let aimed = aim(instruction, target);
        self.listing.push((ip, aimed));
        self.bytes.extend(encode(&aimed, ip));
    }

    /// The address behind the last instruction.
    pub fn end(&self) -> u64 {
        self.layout.code + self.bytes.len() as u64
    }

    /// The text of the program, a line for each instruction.
    pub fn disassemble(&self) -> String {
        let mut formatter = IntelFormatter::new();
        let mut text = String::new();
        let ends = self.listing.iter().skip(1).map(|(ip, _)| *ip);
        for ((ip, instruction), end) in self.listing.iter().zip(ends.chain([self.end()])) {
            let offset = |address: u64| (address - self.layout.code) as usize;
            let bytes = &self.bytes[offset(*ip)..offset(end)];
            let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut line = String::new();
            formatter.format(instruction, &mut line);
            let _ = writeln!(text, "  {ip:#x}  {:<30}  {line}", bytes.join(" "));
        }
        if self.undefined != 0 {
            let _ = writeln!(text, "  undefined: {}", name_flags(self.undefined));
        }
        text
    }
}

/// The instructions of one step, and the number of the step it jumps to.
struct Part {
    instructions: Vec<Instruction>,
    target: usize,
}

/// Follows the undefined flags through the steps and puts a comparison where
/// one would be read; gives what is undefined at the end.
fn define_flags(made: Vec<Made>) -> (Vec<Part>, u64) {
    let last = made.len();
    let mut undefined = 0;
    // For each step, what is undefined on the way of the jumps that lead there.
    let mut arriving = vec![0; last + 1];
    let mut parts = Vec::new();
    for (index, step) in made.into_iter().enumerate() {
        undefined |= arriving[index];
        let target = (index + 1 + step.skip).min(last);
        let mut instructions = Vec::new();
        for instruction in step.before.iter().chain([&step.instruction]) {
            let Effect {
                reads,
                defines,
                leaves_undefined,
            } = effect(instruction, step.count);
            if reads & undefined != 0 {
                instructions.push(comparison());
                undefined = 0;
            }
            instructions.push(*instruction);
            undefined = undefined & !defines | leaves_undefined;
        }
        arriving[target] |= undefined;
        parts.push(Part {
            instructions,
            target,
        });
    }
    (parts, undefined | arriving[last])
}

/// An instruction that defines all arithmetic flags and changes nothing else.
fn comparison() -> Instruction {
    let compare = Instruction::with2(Code::Cmp_r32_rm32, Register::R9D, Register::EBX);
    let compare = compare.expect("two registers");
    let defined = effect(&compare, None).defines;
    debug_assert_eq!(defined, flags::ARITHMETIC);
    compare
}

/// Replaces the placeholder of a jump's target by its address.
fn aim(mut instruction: Instruction, target: u64) -> Instruction {
    if instruction.op0_kind() == OpKind::NearBranch64 {
        instruction.set_near_branch64(target);
    }
    if instruction.code() == Code::Lea_r64_m && instruction.memory_displacement64() == TARGET {
        instruction.set_memory_displacement64(target);
    }
    instruction
}

fn encode(instruction: &Instruction, ip: u64) -> Vec<u8> {
    let mut encoder = Encoder::new(64);
    if let Err(error) = encoder.encode(instruction, ip) {
        panic!("{:?} ({instruction}): {error}", instruction.code());
    }
    encoder.take_buffer()
}
