//! Questions about the guests that only understanding or a run can answer.
//!
//! ```text
//!  quiz       which questions a seed asks of a version
//!    v1 .. v7   the kinds of questions, and how a run answers them
//!  question   one of them: its run, its words, its form, its truth
//!  scene      the run that it is about
//!  answer     what a person wrote, read leniently
//!  sheet      the file with the questions and the answers
//!  marking    makes the runs on the student's own version, and compares
//! ```
//!
//! A question is made without any run, so that it cannot give its answer away.
//! What is true is read from what the machine recorded of a run, each time: no
//! answer stands in here, in a table or as a formula.

mod answer;
mod draw;
mod marking;
mod question;
mod quiz;
mod reading;
mod scene;
mod sheet;
mod v1;
mod v2;
mod v3;
mod v4;
mod v5;
mod v6;
mod v7;

pub use answer::{Answer, Form, Name};
pub use marking::{Mark, Marked, mark};
pub use question::{Question, Truth};
pub use quiz::Quiz;
pub use scene::{Scene, Seen};
pub use sheet::{Damage, Sheet};
