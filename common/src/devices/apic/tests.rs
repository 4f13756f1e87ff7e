//! The APIC as a whole, by example and against a naive model.

use super::*;
use proptest::prelude::*;

const VECTOR: u8 = 0x40;
const DIVIDE_BY_1: u32 = 0b1011;
const PERIODIC: u32 = 1 << 17;

fn enabled() -> Apic {
    let mut apic = Apic::new(0);
    apic.write(Time::ZERO, register::SPURIOUS, SOFTWARE_ENABLE | 0xff);
    apic
}

#[test]
fn after_reset_it_is_switched_off_and_everything_is_masked() {
    let mut apic = Apic::new(5);
    assert_eq!(apic.read(Time::ZERO, register::ID), 5 << 24);
    assert_eq!(apic.read(Time::ZERO, register::SPURIOUS), 0xff);
    for local_vector in (register::TIMER..=register::LAST_LOCAL_VECTOR).step_by(16) {
        assert_eq!(apic.read(Time::ZERO, local_vector), MASKED);
    }
    assert_eq!(apic.deadline(), Time::NEVER);
}

#[test]
fn a_switched_off_apic_takes_no_interrupt_and_cannot_be_unmasked() {
    let mut apic = Apic::new(0);
    apic.request(VECTOR);
    apic.write(Time::ZERO, register::TIMER, u32::from(VECTOR));
    assert_eq!(apic.read(Time::ZERO, register::TIMER) & MASKED, MASKED);
    apic.write(Time::ZERO, register::SPURIOUS, SOFTWARE_ENABLE | 0xff);
    assert_eq!(apic.pending(), None);
}

#[test]
fn switching_off_masks_the_timer_and_holds_what_was_requested() {
    let mut apic = enabled();
    apic.write(Time::ZERO, register::TIMER, u32::from(VECTOR));
    apic.request(VECTOR);
    apic.write(Time::ZERO, register::SPURIOUS, 0xff);
    assert_eq!(apic.pending(), None);
    apic.write(Time::ZERO, register::SPURIOUS, SOFTWARE_ENABLE | 0xff);
    assert_eq!(apic.pending(), Some(VECTOR));
    assert_eq!(apic.read(Time::ZERO, register::TIMER) & MASKED, MASKED);
}

#[test]
fn two_expirations_before_delivery_merge_and_one_during_service_waits() {
    let mut apic = enabled();
    apic.write(Time::ZERO, register::DIVIDE, DIVIDE_BY_1);
    apic.write(Time::ZERO, register::TIMER, PERIODIC | u32::from(VECTOR));
    apic.write(Time::ZERO, register::INITIAL_COUNT, 100);
    apic.advance(Time(250));
    assert_eq!(apic.acknowledge(), VECTOR);
    assert_eq!(apic.pending(), None);

    apic.advance(Time(300));
    assert_eq!(apic.pending(), None, "the first is still in service");
    apic.write(Time(310), register::EOI, 0);
    assert_eq!(apic.pending(), Some(VECTOR));
}

#[test]
fn only_a_higher_class_interrupts_the_one_in_service() {
    let mut apic = enabled();
    apic.request(0x45);
    apic.acknowledge();
    apic.request(0x4f);
    assert_eq!(apic.pending(), None);
    apic.request(0x50);
    assert_eq!(apic.acknowledge(), 0x50);
    apic.write(Time::ZERO, register::EOI, 0);
    assert_eq!(apic.pending(), None, "0x45 is still in service");
    apic.write(Time::ZERO, register::EOI, 0);
    assert_eq!(apic.pending(), Some(0x4f));
}

#[test]
fn the_task_priority_holds_its_class_and_all_below() {
    let mut apic = enabled();
    apic.write(Time::ZERO, register::TASK_PRIORITY, 0x43);
    apic.request(0x4f);
    assert_eq!(apic.pending(), None);
    assert_eq!(apic.read(Time::ZERO, register::PROCESSOR_PRIORITY), 0x43);
    apic.write(Time::ZERO, register::TASK_PRIORITY, 0x3f);
    assert_eq!(apic.pending(), Some(0x4f));
}

#[test]
fn with_nothing_pending_the_spurious_vector_is_acknowledged() {
    let mut apic = enabled();
    assert_eq!(apic.acknowledge(), 0xff);
    assert_eq!(apic.read(Time::ZERO, register::IN_SERVICE + 0x70), 0);
}

#[test]
fn requested_and_in_service_vectors_can_be_read() {
    let mut apic = enabled();
    apic.request(0x41);
    assert_eq!(apic.read(Time::ZERO, register::REQUESTED + 0x20), 2);
    apic.acknowledge();
    assert_eq!(apic.read(Time::ZERO, register::REQUESTED + 0x20), 0);
    assert_eq!(apic.read(Time::ZERO, register::IN_SERVICE + 0x20), 2);
}

