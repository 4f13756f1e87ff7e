use super::*;
use crate::testing::*;
use common::PageFaultCode;
use proptest::prelude::*;

const TICK: Event = Event::Interrupt(32);

fn trap(instruction: SystemInstruction, length: u8) -> Trap {
    Trap::System {
        instruction,
        length,
    }
}

fn iretq(core: &mut Core, context: &mut Context) -> Next {
    let size = Size::Qword;
    core.on_trap(context, trap(SystemInstruction::Iret { size }, 2))
}

#[test]
fn a_handler_finds_what_the_guest_was_doing_on_an_aligned_stack() {
    let (mut context, mut core) = booted();
    context.rip = 0x10_1234;
    context.registers[Gpr::Rsp] = 0x8_fff3;
    context.flags |= flags::ZF;
    core.interrupts.set(true);
    assert_eq!(core.deliver(&mut context, TICK), Next::Resume);

    assert_eq!(context.rip, HANDLERS + 32);
    assert_eq!(context.registers[Gpr::Rsp], 0x8_fff0 - 5 * 8);
    let saved_flags = flags::ALWAYS | flags::ZF | IF;
    let frame = [0x10_1234, 0x10, saved_flags, 0x8_fff3, 0x18];
    assert_eq!(stack(&context, 5), frame);
}

#[test]
fn an_exception_with_an_error_code_has_it_below_its_frame() {
    let (mut context, mut core) = booted();
    let fault = Fault::PageFault {
        code: PageFaultCode(PageFaultCode::WRITE),
        address: 0xdead_beef,
    };
    core.deliver(&mut context, Event::Exception(fault));
    assert_eq!(stack(&context, 2), [2, 0x10_0000]);
    assert_eq!(core.cr2, 0xdead_beef);
}

#[test]
fn an_interrupt_gate_closes_interrupts_and_a_trap_gate_does_not() {
    for (kind, open) in [(INTERRUPT_GATE, false), (TRAP_GATE, true)] {
        let (mut context, mut core) = booted();
        set_gate(&mut context, 32, kind, KERNEL_CODE);
        core.interrupts.set(true);
        core.deliver(&mut context, TICK);
        assert_eq!(core.interrupts.are_open(), open, "gate type {kind:#x}");
    }
}

#[test]
fn returning_from_a_handler_undoes_its_entry() {
    let (mut context, mut core) = booted();
    context.flags |= flags::CF | flags::DF;
    core.interrupts.set(true);
    let before = (context.clone(), core.clone());
    core.deliver(&mut context, TICK);
    assert_eq!(iretq(&mut core, &mut context), Next::Resume);
    assert_eq!(context.rip, before.0.rip);
    assert_eq!(context.registers, before.0.registers);
    assert_eq!(context.flags, before.0.flags);
    assert_eq!(core, before.1);
}

#[test]
fn returning_to_a_segment_that_is_not_the_kernels_changes_nothing() {
    let (mut context, mut core) = booted();
    core.deliver(&mut context, TICK);
    let cs = context.registers[Gpr::Rsp] + 8;
    context.write(cs, Size::Qword, 0x33).unwrap();
    let before = context.registers;
    let fault = Fault::GeneralProtection(0x30);
    assert_eq!(
        iretq(&mut core, &mut context),
        Next::Raise(Event::Exception(fault))
    );
    assert_eq!(context.registers, before);
}

#[test]
fn a_broken_gate_is_a_fault_that_names_it() {
    let cases = [
        (0x8c, KERNEL_CODE, Fault::GeneralProtection(32 << 3 | 3)),
        (0x0e, KERNEL_CODE, Fault::SegmentNotPresent(32 << 3 | 3)),
        (0x8e, 0, Fault::GeneralProtection(0)),
        (0x8e, KERNEL_DATA, Fault::GeneralProtection(KERNEL_DATA)),
        (0x8e, 0x30, Fault::GeneralProtection(0x30)),
    ];
    for (kind, selector, fault) in cases {
        let (mut context, mut core) = booted();
        set_gate(&mut context, 32, kind, selector);
        let before = context.registers;
        let raised = Next::Raise(Event::Exception(fault));
        assert_eq!(core.deliver(&mut context, TICK), raised);
        assert_eq!(context.registers, before);
    }
}

