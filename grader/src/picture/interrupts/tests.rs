//! Tests of which interrupts were due, and what kept them.

use super::*;
use crate::picture::testing::{example, image, machine, moment};
use common::Size;
use common::trace::DeviceAccess;

/// A write to the APIC.
fn write(offset: u16, value: u64) -> Event {
    Event::Device(DeviceAccess {
        device: Device::Apic,
        address: bus::APIC + u64::from(offset),
        size: Size::Dword,
        write: true,
        value,
    })
}

fn trap(instruction: SystemInstruction) -> Event {
    let length = 1;
    let trap = Trap::System {
        instruction,
        length,
    };
    Event::Trap { trap, retired: 0 }
}

/// The guest switches its APIC on.
const ON: (u16, u64) = (register::SPURIOUS, 0x1ff);

/// It sets a timer that ticks every 100, and opens interrupts.
fn ticking() -> Vec<(u64, u8, Event)> {
    const PERIODIC: u64 = 1 << 17;
    let writes = [
        ON,
        (register::DIVIDE, 0b1011),
        (register::TIMER, PERIODIC | 32),
        (register::INITIAL_COUNT, 100),
    ];
    let writes = writes.map(|(offset, value)| (0, 0, write(offset, value)));
    let mut events = Vec::from(writes);
    events.push((1, 0, trap(SystemInstruction::Sti)));
    events
}

/// What is found in these events (time, vCPU, event) on one physical CPU.
fn told(events: Vec<(u64, u8, Event)>) -> Vec<Interrupt> {
    let image = image();
    let moments = events.into_iter();
    let moments = moments.map(|(time, vcpu, event)| moment(time, 0, vcpu, event));
    let found = find(&machine(&image, moments.collect(), 1_000));
    let told = found.into_iter().map(|found| found.told(&example(), &[]));
    told.collect()
}

#[test]
fn a_tick_waits_for_interrupts_to_open_and_it_is_told_who_closed_them() {
    let mut events = ticking();
    events.push((90, 0, trap(SystemInstruction::Cli)));
    events.push((129, 0, trap(SystemInstruction::Sti)));
    events.push((130, 0, Event::Inject(32)));
    let told = told(events);
    assert_eq!((told[0].due, told[0].delivered), (100, Some(130)));
    let words =
        "tick 32 due at 100, delivered at 130, 30 later: interrupts were closed from 90 on by cli";
    assert!(told[0].words.starts_with(words), "{}", told[0].words);
}

#[test]
fn a_tick_that_is_taken_when_it_is_due_needs_no_reason() {
    let mut events = ticking();
    events.push((100, 0, Event::Inject(32)));
    assert_eq!(
        told(events)[0].words,
        "tick 32 due at 100, delivered at once"
    );
}

#[test]
fn periods_that_nobody_looked_at_are_one_interrupt() {
    let mut events = ticking();
    events.push((350, 0, Event::Inject(32)));
    let told = told(events);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].due, told[0].merged), (100, 2));
    assert!(told[0].words.contains("2 times more"), "{}", told[0].words);
}

#[test]
fn without_eoi_a_later_tick_is_kept_by_the_one_in_service() {
    let mut events = ticking();
    events.push((100, 0, Event::Inject(32)));
    events.push((120, 0, trap(SystemInstruction::Iret { size: Size::Qword })));
    events.push((240, 0, write(register::EOI, 0)));
    events.push((241, 0, Event::Inject(32)));
    let told = told(events);
    let words = "vector 32 was in service from 100 on, without EOI";
    assert!(told[1].words.contains(words), "{}", told[1].words);
}

#[test]
fn an_ipi_is_due_at_its_target_when_it_is_sent() {
    let runs = |vcpu| Event::Runs(VcpuName { vm: 0, vcpu });
    let told = told(vec![
        (0, 1, runs(1)),
        (0, 1, write(ON.0, ON.1)),
        (5, 1, trap(SystemInstruction::Sti)),
        (10, 0, runs(0)),
        (20, 0, write(register::COMMAND_HIGH, 1 << 24)),
        (21, 0, write(register::COMMAND, 0x40)),
        (30, 1, runs(1)),
        (30, 1, Event::Inject(0x40)),
    ]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].vcpu, told[0].due, told[0].delivered),
        (1, 21, Some(30))
    );
    assert_eq!(told[0].source, Source::Vcpu { vcpu: 0, pcpu: 0 });
    let words = "IPI 64 from vcpu 0 sent at 21, delivered at 30, 9 later: it had no pcpu until 30";
    assert_eq!(told[0].words, words);
}
