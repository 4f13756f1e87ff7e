//! A range of moments as plain text.

use super::lost;
use crate::commands::say::{note, say};
use crate::error::LabError;
use crate::session::{Session, words};
use common::{Gpr, Time};
use evidence::session::{Decision, News, Scene, Stop, What};

/// The head of the columns that say who runs where.
const WHO: &str = "who                 ";

/// Shows each moment between two times.
pub(super) fn show(session: &mut Session, from: Time, to: Time) -> Result<u8, LabError> {
    session.go_to_time(from)?;
    if session.is_over() && session.stop().latest < from {
        note!("the run is over at time {}", session.stop().latest);
    }
    let who = session.stop().vcpu.map_or("", |_| WHO);
    say!(
        "{:>12}  {who}{:<20}  {:<6}  {:<34}  what it changed",
        "time",
        "where",
        "mode",
        "next"
    );
    // What came before the first moment belongs to it only at the very beginning.
    let told = match from {
        Time::ZERO => 0,
        _ => session.news().len(),
    };
    let mut told = tell(session, told);
    while !session.is_over() && session.stop().latest <= to {
        let before = session.stop().clone();
        session.step(1)?;
        if let Some(words) = lost(session.stop()) {
            note!("{words}");
            return Ok(1);
        }
        line(session, &before, told);
        told = tell(session, told);
        state(&before, session.stop());
    }
    if session.is_over() {
        tell(session, told);
        let panicked = session.news().iter().any(|news| {
            session
                .in_words(news)
                .is_some_and(|(who, _)| who == "panic")
        });
        return Ok(u8::from(panicked));
    }
    Ok(0)
}

/// A moment: the instruction, and what it changed. What was `told` already happened
/// before it.
fn line(session: &Session, before: &Stop, told: usize) {
    let Some(scene) = &before.scene else {
        return;
    };
    let symbols = session.symbols_of(before.vcpu);
    let place = symbols.place(scene.registers.rip).to_string();
    let instruction = words::instruction(scene, symbols);
    let same_vcpu = before.vcpu == session.stop().vcpu;
    let after = session.stop().scene.as_ref().filter(|_| same_vcpu);
    let after = after.map(|after| before_delivery(after, &session.news()[told..]));
    let changed = after
        .as_ref()
        .map_or(Vec::new(), |after| words::changed_registers(scene, after));
    let who = before.vcpu.map_or(String::new(), |name| {
        format!("cpu {} {:<12}  ", before.pcpu, session.name_of(name))
    });
    let moment = format!(
        "{:>12}  {who}{place:<20}  {:<6}  {instruction:<34}  {}",
        before.time,
        words::mode(scene),
        changed.join(", ")
    );
    say!("{}", moment.trim_end());
}

/// A scene without what the virtual CPU did to the stack behind the instruction, to
/// deliver something.
fn before_delivery(scene: &Scene, news: &[News]) -> Scene {
    let mut scene = scene.clone();
    let delivered = news.iter().find_map(|news| match news.what {
        What::Decided(Decision::Delivered { rsp, .. }) => Some(rsp[0]),
        _ => None,
    });
    if let Some(rsp) = delivered {
        scene.registers.general[Gpr::Rsp as usize] = rsp;
    }
    scene
}

/// What happened since so many news, each on a line.
fn tell(session: &Session, told: usize) -> usize {
    let news = &session.news()[told.min(session.news().len())..];
    for (who, what) in news.iter().filter_map(|news| session.in_words(news)) {
        say!("{:>14}{who:<7} {what}", "");
    }
    session.news().len()
}

/// What became of the virtual state.
fn state(before: &Stop, after: &Stop) {
    let (Some(old), Some(new)) = (&before.scene, &after.scene) else {
        return;
    };
    let changed = words::changed_state(old, new);
    if before.vcpu == after.vcpu && !changed.is_empty() {
        say!("{:>14}{:<7} {}", "", "state", changed.join(", "));
    }
}
