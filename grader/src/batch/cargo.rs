//! What cargo tells about a build, in its own JSON: of it only what is needed here.

use serde::Deserialize;
use std::path::PathBuf;

/// Something that cargo built.
#[derive(Deserialize)]
pub(super) struct Artifact {
    pub package_id: String,
    pub target: Target,
    pub profile: Profile,
    pub filenames: Vec<PathBuf>,
}

/// What of a package it is.
#[derive(Deserialize)]
pub(super) struct Target {
    pub kind: Vec<String>,
    pub name: String,
    pub src_path: PathBuf,
    pub edition: String,
}

/// How it was compiled.
#[derive(Deserialize)]
pub(super) struct Profile {
    pub opt_level: String,
    pub debug_assertions: bool,
    pub overflow_checks: bool,
}

/// What `cargo metadata` says.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub packages: Vec<Package>,
    pub resolve: Resolve,
}

/// A package.
#[derive(Deserialize)]
pub(super) struct Package {
    pub id: String,
    pub name: String,
}

/// Which package uses which.
#[derive(Deserialize)]
pub(super) struct Resolve {
    pub nodes: Vec<Node>,
}

/// One package in that.
#[derive(Deserialize)]
pub(super) struct Node {
    pub id: String,
    pub deps: Vec<Dep>,
}

/// Something that it uses.
#[derive(Deserialize)]
pub(super) struct Dep {
    pub name: String,
    pub pkg: String,
    pub dep_kinds: Vec<DepKind>,
}

/// What for; without a kind, for its own code.
#[derive(Deserialize)]
pub(super) struct DepKind {
    pub kind: Option<String>,
}
