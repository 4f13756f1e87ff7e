//! Builds a stage's runner, and tells the student's mistakes from the host's.

use crate::child::{self, How};
use crate::error::LabError;
use crate::stages::{STAGES, Stage};
use crate::workspace::Workspace;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiled {
    /// The runner is there.
    Runner(PathBuf),
    /// The stage's own code does not compile: the compiler's words.
    Rejected(Rejection),
}

/// Why a stage does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// One paragraph before the compiler's words.
    pub lead: String,
    /// The compiler's words.
    pub diagnostics: String,
}

/// One line of cargo's JSON messages; of those only what is needed here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    #[serde(default)]
    rendered: Option<String>,
}

/// Builds the runner of `stage`, unless there is a folder with runners.
///
/// # Errors
/// If cargo cannot be run, something else than the stage does not compile, or on
/// Ctrl-C.
pub fn compile(stage: &Stage, workspace: &Workspace) -> Result<Compiled, LabError> {
    if let Some(folder) = &workspace.runners {
        return Ok(Compiled::Runner(folder.join(stage.runner)));
    }
    let output = child::run_trusted(&mut cargo(stage, workspace))?;
    let messages = messages(&output.stdout);
    if output.how == How::Exited(0) {
        let runner = messages.into_iter().find_map(|message| message.executable);
        return runner.map(Compiled::Runner).ok_or_else(|| {
            LabError::Infrastructure(format!("cargo built no program for {}", stage.runner))
        });
    }
    rejection(stage, &messages)
        .map(Compiled::Rejected)
        .ok_or_else(|| foreign_failure(stage, &messages, &output.stderr))
}

fn cargo(stage: &Stage, workspace: &Workspace) -> Command {
    let mut command = cargo_command();
    command
        .current_dir(&workspace.root)
        .args(["build", "--quiet", "--package", stage.runner])
        .arg("--message-format=json")
        .arg("--target-dir")
        .arg(&workspace.target);
    command
}

/// Cargo, as it is called by this program.
pub(crate) fn cargo_command() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The variables that cargo set for this program are not for the next one.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text == "CARGO_MANIFEST_DIR" {
            command.env_remove(&name);
        }
    }
    command
}

fn messages(stdout: &[u8]) -> Vec<Message> {
    stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The errors of the stage's own package, of one that it stands on, or of the
/// runner that uses it.
fn rejection(stage: &Stage, messages: &[Message]) -> Option<Rejection> {
    let below = STAGES.iter().filter(|other| other.name < stage.name);
    let below = below.map(|other| {
        let lead = format!(
            "{} was not looked at, since {}, on which it stands, does not compile. Mend that \
             first: `cargo lab grade {}` says more.",
            stage.name, other.name, other.name
        );
        (other.package, lead)
    });
    let own = format!(
        "{} does not compile, so nothing of it could be run. The compiler says where; begin with \
         its first message, since the others often follow from it.",
        stage.name
    );
    let face = format!(
        "{} compiles, but its public face has changed: the runner calls it with the names and \
         types that it was handed out with. Give these back, and change only what is inside.",
        stage.name
    );
    below
        .chain([(stage.package, own), (stage.runner, face)])
        .map(|(package, lead)| (lead, errors_of(package, messages)))
        .find(|(_, diagnostics)| !diagnostics.is_empty())
        .map(|(lead, diagnostics)| Rejection { lead, diagnostics })
}

fn errors_of(package: &str, messages: &[Message]) -> String {
    messages
        .iter()
        .filter(|message| message.reason == "compiler-message")
        .filter(|message| is_package(&message.package_id, package))
        .filter_map(|message| message.message.as_ref())
        .filter(|diagnostic| diagnostic.level == "error")
        .filter_map(|diagnostic| diagnostic.rendered.as_deref())
        .collect()
}

/// Whether a package id such as `path+file:///w/stages/v1-kernel-only#0.1.0` or
/// `path+file:///w/runners/v1#run-v1@0.1.0` names `package`.
fn is_package(id: &str, package: &str) -> bool {
    let (source, version) = id.split_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name == package,
        None => source.rsplit('/').next() == Some(package),
    }
}

fn foreign_failure(stage: &Stage, messages: &[Message], stderr: &[u8]) -> LabError {
    let diagnostics = messages
        .iter()
        .filter_map(|message| message.message.as_ref());
    let first = diagnostics
        .filter(|diagnostic| diagnostic.level == "error")
        .find_map(|diagnostic| diagnostic.rendered.clone());
    let said = first.unwrap_or_else(|| String::from_utf8_lossy(stderr).into_owned());
    LabError::Infrastructure(format!(
        "the runner of {} cannot be built, and not because of your code:\n{}",
        stage.name,
        said.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_recognised_with_and_without_its_name_in_the_id() {
        let stage = "path+file:///w/stages/v1-kernel-only#0.1.0";
        let runner = "path+file:///w/grader/runners/v1#run-v1@0.1.0";
        assert!(is_package(stage, "v1-kernel-only"));
        assert!(is_package(runner, "run-v1"));
        assert!(!is_package(runner, "v1"));
        assert!(!is_package(stage, "run-v1"));
    }

    #[test]
    fn an_error_of_the_version_below_is_told_as_such() {
        let line = br#"{"reason":"compiler-message","package_id":"path+file:///w/stages/v1-kernel-only#0.1.0","message":{"level":"error","rendered":"error: no"}}"#;
        let rejection = rejection(&STAGES[1], &messages(line)).unwrap();
        assert!(rejection.lead.starts_with("v2 was not looked at, since v1"));
    }

    #[test]
    fn an_error_of_the_machine_is_not_blamed_on_the_student() {
        let line = br#"{"reason":"compiler-message","package_id":"path+file:///w/common#0.1.0","message":{"level":"error","rendered":"error: no"}}"#;
        let messages = messages(line);
        let stage = &crate::stages::STAGES[0];
        assert_eq!(rejection(stage, &messages), None);
        assert_eq!(foreign_failure(stage, &messages, b"").exit_code(), 3);
    }
}
