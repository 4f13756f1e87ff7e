//! Panics of a version's code, as evidence.

use crate::Panic;
use std::any::Any;

/// From now on a panic is given to `report`, and not to the terminal.
pub fn report_panics(report: impl Fn(Panic) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        report(Panic {
            message: message(panic.payload()),
            place: panic
                .location()
                .map(|place| format!("{}:{}", place.file(), place.line())),
        });
    }));
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| String::from("a panic without text"))
}
