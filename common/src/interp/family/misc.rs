//! What does nothing, cpuid, rdtsc, and what raises an exception by intent.

use crate::interp::decode::nothing;
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use crate::{Fault, Trap};
use iced_x86::{Instruction, Mnemonic};

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    use Mnemonic::*;
    let run = match instruction.mnemonic() {
        Nop | Reservednop | Endbr64 | Endbr32 | Fnop => nothing as Run,
        Pause => pause,
        Lfence | Mfence | Sfence => fence,
        Prefetch | Prefetchw | Prefetchwt1 | Prefetchnta | Prefetcht0 | Prefetcht1 | Prefetcht2 => {
            nothing
        }
        Clflush | Clflushopt | Clwb => nothing,
        Cpuid => cpuid,
        Rdtsc => rdtsc,
        Int3 => breakpoint,
        Ud0 | Ud1 | Ud2 => undefined,
        _ => return None,
    };
    let mut op = Op::new(instruction, run);
    op.imm = instruction.next_ip();
    Some(op)
}

/// Orders this thread's accesses against those of other CPUs' threads.
fn fence(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    next(s, rest)
}

/// Nothing, unless somebody wants to know of loops of it.
fn pause(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    if s.context.pause_filter.is_none() {
        return next(s, rest);
    }
    s.left = rest.len();
    Flow::Pause
}

fn undefined(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let fault = Fault::InvalidOpcode {
        unimplemented: false,
    };
    s.stop(Trap::Fault(fault), rest)
}

/// Reported with RIP past it.
fn breakpoint(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    s.stop(Trap::Fault(Fault::Breakpoint), rest)
}

/// It ends its block, so the instructions before it have all retired.
fn rdtsc(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let time = (s.entered.0 + s.retired()).0;
    s.regs[Reg::Rax as usize] = time as u32 as u64;
    s.regs[Reg::Rdx as usize] = time >> 32;
    next(s, rest)
}

fn cpuid(s: &mut State, _: &Op, rest: &[Op]) -> Flow {
    let leaf = s.regs[Reg::Rax as usize] as u32;
    let subleaf = s.regs[Reg::Rcx as usize] as u32;
    let answer = leaf_of(leaf, subleaf);
    for (register, value) in [Reg::Rax, Reg::Rbx, Reg::Rcx, Reg::Rdx]
        .into_iter()
        .zip(answer)
    {
        s.regs[register as usize] = value.into();
    }
    next(s, rest)
}

/// EAX, EBX, ECX, EDX for a leaf.
///
/// The model: family 6 of nobody's make, x86-64-v2 with BMI1, BMI2, LZCNT and
/// MOVBE; 48 bits of virtual and 40 of physical address; 1 GiB pages; a
/// hypervisor that says its name. The same for every CPU (APIC id 0: a program
/// asks its APIC who it is). Leaves that are not here are zero.
fn leaf_of(leaf: u32, subleaf: u32) -> [u32; 4] {
    let text = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    match (leaf, subleaf) {
        (0, _) => [7, text(b"Hept"), text(b"or  "), text(b"avis")],
        (1, _) => [
            0x0000_0600,
            CLFLUSH_64,
            features::LEAF_1_C,
            features::LEAF_1_D,
        ],
        (7, 0) => [0, features::LEAF_7_B, 0, 0],
        (0x4000_0000, _) => [0x4000_0000, text(b"Hept"), text(b"avis"), text(b"or\0\0")],
        (0x8000_0000, _) => [0x8000_0008, 0, 0, 0],
        (0x8000_0001, _) => [0, 0, features::LEAF_8_1_C, features::LEAF_8_1_D],
        (0x8000_0008, _) => [48 << 8 | 40, 0, 0, 0],
        _ => [0; 4],
    }
}

/// Lines that clflush flushes have 8 * 8 bytes; one logical CPU.
const CLFLUSH_64: u32 = 8 << 8 | 1 << 16;

