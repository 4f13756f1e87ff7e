//! Guests that died in known ways, and what the report says of them.

use super::*;
use crate::scripted::{Scripted, Step};
use crate::{
    Boot, Chain, Exit, Fault, Memory, Mmio, MmioOperation, PageFaultCode, Pcpu, Size,
    SystemInstruction, Trap,
};
use proptest::prelude::*;

const START: u64 = 0x10_0000;
const WORKER: u64 = 0x10_0100;
const MEMORY: u64 = 2 << 20;

fn symbols() -> Symbols {
    let names = [("start", START), ("worker", WORKER)];
    let names = names.map(|(name, address)| (name.to_string(), address));
    let image = START..START + 0x1000;
    Symbols::new(names, [image])
}

/// A guest with `code` at `worker`, about to run its first instruction.
fn guest(code: &[u8]) -> Context {
    let memory = Memory::new(MEMORY).unwrap();
    let boot = Boot::prepare(&memory, START).unwrap();
    memory.write(WORKER, code).unwrap();
    let mut context = Context::new(memory);
    context.space.set_root(boot.root);
    context.rip = WORKER;
    context.registers[Gpr::Rsp] = boot.stack - 8;
    context
}

fn report(ending: Ending, context: &Context) -> Explanation {
    explain(ending, Time(2204), context, &symbols(), [])
}

fn unsupported(trap: Trap) -> Ending {
    Ending::Died(Exit::Unsupported(trap))
}

fn died_of(fault: Fault, context: &Context) -> Explanation {
    report(unsupported(Trap::Fault(fault)), context)
}

fn mmio(operation: MmioOperation, gpa: u64) -> Ending {
    let size = Size::Qword;
    unsupported(Trap::Mmio(Mmio {
        gpa,
        size,
        operation,
    }))
}

fn so(explanation: &Explanation) -> &str {
    explanation.so.as_deref().unwrap_or("")
}

#[test]
fn the_whole_report_of_a_division_by_zero() {
    let mut context = guest(b"\x48\xf7\xf1"); // div rcx
    context.registers[Gpr::Rax] = 0x1234_5678;
    context.flags |= flags::ZF | flags::PF;
    let trap = Trap::Fault(Fault::DivideError);
    let steps = vec![Step::new(trap, 2203).doing(|context| context.rip = WORKER)];
    let memory = context.space.memory.clone();
    let mut pcpu = Pcpu::new(0, Scripted::new(memory, steps));
    pcpu.enter(10_000);
    let exit = Exit::Unsupported(trap);
    pcpu.recorder.record(pcpu.now, Event::Exit(exit));
    let ending = Ending::Died(exit);
    let shown = explain(ending, pcpu.now, &context, &symbols(), pcpu.recorder.last());
    let expected = "\
the guest died of a divide error (#DE) at time 2,204

  at        worker: div rcx
  uses      rcx 0x0000_0000_0000_0000
            rax 0x0000_0000_1234_5678
            rdx 0x0000_0000_0000_0000
  so        the divisor, rcx, is 0

  rax 0x0000_0000_1234_5678   rcx 0x0000_0000_0000_0000   rdx 0x0000_0000_0000_0000
  rbx 0x0000_0000_0000_0000   rsp 0x0000_0000_0008_fff8   rbp 0x0000_0000_0000_0000
  rsi 0x0000_0000_0000_0000   rdi 0x0000_0000_0000_0000   r8  0x0000_0000_0000_0000
  r9  0x0000_0000_0000_0000   r10 0x0000_0000_0000_0000   r11 0x0000_0000_0000_0000
  r12 0x0000_0000_0000_0000   r13 0x0000_0000_0000_0000   r14 0x0000_0000_0000_0000
  r15 0x0000_0000_0000_0000   rip 0x0000_0000_0010_0100   cr3 0x0000_0000_0000_2000
  flags PF ZF

  what happened last
       2,204  trap    after 2,203 instructions: #DE                     worker
       2,204  exit    unsupported: #DE                                  worker
";
    assert_eq!(shown.to_string(), expected);
}

