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
            // What it was to execute when it was lost is the best that is known.
            line(session, &before, &[]);
            note!("{words}");
            return Ok(1);
        }
        line(session, &before, &changed(session, &before, told));
        told = tell(session, told);
        state(&before, session.stop());
    }
    if session.is_over() {
        tell(session, told);
        let failed = session.news().iter().any(|news| {
            let told = session.in_words(news);
            told.is_some_and(|(who, _)| ["panic", "stand"].contains(&who))
        });
        return Ok(u8::from(failed));
    }
    Ok(0)
}

/// A moment: the instruction, and what it changed.
fn line(session: &Session, before: &Stop, changed: &[String]) {
    let Some(scene) = &before.scene else {
        return;
    };
    let symbols = session.symbols_of(before.vcpu);
    let place = symbols.place(scene.registers.rip).to_string();
    let instruction = words::instruction(scene, symbols);
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

/// Which registers an instruction changed. What was `told` already happened before it.
fn changed(session: &Session, before: &Stop, told: usize) -> Vec<String> {
    let after = session.stop();
    match (&before.scene, &after.scene) {
        (Some(old), Some(new)) if before.vcpu == after.vcpu => {
            words::changed_registers(old, &before_delivery(new, &session.news()[told..]))
        }
        _ => Vec::new(),
    }
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
