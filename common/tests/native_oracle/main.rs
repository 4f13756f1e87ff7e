//! Is the software CPU a real one? The oracle is the host's own.
//!
//! Sequences of random instructions with random operands run natively and on
//! `interp`, from the same state and at the same addresses, and must leave the
//! same registers, memory, and flags as far as the manual defines these.
//!
//! ```text
//!  corpus    which instructions             flags    what they leave undefined
//!  step      one of them, made harmless  -> program  machine code
//!    operands, memory, strings, division, jumps
//!  native    runs it on the host's CPU      guest    on the software CPU
//!  oracle    compares
//! ```
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HEPTAVISOR_ORACLE_CASES` | how many sequences each family tries |
//! | `HEPTAVISOR_ORACLE_SEED` | another seed than the fixed one |
//! | `HEPTAVISOR_REQUIRE` | with `native` in it, a skip is a failure |

#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code)
)]

mod corpus;
mod dice;
mod division;
mod flags;
mod jumps;
mod memory;
mod operands;
mod program;
mod state;
mod step;
mod strings;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod guest;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod native;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod oracle;

/// On other hosts there is nothing to compare with.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[test]
fn skipped() {
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    let reason = "the host is not x86-64 Linux";
    assert!(
        !required.split(',').any(|name| name == "native"),
        "native oracle required, but {reason}"
    );
    eprintln!("skipped: {reason}");
}
