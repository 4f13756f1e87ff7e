//! `cargo lab handout`: makes the student's tree.

use super::say::say;
use crate::batch::config::Config;
use crate::cli_class::HandoutArguments;
use crate::error::LabError;
use crate::handout::{Handout, reveal};
use crate::workspace::Workspace;

/// Makes it, and says what is in it.
pub(super) fn make(workspace: &Workspace, arguments: &HandoutArguments) -> Result<u8, LabError> {
    let revealed = arguments.reveal.as_deref();
    let config = arguments.config.as_deref();
    let handout = Handout {
        revealed: revealed.map_or(Ok(Vec::new()), |text| reveal::parse(text, workspace))?,
        config: config.map_or(Ok(Config::default()), Config::read)?,
        vendor: arguments.vendor,
    };
    let files = handout.make(workspace, &arguments.out)?;
    let out = arguments.out.display();
    say!("{out}: {files} files, solutions out, stubs in");
    let solved: Vec<_> = handout.revealed.iter().map(|stage| stage.name).collect();
    if !solved.is_empty() {
        say!("solved: {}", solved.join(", "));
    }
    let config = &handout.config;
    if !config.hidden.is_empty() && !config.reveal_hidden {
        say!("left out and announced: {}", config.hidden.join(", "));
        say!("the manual says so at its top; these lines may still count what is hidden:");
        for line in handout.sums(&arguments.out)? {
            say!("  {line}");
        }
    }
    if handout.vendor {
        say!("the crates are in vendor/: it builds without a network");
    }
    say!("try it: cd {out} && cargo lab");
    Ok(0)
}
