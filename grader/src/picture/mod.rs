//! Pictures of a run: what happened between the guests and the CPU, to be looked
//! at.
//!
//! ```text
//!  records of a run  --gather-->  Trace  --file-->  JSON, and back
//!                                   |
//!                                   +--> text, page (HTML), svg, perfetto, diff
//! ```
//!
//! A [`Trace`] holds all that the pictures need, so each can be made from a saved
//! file as well. Whatever has to be *found out* (who was halted and who waited,
//! why a tick came late) is found out once, while the trace is gathered; a picture
//! only draws.
//!
//! A trace says what the machine recorded, and nothing that anybody claims. What
//! cannot be known is not in it: on hardware, what the guest does between two
//! exits; anywhere, who holds a lock of a guest that does not say so.

mod count;
mod diff;
mod file;
mod gather;
mod interrupts;
mod page;
mod part;
mod perfetto;
mod share;
mod spans;
mod svg;
#[cfg(test)]
mod testing;
mod text;
mod trace;

pub use diff::diff;
pub use file::{Found, read, to_json};
pub use gather::{of_guest, of_host};
pub use page::page;
pub use part::Part;
pub use perfetto::perfetto;
pub use svg::svg;
pub use text::text;
pub use trace::{
    Count, Event, Hold, Interrupt, Kind, SCHEMA, Source, Span, Split, State, Symbol, Trace, Vm,
};
