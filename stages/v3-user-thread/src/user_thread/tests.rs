use super::*;
use common::boot::{GDT, GDT_LIMIT, selectors::*};
use common::{Boot, Chain, Exit, Memory, flags};
use proptest::prelude::*;
use v2::DescriptorTable;

const IDT: u64 = 0x18_0000;
const HANDLERS: u64 = 0x11_0000;
const TSS: u64 = 0x19_0000;
const TSS_SELECTOR: u16 = 0x40;
const KERNEL_STACK: u64 = 0x7_0000;
const SYSTEM_CALL: u64 = 0x12_0000;
/// The address at which user code sees all of memory, from 0.
const USER: u64 = 0x80_0000_0000;
const USER_STACK: u64 = USER + 0x6_0000;
const IF: u64 = 1 << 9;

/// A guest kernel that has set up everything and now runs its user thread.
fn in_user_mode() -> (Context, Core) {
    let memory = Memory::new(2 << 20).unwrap();
    let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
    let mut context = Context::new(memory.clone());
    v1::prepare(&boot, &mut context);
    map_user_pages(&memory);
    let mut core = Core::new();
    set_up_tables(&memory, &mut core);
    core.task = TaskRegister::load(&mut context, core.below.segments, TSS_SELECTOR).unwrap();
    write_msr(&mut core, &mut context, 0xc000_0080, 0xd01).unwrap();
    let star = u64::from(USER_CODE_32) << 48 | u64::from(KERNEL_CODE) << 32;
    write_msr(&mut core, &mut context, 0xc000_0081, star).unwrap();
    write_msr(&mut core, &mut context, 0xc000_0082, SYSTEM_CALL).unwrap();
    write_msr(&mut core, &mut context, 0xc000_0084, IF | flags::DF).unwrap();
    let frame = Frame {
        ss: USER_DATA,
        rsp: USER_STACK,
        flags: IF | flags::ZF,
        cs: USER_CODE,
        rip: USER + 0x10_0000,
        error_code: None,
    };
    core.below.resume_at(&mut context, frame);
    Mode::User.enter(&mut context);
    (context, core)
}

fn map_user_pages(memory: &Memory) {
    const TABLE: u64 = 0x4000;
    const USER_WRITABLE: u64 = 7;
    const LARGE: u64 = 1 << 7;
    memory.store(0x2008, Size::Qword, TABLE | USER_WRITABLE);
    memory.store(TABLE, Size::Qword, LARGE | USER_WRITABLE);
}

fn set_up_tables(memory: &Memory, core: &mut Core) {
    let limit = TSS_SELECTOR + 15;
    assert!(limit > GDT_LIMIT);
    core.below.segments = DescriptorTable { base: GDT, limit };
    let tss = 0x67 | (TSS & 0xff_ffff) << 16 | 0x89 << 40;
    memory.store(GDT + u64::from(TSS_SELECTOR), Size::Qword, tss);
    memory.store(TSS + 4, Size::Qword, KERNEL_STACK);
    for vector in 0..64 {
        let handler = HANDLERS + vector;
        let low = handler & 0xffff | 0x10 << 16 | 0x8e << 40 | (handler & 0xffff_0000) << 32;
        memory.store(IDT + vector * 16, Size::Qword, low);
    }
    let (base, limit) = (IDT, 64 * 16 - 1);
    core.below.handlers = DescriptorTable { base, limit };
}

fn write_msr(
    core: &mut Core,
    context: &mut Context,
    register: u64,
    value: u64,
) -> Result<(), Fault> {
    context.registers[Gpr::Rcx] = register;
    context.registers[Gpr::Rax] = value & 0xffff_ffff;
    context.registers[Gpr::Rdx] = value >> 32;
    core.msrs.write(context)
}

fn run(core: &mut Core, context: &mut Context, instruction: SystemInstruction) -> Next {
    let length = 2;
    let trap = Trap::System {
        instruction,
        length,
    };
    core.on_trap(context, trap)
}

fn protection(code: u16) -> Next {
    Next::Raise(Event::Exception(Fault::GeneralProtection(code)))
}

const SYSRET: SystemInstruction = SystemInstruction::Sysret { size: Size::Qword };
const IRETQ: SystemInstruction = SystemInstruction::Iret { size: Size::Qword };