#[test]
fn a_table_without_any_gate_ends_in_a_triple_fault_that_tells_its_story() {
    let (mut context, mut core) = booted();
    core.handlers.limit = 0;
    let mut next = core.deliver(&mut context, Event::Exception(Fault::DivideError));
    while let Next::Raise(event) = next {
        next = core.deliver(&mut context, event);
    }
    let chain = Chain {
        first: Fault::DivideError,
        second: Some(Fault::GeneralProtection(3)),
        third: Some(Fault::GeneralProtection(8 << 3 | 3)),
    };
    assert_eq!(next, Next::Exit(Exit::Shutdown(chain)));
}

#[test]
fn popf_opens_interrupts_at_once_and_pushf_shows_it() {
    let (mut context, mut core) = booted();
    let size = Size::Qword;
    context.registers[Gpr::Rsp] = 0x8_0000;
    context.write(0x8_0000, size, IF | flags::CF).unwrap();
    core.on_trap(&mut context, trap(SystemInstruction::Popf { size }, 1));
    assert!(core.can_inject());
    core.on_trap(&mut context, trap(SystemInstruction::Pushf { size }, 1));
    assert_eq!(context.registers[Gpr::Rsp], 0x8_0000);
    assert_eq!(stack(&context, 1), [IF | flags::CF | flags::ALWAYS]);
    assert_eq!(context.rip, 0x10_0002);
}

#[test]
fn the_trap_flag_is_refused_and_not_ignored() {
    let (mut context, mut core) = booted();
    let size = Size::Qword;
    let popf = trap(SystemInstruction::Popf { size }, 1);
    context.registers[Gpr::Rsp] = 0x8_0000;
    context.write(0x8_0000, size, TF).unwrap();
    let refused = Next::Exit(Exit::Unsupported(popf));
    assert_eq!(core.on_trap(&mut context, popf), refused);
}

/// What a schedule does next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Cli,
    Sti,
    Run,
    Tick,
    Iret,
}

/// A CPU as a child would describe it: a flag, a shadow, one waiting tick, and
/// a pile of flags to come back to.
#[derive(Default)]
struct Naive {
    open: bool,
    shadow: bool,
    due: bool,
    saved: Vec<bool>,
    taken: usize,
}

impl Naive {
    fn tick_if_possible(&mut self) {
        if self.due && self.open && !self.shadow {
            self.due = false;
            self.taken += 1;
            self.saved.push(self.open);
            self.open = false;
        }
    }

    fn instruction(&mut self, what: Move) {
        let was_open = self.open;
        self.shadow = false;
        match what {
            Move::Cli => self.open = false,
            Move::Sti => {
                self.open = true;
                self.shadow = !was_open;
            }
            Move::Iret => {
                if let Some(open) = self.saved.pop() {
                    self.open = open;
                }
            }
            Move::Run | Move::Tick => {}
        }
    }
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        Just(Move::Cli),
        Just(Move::Sti),
        Just(Move::Run),
        Just(Move::Tick),
        Just(Move::Iret),
    ]
}

proptest! {
    #[test]
    fn no_schedule_of_ticks_loses_doubles_or_misplaces_one(
        moves in prop::collection::vec(a_move(), 1..200),
    ) {
        let (mut context, mut core) = booted();
        let mut naive = Naive::default();
        let mut due = false;
        let mut taken = 0;
        for what in moves {
            if matches!(what, Move::Tick) {
                due = true;
                naive.due = true;
            }
            // The monitor's part: offer what is due.
            if due && core.inject(32).is_ok() {
                due = false;
            }
            naive.tick_if_possible();
            // The loop's part.
            let mut entered = core.before_enter(&mut context);
            if let Err(Next::Raise(event)) = entered {
                prop_assert_eq!(core.deliver(&mut context, event), Next::Resume);
                taken += 1;
                entered = core.before_enter(&mut context);
            }
            prop_assert!(entered.is_ok());
            prop_assert_eq!(taken, naive.taken);
            // The guest's part: one instruction.
            match what {
                Move::Cli => { core.on_trap(&mut context, trap(SystemInstruction::Cli, 1)); }
                Move::Sti => { core.on_trap(&mut context, trap(SystemInstruction::Sti, 1)); }
                Move::Iret if !naive.saved.is_empty() => {
                    prop_assert_eq!(iretq(&mut core, &mut context), Next::Resume);
                }
                _ => context.rip += 1,
            }
            naive.instruction(what);
            prop_assert_eq!(core.interrupts.are_open(), naive.open);
            prop_assert_eq!(core.can_inject(), naive.open && !naive.shadow);
        }
    }
}
