//! Loops of `pause`, and when they are reported.

use crate::interp::testing::*;
use crate::{Cpu, Gpr, Interp, PauseFilter, Trap, flags};
use iced_x86::code_asm::*;
use proptest::prelude::*;

/// A loop of three instructions, the first a `pause`, that runs `rounds` times.
fn waiting(rounds: u32, filter: Option<PauseFilter>) -> Interp {
    let mut cpu = cpu(|a| {
        let mut again = a.create_label();
        a.mov(ecx, rounds).unwrap();
        a.set_label(&mut again).unwrap();
        a.pause().unwrap();
        a.dec(ecx).unwrap();
        a.jnz(again).unwrap();
    });
    cpu.context().pause_filter = filter;
    cpu
}

/// After how many instructions each loop is reported, in entries of `parts`.
fn reports(cpu: &mut Interp, parts: &[u64]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut done = 0;
    for part in parts.iter().cycle() {
        let (trap, retired) = enter(cpu, *part);
        done += retired;
        match trap {
            Trap::SpinLoop => found.push(done),
            Trap::Budget => {}
            _ => break,
        }
    }
    found
}

#[test]
fn without_a_filter_no_loop_is_reported() {
    let mut cpu = waiting(100_000, None);
    assert!(is_hlt(enter(&mut cpu, u64::MAX).0));
}

#[test]
fn a_loop_is_reported_behind_the_pause_and_then_counted_anew() {
    let mut cpu = waiting(1000, Some(PauseFilter::new(10, 3)));
    assert_eq!(enter(&mut cpu, u64::MAX), (Trap::SpinLoop, 1 + 9 * 3 + 1));
    assert_eq!(cpu.context().rip, CODE + 5 + 2);
    assert_eq!(cpu.context().registers[Gpr::Rcx], 1000 - 9);
    assert_eq!(enter(&mut cpu, u64::MAX), (Trap::SpinLoop, 30));
}

#[test]
fn a_report_at_the_end_of_the_budget_is_made() {
    let mut cpu = waiting(1000, Some(PauseFilter::new(10, 3)));
    assert_eq!(enter(&mut cpu, 29), (Trap::SpinLoop, 29));
}

#[test]
fn pauses_that_are_far_apart_are_not_reported() {
    let mut cpu = waiting(1000, Some(PauseFilter::new(10, 2)));
    assert!(is_hlt(enter(&mut cpu, u64::MAX).0));
}

#[test]
fn entries_of_any_size_report_the_same() {
    let filter = Some(PauseFilter::new(7, 3));
    let expected = reports(&mut waiting(100, filter), &[u64::MAX]);
    assert_eq!(expected.len(), 14);
    for part in 1..60 {
        let found = reports(&mut waiting(100, filter), &[part]);
        assert_eq!(found, expected, "in parts of {part}");
    }
}

#[test]
fn the_count_goes_with_the_context_and_not_with_the_cpu() {
    let mut cpu = waiting(1000, Some(PauseFilter::new(10, 3)));
    enter(&mut cpu, 20);
    let mut other = waiting(1000, None);
    *other.context() = cpu.context().clone();
    assert_eq!(enter(&mut other, u64::MAX), (Trap::SpinLoop, 9));
    assert_eq!(enter(&mut cpu, u64::MAX), (Trap::SpinLoop, 9));
}

#[test]
fn flags_are_right_where_a_loop_is_reported() {
    let mut cpu = cpu(|a| {
        a.sub(eax, 1).unwrap();
        a.pause().unwrap();
        a.xor(eax, eax).unwrap();
    });
    cpu.context().pause_filter = Some(PauseFilter::new(1, 0));
    assert_eq!(enter(&mut cpu, 10), (Trap::SpinLoop, 2));
    let below = flags::CF | flags::SF | flags::AF | flags::PF;
    assert_eq!(cpu.context().flags, below | flags::ALWAYS);
}

/// A program of pauses with so many other instructions before each; some of
/// those jump, so that blocks end there.
fn program(distances: &[u64]) -> Interp {
    cpu(|a| {
        for (number, distance) in distances.iter().enumerate() {
            for other in 1..*distance {
                if (number as u64 + other).is_multiple_of(5) {
                    let mut behind = a.create_label();
                    a.jmp(behind).unwrap();
                    a.set_label(&mut behind).unwrap();
                } else {
                    a.add(rax, rbx).unwrap();
                }
            }
            a.pause().unwrap();
        }
    })
}

/// The same by the definition: where the pauses are, and which are reported.
fn naive(distances: &[u64], count: u32, gap: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let (mut place, mut in_loop) = (0, 0);
    for (number, distance) in distances.iter().enumerate() {
        place += distance;
        if number > 0 && *distance > gap {
            in_loop = 0;
        }
        in_loop += 1;
        if in_loop == count {
            found.push(place);
            in_loop = 0;
        }
    }
    found
}

proptest! {
    #[test]
    fn what_is_reported_is_what_a_naive_count_says(
        distances in proptest::collection::vec(1u64..12, 1..40),
        count in 1u32..6,
        gap in 0u64..12,
        parts in proptest::collection::vec(1u64..30, 1..5),
    ) {
        let mut cpu = program(&distances);
        cpu.context().pause_filter = Some(PauseFilter::new(count, gap));
        prop_assert_eq!(reports(&mut cpu, &parts), naive(&distances, count, gap));
    }
}