#[test]
fn a_quotient_that_does_not_fit_shows_the_divisor_in_memory() {
    let mut context = guest(b"\xf7\x33"); // div dword [rbx]
    context.registers[Gpr::Rbx] = 0x10_0800;
    context.registers[Gpr::Rdx] = 7;
    let memory = &context.space.memory;
    memory
        .store(0x10_0800, Size::Qword, 0xffff_0000_0005)
        .unwrap();
    let explanation = died_of(Fault::DivideError, &context);
    assert!(so(&explanation).contains("is 0x5;"), "{explanation}");
}

#[test]
fn ud2_is_known_as_deliberate() {
    let fault = Fault::InvalidOpcode {
        unimplemented: false,
    };
    let explanation = died_of(fault, &guest(b"\x0f\x0b"));
    assert_eq!(explanation.instruction, "ud2");
    assert!(so(&explanation).contains("author"), "{explanation}");
}

#[test]
fn bytes_that_are_no_instruction_are_shown() {
    let fault = Fault::InvalidOpcode {
        unimplemented: false,
    };
    let explanation = died_of(fault, &guest(b"\x06\x07"));
    assert!(explanation.instruction.contains("bytes 06 07"));
    assert!(so(&explanation).contains("data"), "{explanation}");
}

#[test]
fn an_instruction_that_the_software_cpu_lacks_is_named() {
    let fault = Fault::InvalidOpcode {
        unimplemented: true,
    };
    let explanation = died_of(fault, &guest(b"\xd9\xe8"));
    assert!(so(&explanation).contains("`fld1`"), "{explanation}");
    assert!(so(&explanation).contains("does not implement"));
}

#[test]
fn a_store_outside_memory_shows_its_finished_instruction_and_the_memory_size() {
    // nop; mov [rbx], rax
    let mut context = guest(b"\x90\x48\x89\x03");
    context.rip = WORKER + 4;
    context.registers[Gpr::Rbx] = 0x8000_0000;
    let explanation = report(mmio(MmioOperation::Write(0), 0x8000_0000), &context);
    assert_eq!(explanation.place, "worker+0x01");
    assert_eq!(explanation.instruction, "mov [rbx], rax");
    assert!(so(&explanation).contains("0x80000000 is outside"));
    assert!(so(&explanation).contains("ends at 0x200000"));
}

#[test]
fn no_instruction_is_guessed_where_the_bytes_do_not_line_up() {
    let mut context = guest(b"\xb8\x01\x02\x03\x04"); // mov eax, 0x4030201
    context.rip = WORKER + 2;
    let explanation = report(mmio(MmioOperation::Write(0), 0x8000_0000), &context);
    assert_eq!(explanation.place, "worker+0x02");
}

#[test]
fn addresses_have_names_and_numbers_that_lie_in_the_image_by_chance_do_not() {
    let instruction = |code| report(Ending::Stopped, &guest(code)).instruction;
    let cases: [(&[u8], &str); 4] = [
        (b"\xb8\x00\x00\x10\x00", "mov eax, start"),
        (b"\xb8\x01\x00\x10\x00", "mov eax, 0x100001"),
        (b"\x8b\x04\x25\x01\x00\x10\x00", "mov eax, [start+1]"),
        (b"\xeb\x00", "jmp worker+2"),
    ];
    for (code, text) in cases {
        assert_eq!(instruction(code), text);
    }
}

#[test]
fn a_call_to_nowhere_is_found_on_the_stack() {
    let mut context = guest(b"\x90\xff\xd0"); // nop; call rax
    context.rip = 0x4000_0000;
    let stack = context.registers[Gpr::Rsp];
    let memory = &context.space.memory;
    memory.store(stack, Size::Qword, WORKER + 3).unwrap();
    let explanation = report(mmio(MmioOperation::Fetch, 0x4000_0000), &context);
    assert!(explanation.instruction.contains("no memory here"));
    assert!(
        so(&explanation).contains("`call rax` at worker+0x01"),
        "{explanation}"
    );
}

