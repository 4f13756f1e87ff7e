//! Notices saves, by looking at what is in the sources a few times a second. That
//! works on every file system and with every editor, and who saves the same again
//! has changed nothing.

use crate::error::LabError;
use crate::interrupt;
use crate::stages::Stage;
use crate::workspace::{Workspace, files_below};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// How often the sources are looked at.
const PERIOD: Duration = Duration::from_millis(200);
/// How long nothing must change until a save is over: some editors write a file in
/// two steps.
const QUIET: Duration = Duration::from_millis(30);

/// The sources of some versions at one moment, by their names in the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<String, Source>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    stage: &'static Stage,
    text: Vec<u8>,
}

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Save {
    /// Its version.
    pub(super) stage: &'static Stage,
    /// Its name in the workspace.
    pub(super) file: String,
}

impl Snapshot {
    /// The sources as they are. What cannot be read is not there: it may come back
    /// in a moment.
    fn of(workspace: &Workspace, stages: &[&'static Stage]) -> Snapshot {
        let mut sources = BTreeMap::new();
        for stage in stages {
            let files = files_below(&stage.sources(workspace)).unwrap_or_default();
            let is_rust = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "rs");
            for path in files.iter().filter(|path| is_rust(path)) {
                if let Ok(text) = std::fs::read(path) {
                    sources.insert(workspace.relative(path), Source { stage, text });
                }
            }
        }
        Snapshot(sources)
    }

    /// What was written, made or removed since `before`.
    pub(super) fn saves_since(&self, before: &Snapshot) -> Vec<Save> {
        let names: BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let changed = names.into_iter().filter_map(|name| {
            let (new, old) = (self.0.get(name), before.0.get(name));
            let source = new.or(old).filter(|_| new != old)?;
            Some(Save {
                stage: source.stage,
                file: name.clone(),
            })
        });
        changed.collect()
    }
}

/// Watches sources, and abandons the work at hand when they are not any more what
/// it was begun with.
#[derive(Debug)]
pub(super) struct Saves {
    workspace: Workspace,
    stages: Vec<&'static Stage>,
    /// What the work at hand was begun with.
    taken: Mutex<Snapshot>,
}

impl Saves {
    /// Watches the sources of `stages` until the result is dropped.
    pub(super) fn watch(workspace: &Workspace, stages: Vec<&'static Stage>) -> Arc<Saves> {
        let taken = Mutex::new(Snapshot::of(workspace, &stages));
        let saves = Arc::new(Saves {
            workspace: workspace.clone(),
            stages,
            taken,
        });
        let watched = Arc::downgrade(&saves);
        thread::spawn(|| poll(watched));
        saves
    }

    /// The sources as they are now: the work that begins is about these.
    pub(super) fn take(&self) -> Snapshot {
        let mut taken = self.taken();
        *taken = self.look();
        loop {
            thread::sleep(QUIET);
            let again = self.look();
            if again == *taken {
                break;
            }
            *taken = again;
        }
        interrupt::begin_anew();
        taken.clone()
    }

    /// Waits for a save.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub(super) fn wait(&self) -> Result<(), LabError> {
        while !interrupt::is_abandoned() {
            if interrupt::is_final() {
                return Err(LabError::Interrupted);
            }
            thread::sleep(QUIET);
        }
        Ok(())
    }

    fn look(&self) -> Snapshot {
        Snapshot::of(&self.workspace, &self.stages)
    }

    fn taken(&self) -> MutexGuard<'_, Snapshot> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn poll(watched: Weak<Saves>) {
    while let Some(saves) = watched.upgrade() {
        // Looks with the lock held: else work that was begun in between would be
        // abandoned for what it was begun with.
        let taken = saves.taken();
        if saves.look() != *taken {
            interrupt::abandon();
        }
        drop(taken);
        drop(saves);
        thread::sleep(PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    #[test]
    fn a_save_is_a_file_written_made_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path());
        let stages = [&STAGES[0], &STAGES[1]];
        let path = |name: &str| workspace.root.join("stages").join(name);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        };
        write("v1-kernel-only/src/lib.rs", "one");
        write("v1-kernel-only/src/gone.rs", "one");
        write("v2-timer-irq/src/lib.rs", "one");
        let before = Snapshot::of(&workspace, &stages);
        write("v1-kernel-only/src/lib.rs", "one");
        write("v1-kernel-only/src/lib.rs~", "an editor's own");
        assert_eq!(Snapshot::of(&workspace, &stages), before);

        write("v2-timer-irq/src/lib.rs", "two");
        write("v2-timer-irq/src/new.rs", "");
        std::fs::remove_file(path("v1-kernel-only/src/gone.rs")).unwrap();
        let saves = Snapshot::of(&workspace, &stages).saves_since(&before);
        let told: Vec<_> = saves
            .iter()
            .map(|save| format!("{} {}", save.stage.name, save.file))
            .collect();
        let names = [
            "v1 stages/v1-kernel-only/src/gone.rs",
            "v2 stages/v2-timer-irq/src/lib.rs",
            "v2 stages/v2-timer-irq/src/new.rs",
        ];
        assert_eq!(told, names);
    }
}
