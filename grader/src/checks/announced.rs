//! What a student is told of checks that this tree does not hold: how many they
//! are, and what they are worth.
//!
//! In the instructor's tree there are none. `cargo lab handout --config` leaves
//! the course's hidden checks out, and says so in the file that is read here.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// Checks of a version that count, and are not in this tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// How many they are.
    pub checks: u32,
    /// What they are worth together.
    pub points: u32,
}

impl Announced {
    /// Those of the version called `stage`.
    pub fn of(stage: &str) -> Announced {
        static ALL: LazyLock<BTreeMap<String, Announced>> = LazyLock::new(|| {
            let text = include_str!("../../announced.json");
            serde_json::from_str(text).expect("the handout has written it")
        });
        ALL.get(stage).copied().unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.checks == 0
    }
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Announced { checks, points } = self;
        let s = if *checks == 1 { "" } else { "s" };
        write!(f, "{checks} check{s} with {points} points hidden later")
    }
}