#[test]
fn a_jump_to_nowhere_says_where_the_guest_was_seen_before() {
    let mut context = guest(b"");
    context.rip = 0x4000_0000;
    let record = |rip| Record {
        time: Time(1),
        pcpu: 0,
        rip,
        event: Event::Inject(32),
    };
    let records = [record(WORKER + 8), record(context.rip)];
    let ending = mmio(MmioOperation::Fetch, context.rip);
    let explanation = explain(ending, Time(1), &context, &symbols(), &records);
    assert!(
        so(&explanation).contains("seen at worker+0x08"),
        "{explanation}"
    );
}

#[test]
fn a_refused_instruction_is_named_with_its_values() {
    let (limit, base) = (0xfff, 0x10_2000);
    let instruction = SystemInstruction::Lidt { limit, base };
    let length = 3;
    let trap = Trap::System {
        instruction,
        length,
    };
    let explanation = report(unsupported(trap), &guest(b"\x0f\x01\x18"));
    assert_eq!(explanation.instruction, "lidt [rax]");
    assert!(
        so(&explanation).contains("`lidt base 0x102000"),
        "{explanation}"
    );
}

#[test]
fn a_triple_fault_is_told_fault_by_fault() {
    let code = PageFaultCode(PageFaultCode::USER);
    let address = 0xdead_b000;
    let chain = Chain {
        first: Fault::PageFault { code, address },
        second: Some(Fault::SegmentNotPresent(14 << 3 | 2)),
        third: Some(Fault::GeneralProtection(8 << 3 | 2)),
    };
    let mut context = guest(b"\x48\x8b\x03"); // mov rax, [rbx]
    context.registers[Gpr::Rbx] = address;
    let explanation = report(Ending::Died(Exit::Shutdown(chain)), &context);
    assert_eq!(explanation.what, "the guest shut down (triple fault)");
    assert_eq!(
        explanation.chain,
        [
            "#PF at 0xdeadb000 (not mapped, read, from user mode), \
             raised at worker: mov rax, [rbx]",
            "delivering #PF: #NP, gate 14 of the IDT is not present → #DF",
            "delivering #DF: #GP, gate 8 of the IDT is beyond its limit or no gate \
             → triple fault",
        ]
    );
    assert!(so(&explanation).contains("no page is mapped at 0xdeadb000"));
}

#[test]
fn a_forbidden_access_is_explained_by_what_the_page_allows() {
    let context = guest(b"");
    let protection = PageFaultCode::PROTECTION;
    let said = |rights: u64, code| {
        // The third gibibyte, where no code is.
        let entry = 2 << 30 | 1 << 7 | 1 | rights;
        let slot = crate::boot::PDPT + 2 * 8;
        context
            .space
            .memory
            .store(slot, Size::Qword, entry)
            .unwrap();
        let code = PageFaultCode(protection | code);
        let address = 0x8000_0000;
        let explanation = died_of(Fault::PageFault { code, address }, &context);
        so(&explanation).to_string()
    };
    assert!(said(2, PageFaultCode::USER).contains("belongs to the kernel"));
    assert!(said(0, PageFaultCode::WRITE).contains("not written"));
    assert!(said(1 << 63, PageFaultCode::FETCH).contains("no-execute"));
}

#[test]
fn an_address_that_is_not_canonical_is_computed_and_shown() {
    let mut context = guest(b"\x48\x8b\x44\x8b\x08"); // mov rax, [rbx+rcx*4+8]
    context.registers[Gpr::Rbx] = 0x8000_0000_0000_0000;
    context.registers[Gpr::Rcx] = 2;
    let explanation = died_of(Fault::GeneralProtection(0), &context);
    assert!(so(&explanation).starts_with("0x8000000000000010 is not canonical"));
}

