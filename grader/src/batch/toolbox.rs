//! The clean tree, built once, and what is needed to build a submission upon it.
//!
//! Cargo builds the reference and tells where each library lies. A submission is
//! then built by the compiler itself, called with these libraries: it needs no
//! manifest and no lock on a target folder, so as many are built at a time as
//! there are cores, and what is not the student's is never built again.

use super::cargo::{Artifact, Dep, Metadata};
use super::compiler::Compiler;
use crate::compile;
use crate::error::LabError;
use crate::fingerprint;
use crate::stages::Stage;
use crate::workspace::Workspace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What submissions are built upon.
#[derive(Clone, Debug)]
pub struct Toolbox {
    /// The clean tree.
    pub workspace: Workspace,
    /// The fingerprint of all that a verdict depends on beside the submission:
    /// the tree and the compiler.
    pub tree: String,
    /// What builds submissions.
    pub compiler: Compiler,
    /// By the name of the version.
    parts: BTreeMap<&'static str, Parts>,
}

/// What cargo built for one version.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// Libraries by their packages' ids.
    libraries: BTreeMap<String, PathBuf>,
    /// How packages are to be compiled, by name.
    settings: BTreeMap<String, Settings>,
    /// What packages use, by name.
    uses: BTreeMap<String, Vec<Use>>,
}

/// How a package is compiled.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The file that the compiler is given, in the clean tree.
    pub source: PathBuf,
    /// What it is called in code.
    pub name: String,
    /// The flags that cargo would give.
    pub flags: Vec<String>,
}

/// A library that a package uses.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// What it is called there.
    pub name: String,
    /// The name of its package.
    pub package: String,
    /// Its id.
    id: String,
}

