//! What was seen, in words: instructions, what changed from one moment to the
//! next, and what the virtual CPU decided.
//!
//! The words are made from observations alone: the records of the machine, the
//! version's own answers, and the state before and after.

use common::trace::{self, Text, VcpuName};
use common::{Exit, Gpr, Symbols, Trap, disassemble, flags};
use evidence::host::{Frame as HostFrame, Outcome};
use evidence::session::{Decision, Event, Gone, News, Next, Order, Scene, Stop, What};
use evidence::{Frame, GivenUp, Panic};
use std::collections::BTreeMap;

pub use super::pages::page;

/// No instruction is longer.
const LONGEST: u64 = 15;

/// A line of news: who did it, and what.
pub type Line = (&'static str, String);

/// The instruction that comes next.
pub fn instruction(scene: &Scene, symbols: &Symbols) -> String {
    let bytes = &scene.code.0;
    match disassemble(bytes, scene.registers.rip, symbols) {
        Some((text, _)) => text,
        None if bytes.is_empty() => String::from("no memory here to read the instruction from"),
        None => String::from("no instruction"),
    }
}

/// The mode of the code that runs, by its view of memory.
pub const fn mode(scene: &Scene) -> &'static str {
    match scene.kernel_view {
        true => "kernel",
        false => "user",
    }
}

/// Which registers of the raw CPU changed, in the order of their numbers, and to
/// what; without RIP, which changes always.
pub fn changed_registers(before: &Scene, after: &Scene) -> Vec<String> {
    let mut changes = Vec::new();
    for register in Gpr::ALL {
        let [old, new] = [before, after].map(|scene| scene.registers.get(register));
        if old != new {
            changes.push(format!("{} {old:#x} → {new:#x}", register.name()));
        }
    }
    let [old, new] = [before, after].map(|scene| scene.registers.flags);
    if old != new {
        changes.push(format!("flags {} → {}", flag_names(old), flag_names(new)));
    }
    let others = [
        ("fs base", before.fs_base, after.fs_base),
        ("gs base", before.gs_base, after.gs_base),
        ("cr3", before.root, after.root),
    ];
    for (name, old, new) in others {
        if old != new {
            changes.push(format!("{name} {old:#x} → {new:#x}"));
        }
    }
    changes
}

/// What changed of the state that the virtual CPU emulates, and the mode.
pub fn changed_state(before: &Scene, after: &Scene) -> Vec<String> {
    let mut changes = Vec::new();
    if before.kernel_view != after.kernel_view {
        changes.push(format!("mode {} → {}", mode(before), mode(after)));
    }
    for (name, new) in &after.state {
        let old = before.state.iter().find(|(known, _)| known == name);
        match old {
            Some((_, old)) if old != new => changes.push(format!("{name} {old} → {new}")),
            _ => {}
        }
    }
    changes
}

/// The names of the flags that are set, such as `ZF PF`; `none` if none is.
pub fn flag_names(value: u64) -> String {
    let names = [
        ("CF", flags::CF),
        ("PF", flags::PF),
        ("AF", flags::AF),
        ("ZF", flags::ZF),
        ("SF", flags::SF),
        ("DF", flags::DF),
        ("OF", flags::OF),
    ];
    let set = names.iter().filter(|(_, flag)| value & flag != 0);
    let set: Vec<_> = set.map(|(name, _)| *name).collect();
    match set.is_empty() {
        true => String::from("none"),
        false => set.join(" "),
    }
}

/// One piece of news, if it is worth a line. `name` names vCPUs.
pub fn news(news: &News, symbols: &Symbols, name: &dyn Fn(VcpuName) -> String) -> Option<Line> {
    match &news.what {
        What::One(frame) => frame_in_words(frame, symbols),
        What::Many(frame) => host_frame_in_words(frame, symbols, name),
        What::Decided(decision) => Some((
            match decision {
                Decision::Ordered { .. } => "you",
                _ => "vmm",
            },
            decision_in_words(*decision, symbols)?,
        )),
    }
}

/// What guests print, line by line if there are many: then it is said whose it is.
#[derive(Default)]
pub struct Printed {
    /// What each VM has begun and not ended.
    begun: BTreeMap<u32, Vec<u8>>,
}

