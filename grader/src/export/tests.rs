//! Each export of a made-up class, held against its format's rules: by programs of
//! others where they are installed. They must be where `HEPTAVISOR_REQUIRE` names
//! `python`.

use super::*;
use crate::batch::record::tests::record;
use crate::batch::record::{Own, State};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const CONFIG: &str = r#"{
    "course": "<OS> & \"more\"",
    "weights": {"v1": 10},
    "due": {"v1": "2026-10-01T00:00:00Z"},
    "late": {"percent-per-day": 10},
    "hidden": ["v2/first"]
}"#;

/// A class with everything that makes trouble: a formula for a name, a missing
/// student, a host that failed, signs that mean something in every format.
fn class() -> Class {
    let folder = tempfile::tempdir().unwrap();
    let mut late = record("ada", &[("v1", 80), ("v2", 100)]);
    late.time = Some(String::from("2026-10-01T12:00:00Z"));
    late.stages[1].own = Some(Own {
        points: Some(50),
        reason: None,
        differs: vec![String::from("second")],
    });
    late.notes = vec![String::from("'<x>' was left out")];
    let mut missing = record("bob", &[("v1", 0)]);
    missing.state = State::Missing;
    missing.stages[0].result.checks.clear();
    let mut pending = record("eve", &[("v1", 80)]);
    pending.stages[0].result.checks[0].outcome = Outcome::Error;
    pending.stages[0].result.checks[0].reason = Some(String::from("no <memory>"));
    let mut failed = record("ira", &[("v1", 0)]);
    failed.state = State::Error;
    failed.reason = Some(String::from("no space left on <device>"));
    failed.stages[0].result.checks.clear();
    failed.stages[0].result.diagnostics = Some(String::from("v1 was not handed in"));
    let mut rejected = record("zoe", &[("v1", 0)]);
    rejected.stages[0].result.compiles = false;
    rejected.stages[0].result.diagnostics = Some(String::from("error: \u{1b}[1m<T> ]]> &"));
    for check in &mut rejected.stages[0].result.checks {
        check.outcome = Outcome::Skipped;
        check.reason = Some(String::from("v1 does not compile"));
    }
    for one in [late, missing, pending, failed, rejected] {
        one.write(folder.path()).unwrap();
    }
    let roster = folder.path().join("class.csv");
    std::fs::write(
        &roster,
        "student_id,last_name,first_name\nada,=cmd|x,\"A, \"\"B\"\"\"\n",
    )
    .unwrap();
    let roster = Roster::read(&roster).unwrap();
    let config = serde_json::from_str(CONFIG).unwrap();
    Class::read(folder.path(), config, &roster).unwrap()
}

fn made(export: impl FnOnce(&Class, &Path) -> Result<(), LabError>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    export(&class(), folder.path()).unwrap();
    folder
}

fn value(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Has Python look at a file, and gives `false` if there is no Python with these
/// modules here.
fn python(modules: &str, script: &str, arguments: &[&Path]) -> bool {
    let run = |script: &str| {
        let mut command = Command::new("python3");
        command.arg("-c").arg(script).args(arguments).output()
    };
    let there = run(&format!("import {modules}")).is_ok_and(|output| output.status.success());
    if !there {
        let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("python"),
            "HEPTAVISOR_REQUIRE names python, but there is none with {modules}"
        );
        println!("skipped: there is no python3 with {modules} here");
        return false;
    }
    let output = run(&format!("import {modules}\n{script}")).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    true
}

fn format(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("formats")
        .join(name)
}

const BY_SCHEMA: &str = "schema, *files = map(lambda name: json.load(open(name)), sys.argv[1:])\n\
    for file in files: jsonschema.validate(file, schema)";

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
    let orders = include_str!("../../beyond/github-actions.yml");
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

#[test]
fn classroom50_results_follow_the_schema_and_wait_for_what_is_not_graded() {
    let folder = made(|class, out| class.classroom50(out));
    let file = |name: &str| folder.path().join(name).join("result.json");
    assert!(!file("eve").exists(), "the host failed there");
    let schema = format("classroom50.schema.json");
    let files = ["ada", "bob", "zoe"].map(file);
    let mut arguments = vec![schema.as_path()];
    arguments.extend(files.iter().map(PathBuf::as_path));
    python("json, jsonschema, sys", BY_SCHEMA, &arguments);
    let ada = value(file("ada"));
    assert_eq!(
        (&ada["score"], &ada["max-score"]),
        (&57.into(), &60.into()),
        "without what is hidden"
    );
    assert_eq!(ada["tests"].as_array().unwrap().len(), 3, "one is hidden");
}

#[test]
fn junit_is_well_formed_and_follows_the_schema() {
    let folder = made(|class, out| class.junit(out));
    let files =
        ["ada", "bob", "eve", "ira", "zoe"].map(|name| folder.path().join(format!("{name}.xml")));
    let mut arguments: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    let parse = "for name in sys.argv[1:]: xml.dom.minidom.parse(name)";
    python("sys, xml.dom.minidom", parse, &arguments);
    let schema = format("junit.xsd");
    arguments.insert(0, &schema);
    let validate = "schema = lxml.etree.XMLSchema(file=sys.argv[1])\n\
        for name in sys.argv[2:]: schema.assertValid(lxml.etree.parse(name))";
    python("lxml.etree, sys", validate, &arguments);

    let read = |at: usize| std::fs::read_to_string(&files[at]).unwrap();
    assert!(read(0).contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\""));
    assert!(read(0).contains("hidden until later"));
    assert!(read(2).contains("errors=\"1\""));
    assert!(read(4).contains("skipped=\"2\""));
}

