//! The command as people and scripts see it: what it says, and its exit codes.

use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).env_remove("NO_COLOR");
    command.output().expect("the lab command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The exit code and the one paragraph on stderr.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = lab(arguments);
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn what_does_not_exist_is_named_with_what_does_and_what_is_next() {
    for (arguments, wrong, meant) in [
        (&["grade", "v11"][..], "'v11'", "'v1'"),
        (&["run", "v8"], "'v8'", "v7"),
        (&["run", "v1", "--guest", "compte"], "'compte'", "'compute'"),
        (
            &["grade", "v1", "--check", "halt-is-success"],
            "'halt-is-success'",
            "'halt-is-no-success'",
        ),
        (&["hint", "v1-E33"], "'v1-E33'", "v1-E3"),
        (
            &["run", "v1", "--image", "no-such.elf"],
            "'no-such.elf'",
            "--guest",
        ),
    ] {
        let (code, said) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wrong) && said.contains(meant), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn an_image_that_is_no_image_is_refused_by_what_is_wrong() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "hello").expect("a file");
    let (code, said) = refused(&["run", "v1", "--image", &file.path().to_string_lossy()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("not an ELF file"), "{said}");
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    assert_eq!(refused(&["grade", "--seed", "many"]).0, Some(2));
    assert_eq!(refused(&["frobnicate"]).0, Some(2));
    assert_eq!(refused(&["run", "v1", "--vcpu", "99"]).0, Some(2));
    assert_eq!(refused(&["hint", "v1-E1", "--level", "4"]).0, Some(2));
}

#[test]
fn a_number_that_is_none_is_named_with_what_would_be_one() {
    for (arguments, right) in [
        (&["run", "v1", "--seed", "x"][..], "such as 7"),
        (&["step", "v2", "--from", "soon"], "such as 7"),
        (&["debug", "v2", "--port", "70000"], "from 1 to 65535"),
        (&["run", "v6", "--pcpus", "many"], "from 1 to 64"),
    ] {
        let (code, said) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        let wrong = format!("'{}' for '{}", arguments[3], arguments[2]);
        assert!(said.contains(&wrong) && said.contains(right), "{said}");
    }
}

#[test]
fn a_guest_that_ends_well_is_a_success_and_its_console_is_all_of_stdout() {
    let output = lab(&["run", "v1", "--guest", "compute", "--seed", "3"]);
    let guest = guests::v1::guest("compute").expect("a guest");
    assert_eq!(output.stdout, guest.expected(3).console);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("deadline"));
}

#[test]
fn a_guest_that_dies_is_explained() {
    let output = lab(&["run", "v1", "--guest", "divide", "--trace"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for word in ["#DE", "deed", "div", "enter", "exit"] {
        assert!(said.contains(word), "{word} is not in:\n{said}");
    }
}

#[test]
fn a_pipe_gets_no_colours() {
    for arguments in [&[][..], &["list"], &["hint", "v1-E1"], &["grade", "v1"]] {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains('\x1b'), "{arguments:?}");
    }
}

#[test]
fn help_shows_examples() {
    let said = text(&lab(&["--help"]).stdout);
    assert!(said.contains("cargo lab hint v1-E3"), "{said}");
    assert!(said.contains("Exit codes"), "{said}");
}

#[test]
fn json_is_all_of_stdout_and_versioned() {
    let output = lab(&["grade", "v1", "--check", "halt-is-no-success", "--json"]);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!(verdict["schema"], "heptavisor/verdict/v1");
    assert_eq!(verdict["engine"], "interp");
    assert_eq!(verdict["stages"][0]["checks"][0]["outcome"], "pass");
}

#[test]
#[cfg(target_os = "linux")]
fn a_verdict_that_could_not_be_written_is_no_success() {
    let full = std::fs::File::create("/dev/full").expect("a device that is always full");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let check = ["grade", "v1", "--check", "halt-is-no-success", "--json"];
    let output = command.args(check).stdout(full).output().expect("the lab");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("verdict"), "{output:?}");
}
