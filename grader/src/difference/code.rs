//! What is new in the sources.

use crate::difference::source::{Module, Source};
use crate::stages::{STAGES, Stage};
use crate::workspace::Workspace;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io;

/// What is new in a version's sources.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Code {
    /// The newer version's modules.
    pub modules: Vec<Module>,
    /// All versions from the older to the newer one.
    pub sizes: Vec<Size>,
    /// Public names that the older version has not, in alphabetical order.
    pub new_names: Vec<String>,
    /// What it uses of the versions below, and of which.
    pub from_below: Vec<FromBelow>,
}

/// How much code a version has.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Size {
    /// The version.
    pub stage: &'static str,
    /// Lines of all its modules.
    pub lines: usize,
}

/// What a version uses of one below it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FromBelow {
    /// The version below.
    pub stage: &'static str,
    /// The paths of what is used.
    pub paths: Vec<String>,
}

impl Code {
    /// Sets the sources of `newer` against those of `older`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn of(older: &Stage, newer: &Stage, workspace: &Workspace) -> io::Result<Code> {
        let (old, new) = (
            Source::read(older, workspace)?,
            Source::read(newer, workspace)?,
        );
        let known: BTreeSet<&str> = old.names().into_iter().collect();
        let new_names: BTreeSet<&str> = new.names().into_iter().collect();
        let new_names = new_names.difference(&known).map(|name| name.to_string());
        let between = STAGES
            .iter()
            .filter(|stage| (older.name..=newer.name).contains(&stage.name));
        let sizes: io::Result<_> = between
            .map(|stage| {
                let lines = Source::read(stage, workspace)?.lines();
                let stage = stage.name;
                Ok(Size { stage, lines })
            })
            .collect();
        let below = STAGES.iter().take_while(|stage| stage.name < newer.name);
        let from_below = below.map(|stage| FromBelow {
            stage: stage.name,
            paths: new.uses_of(stage.name),
        });
        Ok(Code {
            sizes: sizes?,
            new_names: new_names.collect(),
            from_below: from_below.filter(|one| !one.paths.is_empty()).collect(),
            modules: new.modules,
        })
    }
}
