//! What a version added to another, in code and in behaviour.
//!
//! ```text
//!  source   the sources of a version: modules, lines, public names
//!  code     what is new in them
//!  words    all of it, for people
//! ```
//!
//! Lines are those that somebody has to think about: no comments, no blank ones,
//! no tests. The behaviour is what was counted in runs of this tree; nothing in
//! here makes a run.

mod code;
mod source;
mod words;

pub use code::{Code, FromBelow, Size};
pub use source::{Module, Source};

use crate::compare::Column;
use serde::Serialize;

/// The format of the JSON.
pub const SCHEMA: &str = "heptavisor/difference/v1";

/// Two versions, side by side.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The older version.
    pub older: &'static str,
    /// What that is called.
    pub older_title: &'static str,
    /// The newer one.
    pub newer: &'static str,
    /// What that is called.
    pub newer_title: &'static str,
    /// What is new in the sources.
    pub code: Code,
    /// A guest that both ran.
    pub workload: String,
    /// What was counted of it, in the older version and in the newer.
    pub columns: Vec<Column>,
    /// What the newer one runs first.
    pub first: First,
}

/// The first workload of the newer version, on both.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct First {
    /// The guests.
    pub workload: String,
    /// What becomes of it on the older version.
    pub older: String,
    /// And on the newer.
    pub newer: String,
}

impl Difference {
    /// As JSON, with a line end.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a difference is made of strings and numbers") + "\n"
    }
}

#[cfg(test)]
mod tests;