impl Toolbox {
    /// Builds the clean tree for `stages`.
    ///
    /// # Errors
    /// If it does not build.
    pub fn prepare(workspace: &Workspace, stages: &[&'static Stage]) -> Result<Toolbox, LabError> {
        let metadata: Metadata = {
            let said = run(cargo(workspace, "metadata").args(["--format-version", "1"]))?;
            serde_json::from_slice(&said)
                .map_err(|error| LabError::infrastructure("cargo's metadata", error))?
        };
        let uses = uses(&metadata);
        let mut parts = BTreeMap::new();
        for stage in stages {
            let mut build = cargo(workspace, "build");
            build
                .args([
                    "--quiet",
                    "--message-format=json",
                    "--package",
                    stage.runner,
                ])
                .arg("--target-dir")
                .arg(&workspace.target);
            let mut made = built(&run(&mut build)?, &metadata);
            made.uses.clone_from(&uses);
            parts.insert(stage.name, made);
        }
        let version = ask_rustc(workspace, &["--version", "--verbose"])?;
        let sysroot = ask_rustc(workspace, &["--print", "sysroot"])?;
        Ok(Toolbox {
            tree: tree(workspace, &version)?,
            workspace: workspace.clone(),
            compiler: Compiler::of(sysroot.trim().into()),
            parts,
        })
    }

    /// The same with every build confined by `launcher`, which is this command's
    /// own program.
    ///
    /// # Errors
    /// If the compiler cannot be tried so.
    pub fn confined_by(mut self, launcher: PathBuf) -> Result<Toolbox, LabError> {
        let root = &self.workspace.root;
        let own = ["common", "guests", "grader/evidence", "grader/runners"];
        let own = own.iter().map(|part| root.join(part));
        let read = own.chain([self.libraries()]).collect();
        self.compiler = self.compiler.confined_by(launcher, read)?;
        Ok(self)
    }

    /// How a package is compiled, as a part of `stage`'s runner.
    pub(super) fn settings(&self, stage: &Stage, package: &str) -> Result<&Settings, LabError> {
        let settings = self.parts.get(stage.name);
        let settings = settings.and_then(|parts| parts.settings.get(package));
        settings.ok_or_else(|| not_there(package))
    }

    /// What a package uses.
    pub(super) fn uses(&self, stage: &Stage, package: &str) -> &[Use] {
        let parts = self.parts.get(stage.name);
        let uses = parts.and_then(|parts| parts.uses.get(package));
        uses.map_or(&[], Vec::as_slice)
    }

    /// The clean tree's library.
    pub(super) fn library(&self, stage: &Stage, used: &Use) -> Result<&Path, LabError> {
        let parts = self.parts.get(stage.name);
        let library = parts.and_then(|parts| parts.libraries.get(&used.id));
        library
            .map(PathBuf::as_path)
            .ok_or_else(|| not_there(&used.package))
    }

    /// The folder with all libraries of the clean tree.
    pub(super) fn libraries(&self) -> PathBuf {
        self.workspace.target.join("debug/deps")
    }
}

fn not_there(package: &str) -> LabError {
    LabError::Infrastructure(format!("cargo did not say where it built {package}"))
}

/// What a verdict depends on beside the submission.
fn tree(workspace: &Workspace, compiler: &str) -> Result<String, LabError> {
    let unreadable = |error| LabError::infrastructure("the clean tree cannot be read", error);
    let parts = [
        "common",
        "guests",
        "stages",
        "grader",
        "Cargo.toml",
        "Cargo.lock",
    ];
    let files = fingerprint::of_files(workspace, parts).map_err(unreadable)?;
    Ok(fingerprint::of_texts([compiler, &files]))
}

fn cargo(workspace: &Workspace, command: &str) -> Command {
    let mut cargo = compile::cargo_command();
    cargo.current_dir(&workspace.root).arg(command);
    cargo
}

/// Asks the compiler that the clean tree is built with.
fn ask_rustc(workspace: &Workspace, arguments: &[&str]) -> Result<String, LabError> {
    let mut rustc = Command::new("rustc");
    let said = run(rustc.current_dir(&workspace.root).args(arguments))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn run(command: &mut Command) -> Result<Vec<u8>, LabError> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output();
    let output = output
        .map_err(|error| LabError::infrastructure(format!("{program} cannot be run"), error))?;
    crate::interrupt::check()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(LabError::infrastructure(
        "the clean tree does not build",
        said.trim_end(),
    ))
}

/// What each package uses, tests and build scripts apart.
fn uses(metadata: &Metadata) -> BTreeMap<String, Vec<Use>> {
    let name_of = |id: &str| {
        let package = metadata.packages.iter().find(|package| package.id == id);
        package.map(|package| package.name.clone())
    };
    let used = |dep: &Dep| -> Option<Use> {
        dep.dep_kinds.iter().find(|kind| kind.kind.is_none())?;
        Some(Use {
            name: dep.name.clone(),
            package: name_of(&dep.pkg)?,
            id: dep.pkg.clone(),
        })
    };
    let nodes = metadata.resolve.nodes.iter();
    nodes
        .filter_map(|node| {
            Some((
                name_of(&node.id)?,
                node.deps.iter().filter_map(used).collect(),
            ))
        })
        .collect()
}

/// What cargo says that it built.
fn built(said: &[u8], metadata: &Metadata) -> Parts {
    let mut parts = Parts::default();
    let lines = said.split(|&byte| byte == b'\n');
    for artifact in lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok()) {
        let kind = |wanted: &str| artifact.target.kind.iter().any(|kind| kind == wanted);
        if !kind("lib") && !kind("bin") && !kind("proc-macro") {
            continue;
        }
        let package = metadata.packages.iter();
        let package = { package }.find(|package| package.id == artifact.package_id);
        let library = artifact.filenames.iter().find(|file| {
            let end = file.extension().and_then(|end| end.to_str());
            end.is_some_and(|end| ["rlib", "so", "dylib", "dll"].contains(&end))
        });
        if let Some(library) = library {
            let id = artifact.package_id.clone();
            parts.libraries.insert(id, library.clone());
        }
        if let Some(package) = package {
            let settings = settings(&artifact);
            parts.settings.insert(package.name.clone(), settings);
        }
    }
    parts
}

fn settings(artifact: &Artifact) -> Settings {
    let Artifact {
        target, profile, ..
    } = artifact;
    let on = |on| if on { "on" } else { "off" };
    Settings {
        source: target.src_path.clone(),
        name: target.name.replace('-', "_"),
        flags: vec![
            format!("--edition={}", target.edition),
            format!("-Copt-level={}", profile.opt_level),
            format!("-Cdebug-assertions={}", on(profile.debug_assertions)),
            format!("-Coverflow-checks={}", on(profile.overflow_checks)),
        ],
    }
}
