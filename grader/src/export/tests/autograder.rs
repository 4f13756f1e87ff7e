//! What Gradescope gets: results, and the bundle that makes them there.

use super::*;

#[test]
fn gradescope_results_follow_the_schema_and_hide_what_is_hidden() {
    let folder = made(|class, out| {
        class.entries.iter().try_for_each(|entry| {
            let path = out.join(&entry.record.submission);
            write(&path, &pretty(&gradescope::results(entry, &class.config)))
        })
    });
    let files = ["ada", "bob", "eve", "ira", "zoe"].map(|name| folder.path().join(name));
    let schema = format("gradescope.schema.json");
    let mut arguments = vec![schema.as_path()];
    arguments.extend(files.iter().map(PathBuf::as_path));
    python("json, jsonschema, sys", BY_SCHEMA, &arguments);

    let ada = value(folder.path().join("ada"));
    assert_eq!(ada["score"], 57.2); // 8 less 10 %, and the half of 100 that is shown
    let visibility = |at: usize| ada["tests"][at]["visibility"].as_str().unwrap();
    assert_eq!((visibility(1), visibility(2)), ("visible", "hidden"));
    assert_eq!(ada["tests"][0]["max_score"], 5.0);
}

#[test]
fn a_failure_of_the_host_is_neither_a_zero_nor_a_missing_submission() {
    let class = class();
    for name in ["eve", "ira"] {
        let mut entries = class.entries.iter();
        let entry = { &mut entries }.find(|entry| entry.student.id == name);
        let entry = entry.unwrap();
        let results = gradescope::results(entry, &class.config);
        assert_eq!(results.get("score"), None, "{results}");
        assert_eq!(
            results["tests"],
            serde_json::json!([]),
            "they would be summed"
        );
        let xml = junit::junit(entry, &class.config);
        assert!(
            xml.contains("errors=\"1\"") && !xml.contains(" points\""),
            "{xml}"
        );
        for text in [results.to_string(), xml] {
            assert!(text.contains("the host failed"), "{text}");
            assert!(!text.contains("was not handed in"), "{text}");
        }
    }
}

#[test]
fn what_students_get_does_not_depend_on_what_is_hidden() {
    let config: Config = serde_json::from_str(CONFIG).unwrap();
    let seen = |points| {
        let record = record("ada", &[("v2", 100)]);
        let mut entry = Entry::new(record, &config, &Roster::default());
        let result = &mut entry.record.stages[0].result;
        result.checks[0].points = points;
        result.points = 50 + points;
        let entry = Entry::new(entry.record, &config, &Roster::default());
        let mut results = gradescope::results(&entry, &config);
        let tests = results["tests"].as_array_mut().unwrap();
        tests.retain(|test| test["visibility"] != "hidden");
        let classroom = classroom50::result(&entry, &config).unwrap();
        let page = html::student(&seen::seen(&entry, &config));
        (results, classroom, page)
    };
    assert_eq!(seen(50), seen(0));
    let mut revealed = config.clone();
    revealed.reveal_hidden = true;
    let entry = Entry::new(record("ada", &[("v2", 100)]), &revealed, &Roster::default());
    assert_eq!(gradescope::results(&entry, &revealed)["score"], 100.0);
}

#[test]
fn nothing_at_all_is_worth_0_and_not_less() {
    let nothing = record("ada", &[]);
    let entry = Entry::new(nothing, &Config::default(), &Roster::default());
    let results = gradescope::results(&entry, &Config::default());
    assert_eq!(results["score"].to_string(), "0.0");
}

#[test]
fn the_gradescope_bundle_has_its_programs_at_the_top_and_no_solution_bank() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let out = folder.path().join("autograder.zip");
    let rules = folder.path().join("rules of 2026.json");
    std::fs::write(&rules, CONFIG).unwrap();
    let class = class();
    assert_eq!(class.versions(), ["v1", "v2"]);
    gradescope::bundle(&Workspace::at(root), Some(&rules), &["v1", "v2"], &out).unwrap();
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&out).unwrap()).unwrap();
    for name in ["setup.sh", "run_autograder"] {
        let mode = zip.by_name(name).unwrap().unix_mode().unwrap();
        assert_eq!(mode & 0o777, 0o755, "{name}");
    }
    let names: Vec<_> = zip.file_names().map(str::to_string).collect();
    for name in [
        "tree/Cargo.toml",
        "tree/Cargo.lock",
        "tree/.cargo/config.toml",
    ] {
        assert!(names.contains(&name.to_string()), "{name} is missing");
    }
    for (name, content) in [("course.json", CONFIG), ("versions", "v1,v2")] {
        let file = zip.by_name(name).unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), content);
    }
    let left_out = |name: &String| name.contains("mutants") || name.contains("/target/");
    assert!(!names.iter().any(left_out));
}

/// Runs what Gradescope runs, with a `lab` that notes how it was called.
#[cfg(unix)]
#[test]
fn gradescope_grades_the_versions_by_the_rules_at_the_time_of_the_submission() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| write(&root.path().join(name), text).unwrap();
    put("submission/stages/lib.rs", "");
    put("source/versions", "v1,v2");
    put("source/course.json", "{}");
    put(
        "submission_metadata.json",
        r#"{"id": 1, "created_at": "2018-07-01T14:22:32.365935-07:00", "created_at": "no"}"#,
    );
    let lab = "source/tree/target/debug/lab";
    put(
        lab,
        "#!/bin/sh\nroot=$AUTOGRADER_ROOT\necho \"$@\" >> $root/called\n\
         [ $1 = batch ] && exit 0\nfor last; do :; done\ncat \"$last\" >> $root/called\n\
         mkdir -p \"$5/submission\"; echo '{}' > \"$5/submission/results.json\"\n",
    );
    let lab = root.path().join(lab);
    std::fs::set_permissions(lab, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("gradescope/run_autograder");
    let mut command = Command::new("bash");
    let command = command.arg(program).env("AUTOGRADER_ROOT", root.path());
    let Ok(output) = command.output() else {
        println!("skipped: there is no bash here");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let called = std::fs::read_to_string(root.path().join("called")).unwrap();
    assert!(called.contains("--stages v1,v2"), "{called}");
    assert!(called.contains("source/course.json"), "{called}");
    assert!(
        called.ends_with("submission,2018-07-01T14:22:32.365935-07:00\n"),
        "{called}"
    );
    assert!(root.path().join("results/results.json").is_file());
}