#[test]
fn a_system_call_reaches_the_kernel_with_the_way_back_in_two_registers() {
    let (mut context, mut core) = in_user_mode();
    let next = run(&mut core, &mut context, SystemInstruction::Syscall);
    assert_eq!(next, Next::Resume);
    assert_eq!(context.rip, SYSTEM_CALL);
    assert_eq!(context.registers[Gpr::Rcx], USER + 0x10_0002);
    assert_eq!(context.registers[Gpr::R11], IF | flags::ZF | flags::ALWAYS);
    assert_eq!(context.registers[Gpr::Rsp], USER_STACK, "the stack stays");
    assert!(!core.can_inject(), "FMASK closes interrupts");
    assert_eq!((core.below.cs, core.below.ss), (KERNEL_CODE, KERNEL_DATA));
    assert_eq!(Mode::of(&context), Mode::Kernel);
}

#[test]
fn returning_from_a_system_call_undoes_it() {
    let (mut context, mut core) = in_user_mode();
    let before = core.clone();
    run(&mut core, &mut context, SystemInstruction::Syscall);
    assert_eq!(run(&mut core, &mut context, SYSRET), Next::Resume);
    assert_eq!(context.rip, USER + 0x10_0002);
    assert_eq!(context.flags, flags::ZF | flags::ALWAYS);
    assert_eq!(Mode::of(&context), Mode::User);
    assert_eq!(core, before);
}

#[test]
fn a_return_to_an_impossible_address_faults_in_the_kernel() {
    let (mut context, mut core) = in_user_mode();
    run(&mut core, &mut context, SystemInstruction::Syscall);
    context.registers[Gpr::Rcx] = 1 << 63;
    assert_eq!(run(&mut core, &mut context, SYSRET), protection(0));
    assert_eq!(Mode::of(&context), Mode::Kernel);
}

#[test]
fn there_is_no_system_call_before_the_kernel_allows_it() {
    let (mut context, mut core) = in_user_mode();
    core.msrs = Msrs::default();
    let invalid = Fault::InvalidOpcode {
        unimplemented: false,
    };
    assert_eq!(
        run(&mut core, &mut context, SystemInstruction::Syscall),
        Next::Raise(Event::Exception(invalid))
    );
    assert_eq!(Mode::of(&context), Mode::User);
}

#[test]
fn a_tick_in_user_mode_is_handled_on_the_kernels_stack() {
    let (mut context, mut core) = in_user_mode();
    assert_eq!(
        core.deliver(&mut context, Event::Interrupt(32)),
        Next::Resume
    );
    assert_eq!(Mode::of(&context), Mode::Kernel);
    assert_eq!(context.rip, HANDLERS + 32);
    assert_eq!((core.below.cs, core.below.ss), (KERNEL_CODE, 0));
    let top = context.registers[Gpr::Rsp];
    assert_eq!(top, KERNEL_STACK - 5 * 8);
    let slot = |number: u64| context.read(top + 8 * number, Size::Qword).unwrap();
    let flags = IF | flags::ZF | flags::ALWAYS;
    let (cs, ss) = (u64::from(USER_CODE), u64::from(USER_DATA));
    let frame = [USER + 0x10_0000, cs, flags, USER_STACK, ss];
    assert_eq!([0, 1, 2, 3, 4].map(slot), frame);
}

#[test]
fn iretq_goes_back_to_the_user_as_if_nothing_had_happened() {
    let (mut context, mut core) = in_user_mode();
    let (registers, rip, flags) = (context.registers, context.rip, context.flags);
    let before = core.clone();
    core.deliver(&mut context, Event::Interrupt(32));
    assert_eq!(run(&mut core, &mut context, IRETQ), Next::Resume);
    assert_eq!(Mode::of(&context), Mode::User);
    assert_eq!(context.registers, registers);
    assert_eq!((context.rip, context.flags), (rip, flags));
    assert_eq!(core, before);
}

#[test]
fn user_code_cannot_return_into_the_kernel() {
    let (mut context, mut core) = in_user_mode();
    let frame = [0x10_0000, u64::from(KERNEL_CODE), 2, 0x9_0000, 0x18];
    for (number, slot) in (0..).zip(frame) {
        let address = USER_STACK + 8 * number;
        context.write(address, Size::Qword, slot).unwrap();
    }
    assert_eq!(run(&mut core, &mut context, IRETQ), protection(KERNEL_CODE));
    assert_eq!(Mode::of(&context), Mode::User);
}

