//! Everything about a class, for programs.

use super::{Class, Entry};
use crate::batch::score::StageGrade;
use serde_json::{Value, json};

/// The format's name.
const SCHEMA: &str = "heptavisor/class/v1";

pub(super) fn json(class: &Class) -> Value {
    json!({
        "schema": SCHEMA,
        "course": class.config.course,
        "hidden": class.config.hidden,
        "submissions": class.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(entry: &Entry) -> Value {
    let student = &entry.student;
    json!({
        "student": {
            "id": student.id,
            "last-name": student.last_name,
            "first-name": student.first_name,
            "email": student.email,
        },
        "handed-in": entry.time.map(|time| time.to_string()),
        // Null as long as the host kept something from being graded.
        "score": entry.grade.score(),
        "of": entry.grade.of(),
        "grades": entry.grade.stages.iter().map(stage).collect::<Vec<_>>(),
        "record": entry.record,
    })
}

fn stage(grade: &StageGrade) -> Value {
    json!({
        "stage": grade.stage,
        "raw": grade.raw,
        "late-days": grade.late_days,
        "free-days": grade.free_days,
        "penalty": grade.penalty,
        "score": grade.score,
        "of": grade.of,
    })
}
