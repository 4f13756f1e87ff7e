//! What happened, in a line each: what the machine saw, and what was decided.

use super::decision::decision_in_words;
use common::trace::{self, Text, VcpuName};
use common::{Symbols, Trap};
use evidence::host::{Frame as HostFrame, Outcome};
use evidence::session::{Decision, News, What};
use evidence::{Frame, GivenUp, Panic};

/// A line of news: who did it, and what.
pub type Line = (&'static str, String);

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
