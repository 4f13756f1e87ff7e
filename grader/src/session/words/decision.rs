//! What the virtual CPU decided.

use common::{Exit, Symbols};
use evidence::session::{Decision, Event, Next, Order};

/// No instruction is longer.
const LONGEST: u64 = 15;

pub(super) fn decision_in_words(decision: Decision, symbols: &Symbols) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::super::tests::symbols;
    use super::*;
    use common::Fault;

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
}
