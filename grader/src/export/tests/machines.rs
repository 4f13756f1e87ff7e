//! What is there for more machines than one: programs and orders for engines of
//! others.

use super::*;

#[test]
fn the_programs_for_other_machines_are_shell() {
    for name in [
        "gradescope/setup.sh",
        "gradescope/run_autograder",
        "beyond/slurm.sh",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let Ok(output) = Command::new("bash").arg("-n").arg(&path).output() else {
            println!("skipped: there is no bash here");
            return;
        };
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

/// Runs the step that joins the parts, with a `cargo` whose merge ends with `status`.
/// Says whether the step succeeded, and what was called.
#[cfg(unix)]
fn joined(status: u8) -> Option<(bool, String)> {
    use std::os::unix::fs::PermissionsExt;
    let orders = include_str!("../../../beyond/github-actions.yml");
    let step = orders.split("id: merge\n        run: |\n").nth(1).unwrap();
    let step = step
        .lines()
        .map_while(|line| line.strip_prefix("          "));
    let script = step.collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("shards/results-1")).unwrap();
    let cargo = folder.path().join("cargo");
    let text = format!("#!/bin/sh\necho \"$@\" >> called\n[ $2 != merge ] || exit {status}\n");
    write(&cargo, &text).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("GITHUB_OUTPUT", folder.path().join("called"))
        .output();
    let success = output.ok()?.status.success();
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    Some((success, called))
}

#[cfg(unix)]
#[test]
fn a_host_that_failed_on_one_keeps_nobody_elses_grade_back() {
    let (Some((reached, called)), Some((wrong, _))) = (joined(3), joined(2)) else {
        println!("skipped: there is no bash here");
        return;
    };
    assert!(reached && !wrong, "{called}");
    assert!(
        called.contains("status=3"),
        "the last step fails by it: {called}"
    );
    assert!(
        called.contains("export csv") && called.contains("export html"),
        "{called}"
    );
}

#[test]
fn the_orders_for_other_machines_are_yaml() {
    let beyond = Path::new(env!("CARGO_MANIFEST_DIR")).join("beyond");
    let files = ["github-actions.yml", "kubernetes.yaml"].map(|name| beyond.join(name));
    let load = "for name in sys.argv[1:]: assert yaml.safe_load(open(name))";
    python("sys, yaml", load, &[&files[0], &files[1]]);
}
