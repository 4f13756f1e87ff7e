//! Programs of any bytes: nothing panics, and how a run is divided into entries
//! changes nothing.

use crate::interp::testing::*;
use crate::{Context, Cpu, Gpr, Interp, Kick, Size, Time, Trap};
use iced_x86::{Decoder, DecoderOptions};
use proptest::prelude::*;

/// A CPU about to run `bytes`, with registers that point to memory, near its
/// end, or nowhere.
fn cpu_from(bytes: &[u8], registers: [u64; 16]) -> Interp {
    let mut cpu = cpu_with(bytes);
    let context = cpu.context();
    context.registers.0 = registers;
    context.fs_base = registers[1];
    cpu
}

fn register() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => DATA..DATA + 0x2000,
        2 => CODE..CODE + 0x100,
        1 => RAM - 20..RAM + 20,
        1 => 0u64..64,
        1 => any::<u64>(),
    ]
}

fn registers() -> impl Strategy<Value = [u64; 16]> {
    proptest::array::uniform16(register())
}

/// Bytes that are mostly instructions: many opcodes are one byte, many come
/// after 0f, with and without prefixes.
fn code() -> impl Strategy<Value = Vec<u8>> {
    let prefix = prop_oneof![
        6 => Just(vec![]),
        2 => Just(vec![0x48]),
        1 => (0x40u8..0x50).prop_map(|rex| vec![rex]),
        1 => prop::sample::select(vec![0x66u8, 0x67, 0xf2, 0xf3, 0xf0, 0x64]).prop_map(|p| vec![p]),
    ];
    let opcode = prop_oneof![
        3 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => any::<u8>().prop_map(|byte| vec![0x0f, byte]),
    ];
    let operands = proptest::collection::vec(any::<u8>(), 1..6);
    let instruction = (prefix, opcode, operands).prop_map(|(a, b, c)| [a, b, c].concat());
    proptest::collection::vec(instruction, 1..20).prop_map(|parts| parts.concat())
}

/// Answers what asks for an answer, skips what asks to be emulated, and says
/// whether the run can go on.
fn serve(cpu: &mut Interp, trap: Trap) -> bool {
    use crate::MmioOperation::*;
    match trap {
        Trap::Budget | Trap::SpinLoop => true,
        Trap::Mmio(mmio) => match mmio.operation {
            Read => {
                cpu.complete(0x1234_5678_9abc_def0 ^ mmio.gpa);
                true
            }
            Write(_) => true,
            Fetch | Unsupported => false,
        },
        Trap::System { length, .. } => {
            cpu.context().rip += u64::from(length);
            true
        }
        Trap::Fault(_) | Trap::Kicked => false,
    }
}