#[test]
fn a_command_sends_to_the_destination_written_before_it() {
    let mut apic = enabled();
    assert_eq!(
        apic.write(Time::ZERO, register::COMMAND_HIGH, 3 << 24),
        None
    );
    let ipi = apic.write(Time::ZERO, register::COMMAND, u32::from(VECTOR));
    let target = IpiTarget::Id(3);
    let vector = VECTOR;
    assert_eq!(ipi, Some(Ipi { vector, target }));
}

#[test]
fn unknown_registers_read_as_zero_and_swallow_writes() {
    let mut apic = enabled();
    let before = apic.clone();
    for offset in [0x00, 0x40, 0xd0, 0x180, 0x280, 0x3f0, 0xff0] {
        apic.write(Time::ZERO, offset, u32::MAX);
        assert_eq!(apic.read(Time::ZERO, offset), 0);
    }
    assert_eq!(apic, before);
}

/// What a guest and its monitor may do to an APIC.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Start { initial: u32, periodic: bool },
    Mask(bool),
    Request(u8),
    Acknowledge,
    Eoi,
    TaskPriority(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..500u64).prop_map(Step::Wait),
        (0..200u32, any::<bool>())
            .prop_map(|(initial, periodic)| Step::Start { initial, periodic }),
        any::<bool>().prop_map(Step::Mask),
        (16..=255u8).prop_map(Step::Request),
        Just(Step::Acknowledge),
        Just(Step::Eoi),
        any::<u8>().prop_map(Step::TaskPriority),
    ]
}

/// The same machine without any cleverness: the timer counts tick by tick, the
/// sets are lists.
#[derive(Default)]
struct Oracle {
    count: u32,
    initial: u32,
    periodic: bool,
    masked: bool,
    requested: Vec<u8>,
    in_service: Vec<u8>,
    task_priority: u8,
}

impl Oracle {
    fn request(&mut self, vector: u8) {
        if !self.requested.contains(&vector) {
            self.requested.push(vector);
        }
    }

    fn tick(&mut self) {
        if self.count == 0 {
            return;
        }
        self.count -= 1;
        if self.count == 0 {
            if !self.masked {
                self.request(VECTOR);
            }
            if self.periodic {
                self.count = self.initial;
            }
        }
    }

    fn pending(&self) -> Option<u8> {
        let highest = *self.requested.iter().max()?;
        let blocked = |by: u8| highest >> 4 <= by >> 4;
        let free = !blocked(self.task_priority) && !self.in_service.iter().any(|by| blocked(*by));
        free.then_some(highest)
    }

    fn acknowledge(&mut self) {
        if let Some(vector) = self.pending() {
            self.requested.retain(|other| *other != vector);
            self.in_service.push(vector);
        }
    }

    fn eoi(&mut self) {
        if let Some(highest) = self.in_service.iter().copied().max() {
            self.in_service.retain(|other| *other != highest);
        }
    }
}

fn apply(apic: &mut Apic, oracle: &mut Oracle, now: &mut Time, step: Step) {
    let local_vector = |oracle: &Oracle| {
        u32::from(VECTOR)
            | if oracle.masked { MASKED } else { 0 }
            | if oracle.periodic { PERIODIC } else { 0 }
    };
    match step {
        Step::Wait(ticks) => {
            *now += ticks;
            (0..ticks).for_each(|_| oracle.tick());
            apic.advance(*now);
        }
        Step::Start { initial, periodic } => {
            oracle.periodic = periodic;
            oracle.initial = initial;
            oracle.count = initial;
            apic.write(*now, register::TIMER, local_vector(oracle));
            apic.write(*now, register::INITIAL_COUNT, initial);
        }
        Step::Mask(masked) => {
            oracle.masked = masked;
            apic.write(*now, register::TIMER, local_vector(oracle));
        }
        Step::Request(vector) => {
            oracle.request(vector);
            apic.request(vector);
        }
        Step::Acknowledge => {
            oracle.acknowledge();
            apic.acknowledge();
        }
        Step::Eoi => {
            oracle.eoi();
            apic.write(*now, register::EOI, 0);
        }
        Step::TaskPriority(priority) => {
            oracle.task_priority = priority;
            apic.write(*now, register::TASK_PRIORITY, u32::from(priority));
        }
    }
}

proptest! {
    #[test]
    fn it_behaves_as_one_that_counts_every_tick(steps in prop::collection::vec(step(), 1..60)) {
        let mut apic = enabled();
        let mut oracle = Oracle::default();
        let mut now = Time::ZERO;
        apic.write(now, register::DIVIDE, DIVIDE_BY_1);
        apic.write(now, register::TIMER, u32::from(VECTOR));
        for step in steps {
            apply(&mut apic, &mut oracle, &mut now, step);
            prop_assert_eq!(apic.pending(), oracle.pending(), "after {:?}", step);
            prop_assert_eq!(apic.read(now, register::CURRENT_COUNT), oracle.count);
            let due = match oracle.count {
                0 => Time::NEVER,
                _ if oracle.masked => Time::NEVER,
                count => now + u64::from(count),
            };
            prop_assert_eq!(apic.deadline(), due);
        }
    }
}
