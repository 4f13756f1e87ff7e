//! Each export of a made-up class, held against its format's rules: by programs of
//! others where they are installed. They must be where `HEPTAVISOR_REQUIRE` names
//! `python`.

mod autograder;
mod machines;

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