/// Feature bits (SDM vol. 2, CPUID).
mod features {
    const SSE3: u32 = 1 << 0;
    const SSSE3: u32 = 1 << 9;
    const CMPXCHG16B: u32 = 1 << 13;
    const SSE4_1: u32 = 1 << 19;
    const SSE4_2: u32 = 1 << 20;
    const MOVBE: u32 = 1 << 22;
    const POPCNT: u32 = 1 << 23;
    const HYPERVISOR: u32 = 1 << 31;
    pub const LEAF_1_C: u32 =
        SSE3 | SSSE3 | CMPXCHG16B | SSE4_1 | SSE4_2 | MOVBE | POPCNT | HYPERVISOR;

    const FPU: u32 = 1 << 0;
    const PSE: u32 = 1 << 3;
    const TSC: u32 = 1 << 4;
    const MSR: u32 = 1 << 5;
    const PAE: u32 = 1 << 6;
    const CMPXCHG8B: u32 = 1 << 8;
    const APIC: u32 = 1 << 9;
    const CMOV: u32 = 1 << 15;
    const CLFLUSH: u32 = 1 << 19;
    const FXSR: u32 = 1 << 24;
    const SSE: u32 = 1 << 25;
    const SSE2: u32 = 1 << 26;
    pub const LEAF_1_D: u32 =
        FPU | PSE | TSC | MSR | PAE | CMPXCHG8B | APIC | CMOV | CLFLUSH | FXSR | SSE | SSE2;

    const BMI1: u32 = 1 << 3;
    const BMI2: u32 = 1 << 8;
    pub const LEAF_7_B: u32 = BMI1 | BMI2;

    const LAHF: u32 = 1 << 0;
    const LZCNT: u32 = 1 << 5;
    pub const LEAF_8_1_C: u32 = LAHF | LZCNT;

    const SYSCALL: u32 = 1 << 11;
    const NX: u32 = 1 << 20;
    const PAGES_1_GIB: u32 = 1 << 26;
    const LONG_MODE: u32 = 1 << 29;
    pub const LEAF_8_1_D: u32 = SYSCALL | NX | PAGES_1_GIB | LONG_MODE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::testing::*;
    use crate::{Cpu, Gpr, Kick, Time};
    use iced_x86::code_asm::*;

    #[test]
    fn rdtsc_counts_from_the_time_of_entry() {
        let mut cpu = cpu(|a| {
            a.nop().unwrap();
            a.nop().unwrap();
            a.rdtsc().unwrap();
            a.mov(rbx, rax).unwrap();
            a.rdtsc().unwrap();
        });
        let now = Time(5 << 32);
        assert!(is_hlt(cpu.enter(now, 100, &Kick::default()).0));
        let registers = cpu.context().registers;
        assert_eq!([registers[Gpr::Rbx], registers[Gpr::Rax]], [2, 4]);
        assert_eq!(registers[Gpr::Rdx], 5);
    }

    #[test]
    fn cpuid_tells_the_hypervisor_and_the_levels_features() {
        let context = run(
            |context| context.registers[Gpr::Rax] = 1,
            |a| a.cpuid().unwrap(),
        );
        assert_ne!(context.registers[Gpr::Rcx] & 1 << 31, 0);
        let context = run(
            |context| context.registers[Gpr::Rax] = 0x4000_0000,
            |a| a.cpuid().unwrap(),
        );
        assert_eq!(
            context.registers[Gpr::Rcx],
            u64::from(u32::from_le_bytes(*b"avis"))
        );
    }

    #[test]
    fn a_breakpoint_is_reported_past_it_and_an_undefined_one_on_it() {
        let mut cpu = cpu_with(&[0x90, 0xcc, 0x0f, 0x0b]);
        assert_eq!(enter(&mut cpu, 9), (Trap::Fault(Fault::Breakpoint), 1));
        assert_eq!(cpu.context().rip, CODE + 2);
        let undefined = Fault::InvalidOpcode {
            unimplemented: false,
        };
        assert_eq!(enter(&mut cpu, 9), (Trap::Fault(undefined), 0));
        assert_eq!(cpu.context().rip, CODE + 2);
    }

    #[test]
    fn hints_and_long_nops_do_nothing() {
        let context = run(
            |_| {},
            |a| {
                a.endbr64().unwrap();
                a.pause().unwrap();
                a.nop_1(dword_ptr(rax + rax * 8 + 0x1234)).unwrap();
                a.prefetcht0(byte_ptr(0)).unwrap();
                a.mfence().unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rax], 0);
    }
}