impl Printed {
    /// What can be shown after this piece of news.
    pub fn hear(&mut self, news: &News) -> String {
        match &news.what {
            What::One(Frame::Console(bytes)) => String::from_utf8_lossy(&bytes.0).into_owned(),
            What::Many(HostFrame::Console { vm, bytes }) => {
                let begun = self.begun.entry(*vm).or_default();
                begun.extend(&bytes.0);
                let ended = begun.iter().rposition(|byte| *byte == b'\n');
                let ended = ended.map_or(0, |last| last + 1);
                lines(*vm, &begun.drain(..ended).collect::<Vec<_>>())
            }
            _ => String::new(),
        }
    }

    /// What has been begun.
    pub fn rest(self) -> String {
        let begun = self.begun.iter();
        begun.map(|(vm, bytes)| lines(*vm, bytes)).collect()
    }
}

fn lines(vm: u32, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines();
    lines.map(|line| format!("vm {vm} | {line}\n")).collect()
}

fn frame_in_words(frame: &Frame, symbols: &Symbols) -> Option<Line> {
    match frame {
        Frame::Record(record) => record_in_words(record, symbols),
        Frame::Stopped => Some((
            "vmm",
            String::from("the monitor came back because of a kick"),
        )),
        Frame::GivenUp(why) => Some(("stand", given_up(*why))),
        Frame::Panic(panic) => Some(("panic", panic_in_words(panic))),
        Frame::End(end) => {
            let text = end.claim.map(|ending| ending.to_string());
            Some(("end", text?))
        }
        Frame::Begin { .. } | Frame::Prepared(_) | Frame::Console(_) => None,
    }
}

fn host_frame_in_words(
    frame: &HostFrame,
    symbols: &Symbols,
    name: &dyn Fn(VcpuName) -> String,
) -> Option<Line> {
    match frame {
        HostFrame::Record(record) => match record.event {
            trace::Event::Runs(vcpu) => {
                Some(("runs", format!("{} on cpu {}", name(vcpu), record.pcpu)))
            }
            _ => record_in_words(record, symbols),
        },
        HostFrame::CarriedOut(done) => {
            let refused = match &done.refused {
                Some(why) => format!(", refused: {why}"),
                None => String::new(),
            };
            Some(("asked", format!("{}{refused}", done.deed)))
        }
        HostFrame::Ended(ended) => {
            Some(("vm", format!("{} has ended: {}", ended.vm, ended.ending)))
        }
        HostFrame::Violation(wrong) => {
            Some(("wrong", format!("{} {}", name(wrong.vcpu), wrong.what)))
        }
        HostFrame::Lost(lost) => Some(("wrong", lost.wrong.clone())),
        HostFrame::GivenUp(why) => Some(("stand", given_up(*why))),
        HostFrame::Panic(panic) => Some(("panic", panic_in_words(panic))),
        HostFrame::Refused(why) => Some(("stand", why.clone())),
        HostFrame::End(end) => {
            let text = match end.outcome? {
                Outcome::Done => "no vm is left alive",
                Outcome::LimitReached => "the time given is up",
                Outcome::Stuck => "every physical cpu sleeps, and nobody can wake one",
            };
            Some(("end", String::from(text)))
        }
        HostFrame::Begin { .. }
        | HostFrame::Holds(_)
        | HostFrame::Run { .. }
        | HostFrame::Console { .. }
        | HostFrame::Vm(_) => None,
    }
}

/// An event of the machine. Entries, and traps that only end them, say nothing.
fn record_in_words(record: &trace::Record, symbols: &Symbols) -> Option<Line> {
    let line = Text::new(symbols).line(record);
    match record.event {
        trace::Event::Enter { .. }
        | trace::Event::Trap {
            trap: Trap::Budget, ..
        } => None,
        trace::Event::Trap { trap, .. } => Some(("trap", trap.to_string())),
        trace::Event::Exit(_) => Some(("exit", line.what)),
        trace::Event::Inject(_) => Some(("inject", line.what)),
        trace::Event::Device(_) => Some(("device", line.what)),
        trace::Event::Runs(_) => Some(("runs", format!("{} on cpu {}", line.what, record.pcpu))),
        trace::Event::Idle => Some(("idle", format!("cpu {}", record.pcpu))),
    }
}

