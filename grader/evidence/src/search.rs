//! What a search through the orders of threads is asked, and what it tells.

use serde::{Deserialize, Serialize};

/// A search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// From which the orders are made.
    pub seed: u64,
    /// How many orders of each scenario are tried.
    pub orders: usize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many orders were tried.
    pub orders: usize,
    /// The first order that went wrong.
    pub failure: Option<Failure>,
}

/// An order that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was being tried.
    pub scenario: String,
    /// What happened.
    pub what: What,
    /// Which threads waited for a lock at that moment, and where they asked for
    /// it.
    pub waiting: Vec<(String, String)>,
}

/// What an order led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Threads wait for each other for ever, or sleep with nobody left to wake
    /// them.
    Deadlock,
    /// They go round and round.
    Endless,
    /// Some code panicked.
    Panic(crate::Panic),
}