/// Everything that a program can see in the end.
fn outcome(context: &Context) -> impl PartialEq + std::fmt::Debug + use<> {
    let memory = &context.space.memory;
    let mut bytes = vec![0; 0x4000];
    memory.read(DATA - 0x1000, &mut bytes).unwrap();
    let sum = bytes
        .iter()
        .fold(0u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    let code = memory.load(CODE, Size::Qword);
    let registers = context.registers.0.map(|value| format!("{value:#x}"));
    (registers, context.rip, context.flags, sum, code)
}

/// A program that does nothing but trap is not run for ever.
const MOST_TRAPS: usize = 100;

/// Runs for `total` instructions, in entries of these budgets, and returns all
/// traps but the budget's, with the instructions that had retired.
fn run_in_parts(cpu: &mut Interp, total: u64, parts: &[u64]) -> Vec<(Trap, u64)> {
    let mut traps = Vec::new();
    let mut done = 0;
    let mut parts = parts.iter().cycle();
    while done < total && traps.len() < MOST_TRAPS {
        let budget = (*parts.next().unwrap()).min(total - done);
        // Time is what has retired, so `rdtsc` does not see the entries either.
        let (trap, retired) = cpu.enter(Time(done), budget, &Kick::default());
        match trap {
            Trap::Budget => assert_eq!(retired, budget),
            _ => assert!(retired <= budget),
        }
        done += retired;
        if trap != Trap::Budget {
            traps.push((trap, done));
        }
        if !serve(cpu, trap) {
            break;
        }
    }
    traps
}

/// Runs each context on the CPU as [`run_in_parts`] would run it alone, but the
/// contexts change after each entry.
fn run_in_turns(cpu: &mut Interp, contexts: &mut [Context], total: u64, parts: &[u64]) {
    let mut parts = parts.iter().cycle();
    // Who still runs, with the instructions and traps so far.
    let mut running: Vec<_> = contexts.iter_mut().map(|one| (one, 0, 0)).collect();
    while !running.is_empty() {
        running.retain_mut(|(context, done, traps)| {
            std::mem::swap(cpu.context(), context);
            let budget = (*parts.next().unwrap()).min(total - *done);
            let (trap, retired) = cpu.enter(Time(*done), budget, &Kick::default());
            *done += retired;
            *traps += usize::from(trap != Trap::Budget);
            let goes_on = serve(cpu, trap) && *done < total && *traps < MOST_TRAPS;
            std::mem::swap(cpu.context(), context);
            goes_on
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_bytes_make_the_cpu_panic(code in code(), registers in registers()) {
        let mut cpu = cpu_from(&code, registers);
        run_in_parts(&mut cpu, 500, &[200]);
    }

    #[test]
    fn every_division_into_entries_comes_to_the_same(
        code in code(),
        registers in registers(),
        parts in proptest::collection::vec(1u64..40, 1..6),
    ) {
        let mut whole = cpu_from(&code, registers);
        let mut divided = cpu_from(&code, registers);
        let expected = run_in_parts(&mut whole, 300, &[300]);
        let found = run_in_parts(&mut divided, 300, &parts);
        prop_assert_eq!(expected, found, "{:#?}", listing(&code));
        prop_assert_eq!(outcome(whole.context()), outcome(divided.context()), "{:#?}", listing(&code));
    }

    #[test]
    fn programs_that_take_turns_on_one_cpu_come_to_the_same_as_alone(
        codes in proptest::collection::vec(code(), 3),
        registers in registers(),
        parts in proptest::collection::vec(1u64..40, 1..6),
    ) {
        let mut alone: Vec<_> = codes.iter().map(|code| cpu_from(code, registers)).collect();
        for cpu in &mut alone {
            run_in_parts(cpu, 300, &[300]);
        }
        let start = |code: &Vec<u8>| cpu_from(code, registers).context().clone();
        let mut contexts: Vec<_> = codes.iter().map(start).collect();
        run_in_turns(&mut cpu_from(&[], registers), &mut contexts, 300, &parts);
        for ((alone, context), code) in alone.iter_mut().zip(&contexts).zip(&codes) {
            prop_assert_eq!(outcome(alone.context()), outcome(context), "{:#?}", listing(code));
        }
    }
}

fn listing(bytes: &[u8]) -> Vec<String> {
    Decoder::with_ip(64, bytes, CODE, DecoderOptions::NONE)
        .into_iter()
        .map(|instruction| format!("{:#x}: {instruction}", instruction.ip()))
        .collect()
}

#[test]
fn a_loop_is_the_same_in_entries_of_any_length() {
    let program = |a: &mut iced_x86::code_asm::CodeAssembler| {
        use iced_x86::code_asm::*;
        let (mut again, mut function, mut end) =
            (a.create_label(), a.create_label(), a.create_label());
        a.mov(ecx, 50).unwrap();
        a.set_label(&mut again).unwrap();
        a.lea(rdx, qword_ptr(rcx * 8 + DATA as i32)).unwrap();
        a.add(rax, rcx).unwrap();
        a.adc(qword_ptr(rdx), rax).unwrap();
        a.call(function).unwrap();
        a.dec(ecx).unwrap();
        a.jnz(again).unwrap();
        a.jmp(end).unwrap();
        a.set_label(&mut function).unwrap();
        a.push(rcx).unwrap();
        a.shl(eax, 3).unwrap();
        a.sbb(ebx, eax).unwrap();
        a.pop(rcx).unwrap();
        a.ret().unwrap();
        a.set_label(&mut end).unwrap();
    };
    let mut whole = cpu(program);
    let (trap, total) = enter(&mut whole, 10_000);
    assert!(is_hlt(trap));
    for part in 1..60 {
        let mut divided = cpu(program);
        let mut retired = 0;
        loop {
            let (trap, count) = enter(&mut divided, part);
            retired += count;
            if trap != Trap::Budget {
                assert!(is_hlt(trap));
                break;
            }
            assert_eq!(count, part);
        }
        assert_eq!(retired, total, "in parts of {part}");
        assert_eq!(outcome(divided.context()), outcome(whole.context()));
        assert_eq!(divided.context().registers[Gpr::Rcx], 0);
    }
}