fn decision_in_words(decision: Decision, symbols: &Symbols) -> Option<String> {
    Some(match decision {
        Decision::OnTrap { rip, next } => match next {
            Next::Resume if (1..=LONGEST).contains(&rip[1].wrapping_sub(rip[0])) => {
                String::from("emulates it, and the guest goes on")
            }
            Next::Resume => {
                let to = symbols.place(rip[1]);
                format!("emulates it, and the guest goes on at {to}")
            }
            Next::Raise(event) => format!("answers with {}", event_in_words(event)),
            Next::Exit(_) => String::from("hands it to the monitor"),
        },
        Decision::BeforeEntry(Next::Exit(Exit::WindowOpen)) => {
            String::from("interrupts are open now: back to the monitor, which waits for that")
        }
        Decision::BeforeEntry(Next::Exit(_)) => {
            String::from("back to the monitor, before an entry")
        }
        Decision::BeforeEntry(Next::Raise(event)) => {
            format!(
                "{} comes before the next instruction",
                event_in_words(event)
            )
        }
        Decision::BeforeEntry(Next::Resume) => return None,
        Decision::OneInstruction => {
            String::from("lets one instruction run, and looks again: the shadow of sti")
        }
        Decision::Delivered {
            event,
            rip,
            rsp,
            next,
        } => delivered(event, rip, rsp, next, symbols),
        Decision::Inject {
            vector,
            taken: true,
        } => format!("takes vector {vector} from the monitor"),
        Decision::Inject { vector, .. } => {
            format!("refuses vector {vector}: the guest has interrupts closed")
        }
        Decision::Window(true) => {
            String::from("something is due, and held: the monitor waits for interrupts to open")
        }
        Decision::Window(false) => {
            String::from("the monitor no longer waits for interrupts to open")
        }
        Decision::Ordered { order, done } => {
            let what = match order {
                Order::Inject(vector) => format!("inject vector {vector}"),
                Order::SetInterrupts(true) => String::from("open interrupts"),
                Order::SetInterrupts(false) => String::from("close interrupts"),
            };
            let outcome = match done {
                true => "done",
                false => "the virtual cpu refuses",
            };
            format!("{what}: {outcome}")
        }
    })
}

fn delivered(event: Event, rip: [u64; 2], rsp: [u64; 2], next: Next, symbols: &Symbols) -> String {
    let event = event_in_words(event);
    match next {
        Next::Resume => {
            let [from, to] = rip.map(|rip| symbols.place(rip));
            let [before, after] = rsp;
            format!("delivers {event}: RIP {from} → {to}, RSP {before:#x} → {after:#x}")
        }
        Next::Raise(other) => {
            format!(
                "cannot deliver {event}: {} comes instead",
                event_in_words(other)
            )
        }
        Next::Exit(_) => format!("cannot deliver {event}, and gives up"),
    }
}

fn event_in_words(event: Event) -> String {
    match event {
        Event::Interrupt(vector) => format!("interrupt {vector}"),
        Event::Exception(fault) => fault.to_string(),
    }
}

fn given_up(why: GivenUp) -> String {
    String::from(match why {
        GivenUp::StandsStill => "stopped: the same things happen again and again at one time",
        GivenUp::RunsOn => "stopped: the guest ran on, long after its time was over",
        GivenUp::OnlyTraps => "stopped: the guest traps at nearly every instruction, without end",
    })
}

fn panic_in_words(panic: &Panic) -> String {
    match &panic.place {
        Some(place) => format!("{} ({place})", panic.message),
        None => panic.message.clone(),
    }
}