#[test]
fn the_gradebook_has_a_row_for_everybody_and_no_formula() {
    let folder = made(|class, out| class.csv(&out.join("grades.csv")));
    let path = folder.path().join("grades.csv");
    let count = "rows = list(csv.DictReader(open(sys.argv[1], newline='')))\n\
        assert len(rows) == 6 and not any(None in row for row in rows), rows";
    python("csv, sys", count, &[&path]);

    let text = std::fs::read_to_string(&path).unwrap();
    let rows = crate::csv::rows(&text).unwrap();
    let ada =
        "v1,2026-10-01T00:00:00Z,2026-10-01T12:00:00Z,ada,'=cmd|x,\"A, \"\"B\"\"\",,8,0.8,7.2,10";
    assert!(text.contains(ada), "{text}");
    assert_eq!(rows[3][3..], ["bob", "", "", "", "0", "0", "0", "10"]);
    assert_eq!(
        rows[4][3..],
        ["eve", "", "", "", "", "", "", "10"],
        "no score is known"
    );
}

#[test]
fn pages_are_whole_need_nothing_else_and_hold_nobodys_markup() {
    let folder = made(|class, out| class.html(out));
    let mut files = vec![folder.path().join("class.html")];
    for name in ["ada", "bob", "eve", "ira", "zoe"] {
        files.push(folder.path().join(format!("students/{name}.html")));
    }
    let arguments: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    let nesting = r#"
class Nesting(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(); self.open = []
    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "img", "iframe", "x", "tick", "t", "memory"), tag
        for name, value in attributes:
            assert not name.startswith("on") and "//" not in (value or ""), (name, value)
        if tag not in ("meta", "br"): self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
for name in sys.argv[1:]:
    page = Nesting(); page.feed(open(name).read()); page.close()
    assert not page.open, page.open
"#;
    python("html.parser, sys", nesting, &arguments);

    let read = |at: usize| std::fs::read_to_string(&files[at]).unwrap();
    assert!(read(0).contains("&lt;OS&gt; &amp; &quot;more&quot;"));
    assert!(read(0).contains("=none &amp; ]]&gt;"), "the common failure");
    assert!(read(0).contains("100<br><small>own: 50 of 100</small>"));
    assert_eq!(
        read(0).matches("<small>").count(),
        1,
        "elsewhere nothing differs"
    );
    let ada = read(1);
    for said in [
        "All versions: 57.2 of 60 points",
        "1 of 2 checks passed: 80 of 100 points<",
        "these count as 8 of 10.",
        "1 day late: less 0.8.",
        "<strong>7.2 of 10 points",
        "1 of 1 checks passed: 50 of 50 points; 1 check with 50 points hidden later",
    ] {
        assert!(ada.contains(said), "{said}: {ada}");
    }
    assert!(read(2).contains("Nothing was handed in"));
    assert!(read(3).contains("the rest is graded later"));
    assert!(read(5).contains("not made: v1 does not compile"));
}

#[test]
fn json_is_versioned_and_says_null_where_a_score_is_not_known() {
    let folder = made(|class, out| class.json(&out.join("class.json")));
    let json = value(folder.path().join("class.json"));
    assert_eq!(json["schema"], "heptavisor/class/v1");
    let submissions = json["submissions"].as_array().unwrap().iter();
    let scores: Vec<_> = submissions.map(|one| &one["score"]).collect();
    assert_eq!(
        scores,
        [
            &Value::from(107.2),
            &0.0.into(),
            &Value::Null,
            &Value::Null,
            &0.0.into()
        ]
    );
}

#[test]
fn for_the_detectors_of_copies_everybody_has_a_folder_and_the_starter_is_the_base() {
    let handed_in = tempfile::tempdir().unwrap();
    let source = handed_in.path().join("ada/stages/v1-kernel-only/src");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("lib.rs"), "fn ada() {}").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let count = similarity(&class(), &workspace, &[], handed_in.path(), folder.path()).unwrap();
    assert_eq!(count, 1);
    let table = std::fs::read_to_string(folder.path().join("info.csv")).unwrap();
    let rows = crate::csv::rows(&table).unwrap();
    assert_eq!(rows[0], ["filename", "label", "created_at", "full_name"]);
    assert_eq!(rows[1][1..3], ["ada", "2026-10-01T12:00:00Z"]);
    assert!(folder.path().join(&rows[1][0]).is_file());
    let base = folder.path().join("base/v1-kernel-only/src/lib.rs");
    assert_eq!(markers_in(&base), None);

    let solved = tempfile::tempdir().unwrap();
    let revealed = crate::handout::reveal::parse("v1", &workspace).unwrap();
    similarity(
        &class(),
        &workspace,
        &revealed,
        handed_in.path(),
        solved.path(),
    )
    .unwrap();
    let differs = |file: &str| {
        let read = |folder: &TempDir| std::fs::read(folder.path().join(file)).unwrap();
        read(&folder) != read(&solved)
    };
    assert!(
        differs("base/v1-kernel-only/src/prepare.rs"),
        "was handed out solved"
    );
    assert!(!differs("base/v2-timer-irq/src/delivery.rs"), "was not");
}

fn markers_in(path: &Path) -> Option<usize> {
    crate::markers::first_marker(&std::fs::read_to_string(path).unwrap())
}
