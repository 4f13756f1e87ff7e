//! The guests that the command knows, whichever version they were made for.

use crate::error::LabError;
use crate::observation::Order;
use crate::stages::Stage;
use crate::suggest;
use evidence::ThreadKernel;
use guests::catalogue::{self, Expected};
use guests::{v1, v2, v3, v4, v5, v7};

/// A guest from one of the catalogues.
#[derive(Clone, Copy)]
pub enum Guest {
    /// It is all ours.
    Whole(&'static catalogue::Guest),
    /// It is a thread kernel, and the student writes a part of it.
    Threads(&'static v4::Guest),
}

impl From<&'static catalogue::Guest> for Guest {
    fn from(guest: &'static catalogue::Guest) -> Guest {
        Guest::Whole(guest)
    }
}

impl From<&'static v4::Guest> for Guest {
    fn from(guest: &'static v4::Guest) -> Guest {
        Guest::Threads(guest)
    }
}

/// What stands in the holes of a thread kernel until the student's pieces do:
/// a `ret`.
const OUTLINE: v4::Threads = v4::Threads {
    switch: |asm| asm.extend([0xc3]),
    pick: |asm| asm.extend([0xc3]),
};

impl Guest {
    /// The guests that a version was made for, in the order in which to try
    /// them.
    pub fn made_for(stage: &Stage) -> Vec<Guest> {
        match stage.name {
            "v1" => v1::guests().map(Guest::from).collect(),
            "v2" => v2::guests().map(Guest::from).collect(),
            "v3" => v3::guests().map(Guest::from).collect(),
            "v4" => v4::guests().map(Guest::from).collect(),
            // What is new in version 6 are the physical CPUs.
            "v5" | "v6" => v5::guests().map(Guest::from).collect(),
            "v7" => v7::guests().map(Guest::from).collect(),
            _ => Vec::new(),
        }
    }

    /// The guest called `name` that `stage` can run: any of any version, as what
    /// a version does with a guest that is not made for it is worth a look, but
    /// a thread kernel only where the student's pieces are.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(name: &str, stage: &Stage) -> Result<Guest, LabError> {
        let own = Guest::made_for(stage);
        let others = v1::guests().chain(v2::guests()).chain(v3::guests());
        let others = others.chain(v5::guests()).chain(v7::guests());
        let all: Vec<_> = own.iter().copied().chain(others.map(Guest::from)).collect();
        let found = all.iter().copied().find(|guest| guest.name() == name);
        found.ok_or_else(|| match v4::guest(name) {
            Some(_) => LabError::Usage(format!(
                "'{name}' is a thread kernel, of which the student writes a part: only v4 can run \
                 it. See `cargo lab list`."
            )),
            None => {
                let known: Vec<_> = own.iter().map(Guest::name).collect();
                suggest::unknown("guest", name, &known, "See `cargo lab list`.")
            }
        })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Guest::Whole(guest) => guest.name,
            Guest::Threads(guest) => guest.name,
        }
    }

    /// What it does and what for.
    pub fn about(&self) -> &'static str {
        match self {
            Guest::Whole(guest) => guest.about,
            Guest::Threads(guest) => guest.about,
        }
    }

    /// How many vCPUs it runs on.
    pub fn vcpus(&self) -> u8 {
        match self {
            Guest::Whole(guest) => guest.vcpus,
            Guest::Threads(_) => 1,
        }
    }

    /// What the guest of this seed does on a machine that is right.
    pub fn expected(&self, seed: u64) -> Expected {
        match self {
            Guest::Whole(guest) => guest.expected(seed),
            Guest::Threads(guest) => guest.expected(seed),
        }
    }

    /// A run of the guest of this seed, on the usual machine.
    pub fn order(&self, seed: u64) -> Order {
        match self {
            Guest::Whole(guest) => Order::new(guest.build(seed).elf()),
            Guest::Threads(guest) => Order::of_threads(
                ThreadKernel {
                    guest: guest.name.to_string(),
                    seed,
                },
                guest.build(&OUTLINE, seed).elf(),
            ),
        }
    }
}
