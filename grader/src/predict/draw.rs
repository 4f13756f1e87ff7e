//! What the seed decides about a question.

use crate::guest::Guest;
use crate::host_order::{HostOrder, VmOrder};
use crate::predict::Scene;
use crate::stages::Stage;
use evidence::host::Order;
use guests::random::Random;

/// Draws what a question needs. Each question has one of its own, so that it
/// does not depend on which others are asked.
pub(super) struct Draw {
    stage: &'static Stage,
    random: Random,
    /// What decides the order of a host's physical CPUs, and what those guests are
    /// made from to which it makes no difference: so commands stay short.
    run: u64,
}

impl Draw {
    /// For question number `kind` of a version and a seed.
    pub(super) fn new(stage: &'static Stage, seed: u64, kind: usize) -> Draw {
        let mut random = Random::new(seed);
        let own = random.next().rotate_left(kind as u32);
        let mut random = Random::new(own.wrapping_add(kind as u64));
        Draw {
            stage,
            run: random.between(2, 100),
            random,
        }
    }

    /// A number of at least `low` and below `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.random.between(low, high)
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() as u64) as usize]
    }

    /// The same in another order.
    pub(super) fn shuffled<T>(&mut self, mut all: Vec<T>) -> Vec<T> {
        for place in (1..all.len()).rev() {
            all.swap(place, self.between(0, place as u64 + 1) as usize);
        }
        all
    }

    /// A seed that is short to type.
    pub(super) fn seed(&mut self) -> u64 {
        self.between(2, 1_000)
    }

    /// A run of the guest of this name, made from some seed.
    pub(super) fn guest(&mut self, name: &str) -> Scene {
        Scene::guest(self.find(name), self.seed())
    }

    /// A VM with the guest of this name, made from some seed.
    pub(super) fn vm(&mut self, name: &str) -> VmOrder {
        VmOrder::new(self.find(name), self.seed())
    }

    /// A VM that computes for ever.
    pub(super) fn hog(&self) -> VmOrder {
        VmOrder::new(self.find("hog-for-ever"), self.run)
    }

    /// These VMs on one physical CPU, and what decides the order of several.
    pub(super) fn host(&self, vms: impl IntoIterator<Item = VmOrder>) -> HostOrder {
        HostOrder::new(vms).order(Order::Fair(self.run))
    }

    /// # Panics
    /// If the version has no such guest: a mistake in a question.
    fn find(&self, name: &str) -> Guest {
        Guest::find(name, self.stage).expect("a guest of a catalogue")
    }
}
