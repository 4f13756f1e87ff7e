//! Variants of a version, side by side with it: packages of their own, so that
//! one build makes many of them.
//!
//! A variant of `stages/v2-timer-irq` is the package `stages/v2-NAME`, whose
//! library has the same name, with a runner `grader/runners/v2-NAME` that is
//! the version's own but for the package it uses.

use super::scratch::Scratch;
use lab::error::LabError;
use lab::grade::Grading;
use lab::stages::Stage;
use lab::verdict::StageVerdict;
use lab::workers;
use lab::workspace::{Workspace, files_below};
use std::process::Command;

pub struct Variant {
    pub name: String,
    pub stage: &'static Stage,
}

impl Variant {
    /// Puts a variant of `original` into the scratch tree: each of its sources,
    /// by its name in the stage's folder, goes through `edit`. One for which
    /// that gives nothing is left out.
    pub fn place(
        scratch: &Scratch,
        original: &Stage,
        name: &str,
        edit: impl Fn(&str, String) -> Option<String>,
    ) -> Variant {
        let package = format!("{}-{name}", original.name);
        let runner = format!("run-{package}");
        let tree = &scratch.workspace;
        for path in files_below(&tree.root.join(original.folder()).join("src")).expect("sources") {
            let file = tree.relative(&path);
            let file = file.split('/').skip(2).collect::<Vec<_>>().join("/");
            let text = std::fs::read_to_string(&path).expect("a source");
            if let Some(text) = edit(&file, text) {
                scratch.write(&format!("stages/{package}/{file}"), &text);
            }
        }
        let read = |name: &str| std::fs::read_to_string(tree.root.join(name)).expect(name);
        let manifest = read(&format!("{}/Cargo.toml", original.folder().display()));
        // Its tests and benchmarks stay behind.
        let manifest = match manifest.split_once("[[bench]]") {
            Some((before, bench)) => format!(
                "{before}{}",
                bench.split_once("\n\n").map_or("", |(_, rest)| rest)
            ),
            None => manifest,
        };
        let manifest = manifest.replace(original.package, &package);
        scratch.write(&format!("stages/{package}/Cargo.toml"), &manifest);

        let own = format!("grader/runners/{}", original.name);
        let dependency = format!("{0}.workspace = true", original.name);
        let changed = format!(
            "{} = {{ path = \"../../../stages/{package}\", package = \"{package}\" }}",
            original.name
        );
        let manifest = read(&format!("{own}/Cargo.toml"));
        assert!(manifest.contains(&dependency), "{own} has no {dependency}");
        let manifest = manifest
            .replace(&dependency, &changed)
            .replace(original.runner, &runner);
        scratch.write(&format!("grader/runners/{package}/Cargo.toml"), &manifest);
        let main = read(&format!("{own}/src/main.rs"));
        scratch.write(&format!("grader/runners/{package}/src/main.rs"), &main);
        Variant {
            name: name.to_string(),
            stage: Box::leak(Box::new(Stage {
                name: original.name,
                title: original.title,
                package: package.leak(),
                runner: runner.leak(),
            })),
        }
    }
}

/// Builds and grades all variants, as many at a time as there are cores, and
/// gives their verdicts in the same order. `told` hears of each when it is there.
pub fn grade_all(
    scratch: &Scratch,
    variants: &[Variant],
    mut told: impl FnMut(usize, &StageVerdict),
) -> Vec<StageVerdict> {
    build(&scratch.workspace, variants);
    let grade = |variant: &Variant| grade(scratch, variant);
    let mut index = 0;
    let hear = |verdict: &StageVerdict| {
        told(index, verdict);
        index += 1;
    };
    let verdicts = workers::in_order(workers::all_cores(), variants, grade, hear);
    verdicts.expect("verdicts")
}

fn grade(scratch: &Scratch, variant: &Variant) -> Result<StageVerdict, LabError> {
    let grading = Grading {
        workers: 1,
        ..Grading::of(vec![variant.stage])
    };
    let verdict = grading.run(&scratch.workspace, |_| {})?;
    Ok({ verdict.stages }.remove(0))
}

/// One build for all. One that does not compile shows in its own verdict.
pub fn build(workspace: &Workspace, variants: &[Variant]) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command
        .current_dir(&workspace.root)
        .args(["build", "--quiet", "--keep-going", "--target-dir"])
        .arg(&workspace.target);
    for variant in variants {
        command.args(["--package", variant.stage.runner]);
    }
    let output = command.output().expect("cargo");
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stderr));
    }
}
