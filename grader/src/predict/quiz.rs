//! Which questions a seed asks of a version.

use crate::predict::draw::Draw;
use crate::predict::question::Question;
use crate::predict::{v1, v2, v3, v4, v5, v6, v7};
use crate::stages::Stage;
use sha2::{Digest, Sha256};

/// Makes a question of its kind.
pub(super) type Kind = fn(&mut Draw) -> Question;

/// How many questions are asked at most.
const ASKED: usize = 6;

/// The questions of a seed.
pub struct Quiz {
    /// The version.
    pub stage: &'static Stage,
    /// What they are made from.
    pub seed: u64,
    /// Six of them, of different kinds, in the order of the subject.
    pub questions: Vec<Question>,
}

impl Quiz {
    /// The questions that `seed` asks of `stage`. Equal seeds ask the same.
    pub fn of(stage: &'static Stage, seed: u64) -> Quiz {
        let all = kinds(stage);
        let mut draw = Draw::new(stage, seed, all.len());
        let mut asked = draw.shuffled((0..all.len()).collect());
        asked.truncate(ASKED);
        asked.sort_unstable();
        let question = |kind: usize| all[kind](&mut Draw::new(stage, seed, kind));
        Quiz {
            stage,
            seed,
            questions: asked.into_iter().map(question).collect(),
        }
    }

    /// One question of each kind, whether or not the seed asks it.
    pub fn of_all_kinds(stage: &'static Stage, seed: u64) -> Quiz {
        let kinds = kinds(stage).iter().enumerate();
        let question = |(number, kind): (usize, &Kind)| kind(&mut Draw::new(stage, seed, number));
        Quiz {
            stage,
            seed,
            questions: kinds.map(question).collect(),
        }
    }

    /// The questions in words.
    pub fn put(&self) -> Vec<String> {
        let numbered = self.questions.iter().zip(1..);
        numbered
            .map(|(question, number)| question.put(number, self.stage))
            .collect()
    }

    /// A few digits that are others when the questions are.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.put().concat().as_bytes());
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn kinds(stage: &Stage) -> &'static [Kind] {
    match stage.name {
        "v1" => v1::KINDS,
        "v2" => v2::KINDS,
        "v3" => v3::KINDS,
        "v4" => v4::KINDS,
        "v5" => v5::KINDS,
        "v6" => v6::KINDS,
        "v7" => v7::KINDS,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;
    use std::collections::BTreeSet;

    #[test]
    fn equal_seeds_ask_the_same_and_others_ask_something_else() {
        for stage in STAGES {
            let put = |seed| Quiz::of(stage, seed).put();
            assert_eq!(put(7), put(7));
            assert_ne!(put(7), put(8), "{}", stage.name);
        }
    }

    #[test]
    fn every_version_has_six_questions_of_different_kinds() {
        for stage in STAGES {
            for seed in [0, 1, u64::MAX] {
                let quiz = Quiz::of(stage, seed);
                let kinds: BTreeSet<_> = quiz.questions.iter().map(|one| one.kind).collect();
                assert_eq!(kinds.len(), ASKED, "{}", stage.name);
            }
        }
    }

    /// Whichever questions are asked beside it.
    #[test]
    fn a_question_depends_on_its_seed_and_kind_alone() {
        for stage in STAGES {
            let all = Quiz::of_all_kinds(stage, 7);
            for one in Quiz::of(stage, 7).questions {
                let same = |other: &&Question| other.kind == one.kind;
                let same = all.questions.iter().find(same).expect("its kind");
                assert_eq!(same.put(1, stage), one.put(1, stage));
            }
        }
    }
}