#[test]
fn a_guest_out_of_time_is_found_where_it_loops() {
    let steps = (0..5).map(|index| {
        let rip = if index == 0 { START } else { WORKER + 2 };
        Step::new(Trap::Budget, 10).doing(move |context| context.rip = rip)
    });
    let context = guest(b"\xeb\xfe"); // jmp worker
    let memory = context.space.memory.clone();
    let mut pcpu = Pcpu::new(0, Scripted::new(memory, steps.collect()));
    for _ in 0..5 {
        pcpu.enter(10);
    }
    let last = pcpu.recorder.last();
    let explanation = explain(Ending::OutOfTime, pcpu.now, &context, &symbols(), last);
    assert_eq!(
        so(&explanation),
        "at its last 5 traps the guest was in worker (4), start (1)"
    );
    assert_eq!(explanation.instruction, "jmp worker");
}

#[test]
fn a_guest_that_halts_is_shown_at_its_hlt_and_told_how_to_end() {
    let mut context = guest(b"\x90\xf4");
    context.rip = WORKER + 2;
    let explanation = report(Ending::Halted, &context);
    assert_eq!(explanation.instruction, "hlt");
    assert!(so(&explanation).contains("exit port 0xf4"));
}

#[test]
fn a_virtual_cpu_that_refuses_a_used_up_budget_is_told_so() {
    let explanation = report(unsupported(Trap::Budget), &guest(b"\x90"));
    assert!(explanation.what.contains("the guest did no wrong"));
    assert!(so(&explanation).contains("must not notice"));
}

fn fault() -> impl Strategy<Value = Fault> {
    let page = (any::<u32>(), any::<u64>()).prop_map(|(code, address)| Fault::PageFault {
        code: PageFaultCode(code),
        address,
    });
    let opcode = any::<bool>().prop_map(|unimplemented| Fault::InvalidOpcode { unimplemented });
    let plain = prop::sample::select(vec![
        Fault::DivideError,
        Fault::Breakpoint,
        Fault::DoubleFault,
        Fault::GeneralProtection(0),
        Fault::StackSegment(0),
        Fault::GeneralProtection(0xffff),
    ]);
    prop_oneof![page, opcode, plain]
}

fn ending() -> impl Strategy<Value = Ending> {
    let operation = prop_oneof![
        Just(MmioOperation::Read),
        Just(MmioOperation::Fetch),
        Just(MmioOperation::Unsupported),
        any::<u64>().prop_map(MmioOperation::Write),
    ];
    let faults = (
        fault(),
        prop::option::of(fault()),
        prop::option::of(fault()),
    );
    prop_oneof![
        Just(Ending::Halted),
        Just(Ending::OutOfTime),
        Just(Ending::Exited(1)),
        fault().prop_map(|fault| unsupported(Trap::Fault(fault))),
        (operation, any::<u64>()).prop_map(|(operation, gpa)| mmio(operation, gpa)),
        faults.prop_map(|(first, second, third)| {
            Ending::Died(Exit::Shutdown(Chain {
                first,
                second,
                third,
            }))
        }),
    ]
}

proptest! {
    #[test]
    fn no_state_of_a_guest_makes_the_report_panic(
        ending in ending(),
        code in prop::collection::vec(any::<u8>(), 0..32),
        registers in any::<[u64; 16]>(),
        rip in prop_oneof![any::<u64>(), START..START + 0x200, Just(MEMORY - 1), Just(0)],
        root in prop_oneof![Just(None), (0..u64::MAX).prop_map(Some)],
    ) {
        let mut context = guest(&code);
        context.registers.0 = registers;
        context.rip = rip;
        if let Some(root) = root {
            context.space.set_root(root & !0xfff);
        }
        let record = Record { time: Time(1), pcpu: 0, rip, event: Event::Inject(1) };
        let explanation = explain(ending, Time(1), &context, &symbols(), &[record]);
        prop_assert!(explanation.to_string().starts_with("the "));
    }
}
