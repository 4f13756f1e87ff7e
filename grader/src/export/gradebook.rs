//! A gradebook with nbgrader's columns: one row for each student and version.

use super::{Class, Entry};
use crate::batch::score::{StageGrade, shown};
use crate::csv;

const COLUMNS: [&str; 11] = [
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
];

pub(super) fn gradebook(class: &Class) -> String {
    let mut table = csv::line(COLUMNS);
    for entry in &class.entries {
        for grade in &entry.grade.stages {
            table += &row(class, entry, grade);
        }
    }
    table
}

/// A score that is not known is an empty field, which no gradebook takes for 0.
fn row(class: &Class, entry: &Entry, grade: &StageGrade) -> String {
    let due = class.config.due.get(&grade.stage);
    let due = due.map(|due| due.to_string()).unwrap_or_default();
    let time = grade.time.map(|time| time.to_string()).unwrap_or_default();
    let known = |points: f64| grade.score.map(|_| shown(points)).unwrap_or_default();
    let student = &entry.student;
    csv::line([
        grade.stage.as_str(),
        &due,
        &time,
        &student.id,
        &student.last_name,
        &student.first_name,
        &student.email,
        &known(grade.raw),
        &known(grade.penalty),
        &known(grade.score.unwrap_or_default()),
        &shown(grade.of),
    ])
}
