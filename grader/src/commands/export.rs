//! `cargo lab export`: results in the formats of others.

use super::say::say;
use crate::batch::config::Config;
use crate::batch::roster::Roster;
use crate::cli_class::{ExportArguments, FormatName};
use crate::error::LabError;
use crate::export::{Class, similarity};
use crate::handout::reveal;
use crate::workspace::Workspace;

/// Exports.
pub(super) fn export(workspace: &Workspace, arguments: &ExportArguments) -> Result<u8, LabError> {
    let config = arguments.config.as_deref().map(Config::read).transpose()?;
    let roster = arguments.roster.as_deref().map(Roster::read).transpose()?;
    let (config, roster) = (config.unwrap_or_default(), roster.unwrap_or_default());
    let class = Class::read(&arguments.results, config, &roster)?;
    let out = &arguments.out;
    match arguments.format {
        FormatName::Json => class.json(out)?,
        FormatName::Csv => class.csv(out)?,
        FormatName::Gradescope => class.gradescope(workspace, arguments.config.as_deref(), out)?,
        FormatName::Classroom50 => class.classroom50(out)?,
        FormatName::Junit => class.junit(out)?,
        FormatName::Html => class.html(out)?,
        FormatName::Similarity => {
            let handed_in = arguments.submissions.as_deref().ok_or_else(|| {
                LabError::Usage(String::from(
                    "similarity compares sources, which results do not hold: add --submissions DIR",
                ))
            })?;
            let revealed = arguments.reveal.as_deref();
            let revealed =
                revealed.map_or(Ok(Vec::new()), |text| reveal::parse(text, workspace))?;
            similarity(&class, workspace, &revealed, handed_in, out)?;
        }
    }
    let pending = class.entries.iter().filter(|one| one.record.has_errors());
    let pending = pending.count();
    say!("{}: {} submissions", out.display(), class.entries.len());
    if pending > 0 {
        say!("{pending} of them are not graded yet, since the host failed: they have no score");
    }
    Ok(0)
}
