//! String instructions where the oracle cannot see: interrupted, faulting, and
//! over their own code.

mod machine;

use common::{Cpu, Fault, Gpr, SystemInstruction, Trap, flags};
use machine::{CODE, DATA, cpu, enter, map, memory, write_code};

/// Copies or fills more than this cross a page: the bulk path, page by page.
const LONG: u64 = 10_000;

#[test]
fn an_iteration_costs_one_instruction_however_it_is_cut() {
    for budget in [1, 2, 7, 1000, 4095, u64::MAX] {
        let memory = memory();
        let pattern: Vec<u8> = (0..LONG).map(|index| (index % 251) as u8).collect();
        memory.write(DATA, &pattern).unwrap();
        write_code(&memory, CODE, |a| {
            a.rep().movsb()?;
            a.hlt()
        });
        let mut cpu = cpu(&memory, CODE);
        cpu.context().registers[Gpr::Rdi] = DATA + 0x8001;
        cpu.context().registers[Gpr::Rcx] = LONG;
        let mut total = 0;
        loop {
            let (trap, retired) = enter(&mut cpu, budget);
            total += retired;
            let left = LONG.saturating_sub(total);
            assert_eq!(cpu.context().registers[Gpr::Rcx], left);
            if trap != Trap::Budget {
                break;
            }
            let expected = if left > 0 { CODE } else { CODE + 2 };
            assert_eq!(cpu.context().rip, expected, "with {left} left");
        }
        assert_eq!(total, LONG);
        let mut copy = vec![0; pattern.len()];
        memory.read(DATA + 0x8001, &mut copy).unwrap();
        assert_eq!(copy, pattern);
    }
}

#[test]
fn a_fault_leaves_the_registers_at_the_element_that_faulted() {
    let memory = memory();
    write_code(&memory, CODE, |a| {
        a.rep().stosq()?;
        a.hlt()
    });
    map(&memory, DATA + 0x2000, 0);
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rcx] = 2048;
    let (trap, retired) = enter(&mut cpu, u64::MAX);
    assert!(
        matches!(trap, Trap::Fault(Fault::PageFault { address, .. }) if address == DATA + 0x2000)
    );
    let context = cpu.context();
    assert_eq!((context.rip, retired), (CODE, 1024));
    assert_eq!(context.registers[Gpr::Rdi], DATA + 0x2000);
    assert_eq!(context.registers[Gpr::Rcx], 1024);

    map(&memory, DATA + 0x2000, 3);
    let (trap, retired) = enter(&mut cpu, u64::MAX);
    assert!(matches!(
        trap,
        Trap::System {
            instruction: SystemInstruction::Hlt,
            ..
        }
    ));
    assert_eq!(retired, 1024);
    assert_eq!(cpu.context().registers[Gpr::Rdi], DATA + 0x4000);
}

#[test]
fn an_element_that_straddles_into_a_missing_page_changes_nothing() {
    let memory = memory();
    write_code(&memory, CODE, |a| a.stosd());
    map(&memory, DATA + 0x1000, 0);
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rdi] = DATA + 0xffe;
    let (trap, _) = enter(&mut cpu, 1);
    assert!(
        matches!(trap, Trap::Fault(Fault::PageFault { address, .. }) if address == DATA + 0x1000)
    );
    assert_eq!(cpu.context().registers[Gpr::Rdi], DATA + 0xffe);
    let mut bytes = [1; 2];
    memory.read(DATA + 0xffe, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 2]);
}

#[test]
fn a_copy_onto_its_own_source_repeats_the_beginning() {
    let memory = memory();
    memory.write(DATA, b"abc").unwrap();
    write_code(&memory, CODE, |a| a.rep().movsb());
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rdi] = DATA + 3;
    cpu.context().registers[Gpr::Rcx] = 60;
    enter(&mut cpu, 60);
    let mut bytes = [0; 63];
    memory.read(DATA, &mut bytes).unwrap();
    assert_eq!(bytes[..], b"abc".repeat(21)[..]);
}

#[test]
fn a_scan_stops_behind_what_it_looks_for() {
    let memory = memory();
    memory.write(DATA, b"needle in a haystack\0").unwrap();
    write_code(&memory, CODE, |a| a.repne().scasb());
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rax] = 0;
    cpu.context().registers[Gpr::Rcx] = u64::MAX;
    enter(&mut cpu, 21);
    let context = cpu.context();
    assert_eq!(context.registers[Gpr::Rdi], DATA + 21);
    assert_eq!(!context.registers[Gpr::Rcx], 21);
    assert_ne!(context.flags & flags::ZF, 0);
    assert_eq!(context.rip, CODE + 2);
}

#[test]
fn the_code_behind_a_repeated_store_is_what_it_has_stored() {
    const HLT: u64 = 0xf4;
    let memory = memory();
    write_code(&memory, CODE, |a| {
        a.rep().stosb()?;
        a.ud2()?;
        a.ud2()
    });
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rdi] = CODE + 2;
    cpu.context().registers[Gpr::Rcx] = 4;
    cpu.context().registers[Gpr::Rax] = HLT;
    let (trap, _) = enter(&mut cpu, u64::MAX);
    assert!(
        matches!(
            trap,
            Trap::System {
                instruction: SystemInstruction::Hlt,
                ..
            }
        ),
        "{trap:?}"
    );
}

#[test]
fn only_the_source_has_a_segment() {
    let memory = memory();
    memory.write(DATA, b"from").unwrap();
    write_code(&memory, CODE, |a| a.db(&[0x65, 0xa5]));
    let mut cpu = cpu(&memory, CODE);
    let context = cpu.context();
    context.gs_base = DATA;
    context.registers[Gpr::Rsi] = 0;
    context.registers[Gpr::Rdi] = DATA + 0x100;
    assert_eq!(enter(&mut cpu, 1), (Trap::Budget, 1));
    let mut bytes = [0; 4];
    memory.read(DATA + 0x100, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from");
}
