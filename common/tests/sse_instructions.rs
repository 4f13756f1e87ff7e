//! SSE instructions where the oracle cannot see: faults, and what is not
//! implemented.

mod machine;

use common::interp::Interp;
use common::{Cpu, Fault, Gpr, Trap};
use iced_x86::IcedError;
use iced_x86::code_asm::*;
use machine::{CODE, DATA, cpu, enter, map, memory, write_code};

type Emit = fn(&mut CodeAssembler) -> Result<(), IcedError>;

/// Runs one instruction with RSI at an offset in the data.
fn run(emit: Emit, offset: u64) -> (Trap, Interp) {
    let memory = memory();
    write_code(&memory, CODE, emit);
    map(&memory, DATA + 0x1000, 0);
    let mut cpu = cpu(&memory, CODE);
    cpu.context().registers[Gpr::Rsi] = DATA + offset;
    cpu.context().xmm[1] = u128::MAX;
    let (trap, _) = enter(&mut cpu, 1);
    (trap, cpu)
}

#[test]
fn operands_of_sixteen_bytes_must_be_aligned_but_for_four_instructions() {
    let aligned: [Emit; 5] = [
        |a| a.movaps(xmm0, ptr(rsi)),
        |a| a.movdqa(ptr(rsi), xmm0),
        |a| a.pxor(xmm0, ptr(rsi)),
        |a| a.movntdq(ptr(rsi), xmm0),
        |a| a.punpcklbw(xmm0, ptr(rsi)),
    ];
    for emit in aligned {
        assert_eq!(run(emit, 16).0, Trap::Budget);
        assert_eq!(run(emit, 8).0, Trap::Fault(Fault::GeneralProtection(0)));
    }
    let unaligned: [Emit; 5] = [
        |a| a.movups(xmm0, ptr(rsi)),
        |a| a.movdqu(ptr(rsi), xmm0),
        |a| a.lddqu(xmm0, ptr(rsi)),
        |a| a.movupd(xmm0, ptr(rsi)),
        |a| a.movhps(xmm0, ptr(rsi)),
    ];
    for emit in unaligned {
        assert_eq!(run(emit, 1).0, Trap::Budget);
    }
}

#[test]
fn a_store_into_a_missing_page_writes_none_of_its_bytes() {
    let (trap, mut cpu) = run(|a| a.movups(ptr(rsi), xmm1), 0xff8);
    let at = DATA + 0x1000;
    assert!(
        matches!(trap, Trap::Fault(Fault::PageFault { address, .. }) if address == at),
        "{trap:?}"
    );
    let mut bytes = [1; 8];
    let memory = &cpu.context().space.memory;
    memory.read(DATA + 0xff8, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8]);
}

#[test]
fn a_load_that_faults_leaves_the_register() {
    let (trap, mut cpu) = run(|a| a.movups(xmm1, ptr(rsi)), 0xff8);
    assert!(
        matches!(trap, Trap::Fault(Fault::PageFault { .. })),
        "{trap:?}"
    );
    assert_eq!(cpu.context().xmm[1], u128::MAX);
}

#[test]
fn reserved_bits_of_mxcsr_stay_clear() {
    let memory = memory();
    memory.store(DATA, common::Size::Dword, 0x1_1f80).unwrap();
    write_code(&memory, CODE, |a| a.ldmxcsr(dword_ptr(rsi)));
    let mut cpu = cpu(&memory, CODE);
    let (trap, _) = enter(&mut cpu, 1);
    assert_eq!(trap, Trap::Fault(Fault::GeneralProtection(0)));
    assert_eq!(cpu.context().mxcsr, 0x1f80);
}

#[test]
fn floating_point_arithmetic_and_mmx_say_that_they_are_not_implemented() {
    let unimplemented = Trap::Fault(Fault::InvalidOpcode {
        unimplemented: true,
    });
    let cases: [Emit; 4] = [
        |a| a.addsd(xmm0, xmm1),
        |a| a.cvtsi2sd(xmm0, rax),
        |a| a.paddb(mm0, mm1),
        |a| a.vpxor(xmm0, xmm1, xmm2),
    ];
    for emit in cases {
        assert_eq!(run(emit, 0).0, unimplemented);
    }
}