/// What is said when the process that went on is gone, and not because it was
/// asked to.
pub fn lost(gone: Gone, stop: &Stop) -> Option<String> {
    let what = match gone {
        Gone::Retreated => return None,
        Gone::Hung => String::from("your code did not come back to the guest for 10 seconds"),
        Gone::Exited(code) => format!("your code ended the whole program, with exit code {code}"),
        Gone::Signal(signal) => format!("your code brought signal {signal} on itself"),
    };
    Some(format!(
        "{what}, somewhere after time {}: this is the last checkpoint before it",
        stop.time
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Fault, Time};
    use evidence::session::Why;
    use evidence::{Bytes, RegisterFile};

    fn scene() -> Scene {
        Scene {
            registers: RegisterFile {
                general: [0; 16],
                rip: 0x1000,
                flags: 2,
            },
            fs_base: 0,
            gs_base: 0,
            root: 0x2000,
            kernel_view: true,
            code: Bytes(vec![0xfb]),
            state: vec![(String::from("IF"), String::from("0"))],
        }
    }

    fn symbols() -> Symbols {
        let names = [("start", 0x1000), ("tick", 0x1100)];
        let names = names.map(|(name, address)| (name.to_string(), address));
        let everywhere = 0x1000..0x2000;
        Symbols::new(names, [everywhere])
    }

    #[test]
    fn what_changed_is_told_with_both_values_and_nothing_else_is() {
        let before = scene();
        let mut after = scene();
        assert!(changed_registers(&before, &after).is_empty());
        assert!(changed_state(&before, &after).is_empty());
        after.registers.general[3] = 0x10;
        after.registers.flags |= flags::ZF | flags::CF;
        after.registers.rip = 0x1001;
        after.kernel_view = false;
        after.state[0].1 = String::from("1");
        assert_eq!(
            changed_registers(&before, &after),
            ["rbx 0x0 → 0x10", "flags none → CF ZF"]
        );
        assert_eq!(
            changed_state(&before, &after),
            ["mode kernel → user", "IF 0 → 1"]
        );
    }

    #[test]
    fn the_next_instruction_is_read_from_the_bytes_at_rip() {
        let mut scene = scene();
        assert_eq!(instruction(&scene, &symbols()), "sti");
        scene.code = Bytes(Vec::new());
        assert!(instruction(&scene, &symbols()).starts_with("no memory"));
    }

    #[test]
    fn a_delivery_names_where_it_goes() {
        let mut delivery = Decision::Delivered {
            event: Event::Interrupt(32),
            rip: [0x1004, 0x1100],
            rsp: [0x9000, 0x8fd8],
            next: Next::Resume,
        };
        let told = decision_in_words(delivery, &symbols()).unwrap();
        assert_eq!(
            told,
            "delivers interrupt 32: RIP start+0x04 → tick, RSP 0x9000 → 0x8fd8"
        );
        if let Decision::Delivered { next, .. } = &mut delivery {
            *next = Next::Raise(Event::Exception(Fault::SegmentNotPresent(2)));
        }
        let told = decision_in_words(delivery, &symbols()).unwrap();
        assert_eq!(told, "cannot deliver interrupt 32: #NP(0x2) comes instead");
    }

    #[test]
    fn the_lines_of_many_vms_are_told_apart_and_kept_together() {
        let mut printed = Printed::default();
        let mut told = String::new();
        for (vm, text) in [(0, "on"), (1, "two\nth"), (0, "e\n"), (1, "ree")] {
            let bytes = Bytes(text.as_bytes().to_vec());
            told += &printed.hear(&News {
                position: 0,
                what: What::Many(HostFrame::Console { vm, bytes }),
            });
        }
        told += &printed.rest();
        assert_eq!(told, "vm 1 | two\nvm 0 | one\nvm 1 | three\n");
    }

    #[test]
    fn a_process_that_was_asked_to_go_is_not_lost() {
        let stop = Stop {
            why: Why::Arrived,
            depth: 0,
            position: 5,
            time: Time(5_000),
            latest: Time(5_000),
            pcpu: 0,
            vcpu: None,
            before: None,
            scene: None,
            last_hit: None,
            from: 0,
            news: Vec::new(),
        };
        assert_eq!(lost(Gone::Retreated, &stop), None);
        let told = lost(Gone::Signal(6), &stop).unwrap();
        assert!(
            told.contains("signal 6") && told.contains("5,000"),
            "{told}"
        );
    }
}