#[test]
fn a_kernel_stack_that_is_not_there_ends_in_a_triple_fault() {
    let (mut context, mut core) = in_user_mode();
    let memory = context.space.memory.clone();
    memory.store(TSS + 4, Size::Qword, 0);
    let fault = Fault::DivideError;
    let mut next = core.deliver(&mut context, Event::Exception(fault));
    while let Next::Raise(event) = next {
        assert_eq!(Mode::of(&context), Mode::User);
        next = core.deliver(&mut context, event);
    }
    let Next::Exit(Exit::Shutdown(Chain { first, second, .. })) = next else {
        panic!("{next:?}");
    };
    assert_eq!(
        first.vector(),
        14,
        "the push faulted, and #DE is not contributory to it"
    );
    assert_eq!(second.map(Fault::vector), Some(14));
}

#[test]
fn every_privileged_instruction_of_user_code_is_its_own_kernels_fault() {
    let (port, size) = (0x3f8, Size::Byte);
    let attempts = [
        SystemInstruction::Cli,
        SystemInstruction::Sti,
        SystemInstruction::Hlt,
        SystemInstruction::In { port, size },
        SystemInstruction::Out { port, size },
        SystemInstruction::Wrmsr,
        SystemInstruction::Swapgs,
        SystemInstruction::Lidt { limit: 0, base: 0 },
        SystemInstruction::WriteControl {
            control: 3,
            value: 0,
        },
        SYSRET,
        SystemInstruction::Other,
    ];
    for attempt in attempts {
        let (mut context, mut core) = in_user_mode();
        let before = core.clone();
        assert_eq!(run(&mut core, &mut context, attempt), protection(0));
        assert_eq!(context.rip, USER + 0x10_0000, "{attempt:?}");
        assert_eq!(core, before, "{attempt:?}");
    }
}

#[test]
fn user_code_cannot_close_interrupts_by_popf() {
    let (mut context, mut core) = in_user_mode();
    let size = Size::Qword;
    context.write(USER_STACK, size, flags::CF).unwrap();
    run(&mut core, &mut context, SystemInstruction::Popf { size });
    assert!(core.can_inject());
    assert_eq!(context.flags, flags::CF | flags::ALWAYS);
}

#[test]
fn what_the_kernel_sees_the_user_does_not() {
    let (mut context, _) = in_user_mode();
    assert!(context.read(KERNEL_STACK - 8, Size::Qword).is_err());
    Mode::Kernel.enter(&mut context);
    assert!(context.read(KERNEL_STACK - 8, Size::Qword).is_ok());
}

#[test]
fn swapgs_exchanges_the_bases_and_bad_addresses_are_refused() {
    let (mut context, mut core) = in_user_mode();
    Mode::Kernel.enter(&mut context);
    context.gs_base = 0x1111;
    write_msr(&mut core, &mut context, 0xc000_0102, 0x2222).unwrap();
    run(&mut core, &mut context, SystemInstruction::Swapgs);
    assert_eq!(context.gs_base, 0x2222);
    let refused = write_msr(&mut core, &mut context, 0xc000_0101, 1 << 63);
    assert_eq!(refused, Err(Fault::GeneralProtection(0)));
    assert_eq!(context.gs_base, 0x2222);
}

#[test]
fn loading_a_task_register_twice_is_refused_as_the_segment_is_busy() {
    let (mut context, core) = in_user_mode();
    Mode::Kernel.enter(&mut context);
    let again = TaskRegister::load(&mut context, core.below.segments, TSS_SELECTOR);
    assert_eq!(again, Err(Fault::GeneralProtection(TSS_SELECTOR)));
}

proptest! {
    #[test]
    fn any_registers_survive_any_event_from_user_mode(
        registers in any::<[u64; 16]>(),
        user_flags in any::<u64>(),
        vector in 0u8..64,
    ) {
        let (mut context, mut core) = in_user_mode();
        context.registers.0 = registers;
        context.flags = user_flags & flags::USER | flags::ALWAYS;
        let before = (context.registers, context.flags, context.rip, core.clone());
        prop_assert_eq!(core.deliver(&mut context, Event::Interrupt(vector)), Next::Resume);
        prop_assert_eq!(run(&mut core, &mut context, IRETQ), Next::Resume);
        prop_assert_eq!((context.registers, context.flags, context.rip, core), before);
    }
}
