//! What to run of many VMs, and what is known of it afterwards.

use crate::child::Finished;
use crate::desk::{Desk, did_not_begin};
use crate::error::LabError;
use crate::guest::Guest;
use crate::host_trace::Host;
use crate::observation::BACKSTOP;
use common::{Image, Time};
use evidence::Engine;
use evidence::host::{self, Command, Deed, Evidence, Policy, Reader, Scenario, VmSetup};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the image of a VM is called on the desk.
pub(crate) fn image_of(vm: u32) -> String {
    format!("vm-{vm}.elf")
}

/// One VM to run.
#[derive(Clone)]
pub struct VmOrder {
    /// The guest, if it is one of a catalogue.
    pub guest: Option<Guest>,
    /// What it is called: the guest's name, or the path of an image.
    pub name: String,
    /// What the guest is made from.
    pub seed: u64,
    /// Its ELF image.
    pub image: Vec<u8>,
    /// The machine; its `image` is set when the order is carried out.
    pub setup: VmSetup,
}

impl VmOrder {
    /// A VM with a guest of a catalogue, made from `seed`.
    pub fn new(guest: impl Into<Guest>, seed: u64) -> VmOrder {
        let guest = guest.into();
        VmOrder {
            guest: Some(guest),
            name: guest.name().to_string(),
            seed,
            image: guest.order(seed).image,
            setup: VmSetup {
                vcpus: guest.vcpus(),
                ..VmSetup::new(PathBuf::new())
            },
        }
    }

    /// A VM with an image that is in no catalogue.
    pub fn of_image(name: String, image: Vec<u8>) -> VmOrder {
        VmOrder {
            guest: None,
            name,
            seed: 0,
            image,
            setup: VmSetup::new(PathBuf::new()),
        }
    }

    /// The same with another weight than 100.
    pub fn weight(mut self, weight: u32) -> VmOrder {
        self.setup.weight = weight;
        self
    }

    /// The same with so many bytes of memory.
    pub fn memory(mut self, bytes: u64) -> VmOrder {
        self.setup.memory = bytes;
        self
    }

    /// The same with so many vCPUs.
    pub fn vcpus(mut self, vcpus: u8) -> VmOrder {
        self.setup.vcpus = vcpus;
        self
    }

    /// The same, placed on this physical CPU at first.
    pub fn home(mut self, pcpu: usize) -> VmOrder {
        self.setup.home = Some(pcpu);
        self
    }

    /// The same, and it may only run on the physical CPUs with a bit in `mask`.
    pub fn affinity(mut self, mask: u64) -> VmOrder {
        self.setup.affinity = Some(mask);
        self
    }

    /// The same, started at this time and not at 0.
    pub fn start(mut self, time: u64) -> VmOrder {
        self.setup.start = Time(time);
        self
    }

    /// The same, with a guest whose own timer ticks every `ticks`, if it has one.
    pub fn guest_tick(mut self, ticks: u32) -> VmOrder {
        self.setup.guest_tick = Some(ticks);
        self
    }
}

/// A set of VMs to run, and on what host.
#[derive(Clone)]
pub struct HostOrder {
    /// The VMs, numbered from 0.
    pub vms: Vec<VmOrder>,
    /// The host; its `vms` are set when the order is carried out.
    pub scenario: Scenario,
    /// The host's time after which the run is given up.
    pub backstop: Duration,
}

impl HostOrder {
    /// These VMs on one physical CPU of the usual host.
    pub fn new(vms: impl IntoIterator<Item = VmOrder>) -> HostOrder {
        HostOrder {
            vms: vms.into_iter().collect(),
            scenario: Scenario::new(Vec::new()),
            backstop: BACKSTOP,
        }
    }

    /// The same on so many physical CPUs.
    pub fn pcpus(mut self, pcpus: usize) -> HostOrder {
        self.scenario.pcpus = pcpus;
        self
    }

    /// The same in another order.
    pub fn order(mut self, order: host::Order) -> HostOrder {
        self.scenario.order = order;
        self
    }

    /// The same on another engine.
    pub fn engine(mut self, engine: Engine) -> HostOrder {
        self.scenario.engine = engine;
        self
    }

    /// The same again and again, with so many seeds for the order.
    pub fn seeds(mut self, seeds: u64) -> HostOrder {
        self.scenario.seeds = seeds;
        self
    }

    /// The same with so many seconds of the host's CPU before it is given up, and
    /// several times that by the clock on the wall.
    pub fn patience(mut self, seconds: u64) -> HostOrder {
        self.scenario.patience = seconds;
        self.backstop = BACKSTOP.max(Duration::from_secs(6 * seconds));
        self
    }

    /// The same with turns of `ticks`.
    pub fn slice(mut self, ticks: u64) -> HostOrder {
        self.scenario.slice = ticks;
        self
    }

    /// The same with all over at `limit`.
    pub fn limit(mut self, limit: u64) -> HostOrder {
        self.scenario.limit = Time(limit);
        self
    }

    /// The same with one thing more that is asked at this time.
    pub fn at(mut self, time: u64, deed: Deed) -> HostOrder {
        let at = Time(time);
        self.scenario.commands.push(Command { at, deed });
        self
    }

    /// The same with another policy for spinning vCPUs.
    pub fn policy(mut self, policy: Policy) -> HostOrder {
        self.scenario.policy = policy;
        self
    }

    /// The scenario, with the guests' images on `desk`.
    ///
    /// # Errors
    /// If they cannot be written there.
    pub(crate) fn laid_on(&self, desk: &Desk) -> Result<Scenario, LabError> {
        let mut scenario = self.scenario.clone();
        for (number, vm) in self.vms.iter().enumerate() {
            scenario.vms.push(VmSetup {
                image: desk.write(&image_of(number as u32), &vm.image)?,
                ..vm.setup.clone()
            });
        }
        Ok(scenario)
    }

    /// The command that makes the same run under `stage`.
    pub fn command(&self, stage: &str) -> String {
        let usual = Scenario::new(Vec::new());
        let Scenario {
            engine,
            pcpus,
            order,
            slice,
            limit,
            policy,
            ..
        } = self.scenario;
        let mut text = format!("cargo lab run {stage}");
        let mut add = |option: &str, value: String| {
            // A String never refuses to grow.
            let _ = write!(text, " --{option} {value}");
        };
        if engine != usual.engine {
            add("engine", engine.to_string());
        }
        let seed = order.seed().unwrap_or(1);
        for vm in &self.vms {
            add("vm", vm.spec(seed));
        }
        if pcpus != usual.pcpus {
            add("pcpus", pcpus.to_string());
        }
        match order {
            host::Order::Fair(_) => {}
            host::Order::Adversarial(_) => add("order", "adversarial".into()),
            host::Order::Threads => add("order", "threads".into()),
        }
        add("seed", seed.to_string());
        if slice != usual.slice {
            add("slice", slice.to_string());
        }
        if limit != usual.limit {
            let never = limit == Time::NEVER;
            add(
                "limit",
                if never {
                    "never".into()
                } else {
                    limit.0.to_string()
                },
            );
        }
        for command in &self.scenario.commands {
            add("at", format!("{}:{}", command.at.0, command.deed));
        }
        match policy {
            Policy::None => {}
            Policy::SpinExits => add("policy", "spin-exits".into()),
            Policy::YieldPort => add("policy", "yield-port".into()),
            Policy::CoScheduling => add("policy", "co-scheduling".into()),
        }
        text
    }
}

impl VmOrder {
    /// The VM as on the command line, where `--seed` is `seed`.
    fn spec(&self, seed: u64) -> String {
        let VmSetup {
            memory,
            vcpus,
            weight,
            home,
            affinity,
            start,
            guest_tick,
            ..
        } = &self.setup;
        let usual = VmSetup {
            vcpus: self.guest.map_or(1, |guest| guest.vcpus()),
            ..VmSetup::new(PathBuf::new())
        };
        let values = [
            (
                "weight",
                (*weight != usual.weight).then_some((*weight).into()),
            ),
            (
                "seed",
                (self.guest.is_some() && self.seed != seed).then_some(self.seed),
            ),
            ("vcpus", (*vcpus != usual.vcpus).then_some((*vcpus).into())),
            ("memory", (*memory != usual.memory).then_some(memory >> 20)),
            ("home", home.map(|pcpu| pcpu as u64)),
            ("affinity", *affinity),
            ("start", (*start != usual.start).then_some(start.0)),
            ("tick", guest_tick.map(u64::from)),
        ];
        let values = values.into_iter();
        let given: Vec<_> = values
            .filter_map(|(key, value)| Some(format!("{key}={}", value?)))
            .collect();
        match &given[..] {
            [] => self.name.clone(),
            _ => format!("{}:{}", self.name, given.join(",")),
        }
    }
}

/// What is known of a run of many VMs.
pub struct HostObservation {
    /// What was asked for.
    pub order: HostOrder,
    /// The guests, for their symbols.
    pub images: Vec<Image>,
    /// What the machine reported.
    pub evidence: Evidence,
    /// How the process ended; `None` if somebody pressed Ctrl-C.
    pub finished: Option<Finished>,
}

impl HostObservation {
    /// Where its records come from.
    pub fn host(&self) -> Host<'_> {
        Host {
            images: &self.images,
            pcpus: self.order.scenario.pcpus,
            engine: self.order.scenario.engine,
        }
    }
}

/// Runs VMs under the stage that `runner` holds. `follow` gets the evidence as
/// it grows.
///
/// # Errors
/// If the run cannot be made at all: nothing in this is the student's doing.
pub fn observe_host(
    runner: &Path,
    order: HostOrder,
    mut follow: impl FnMut(&Evidence),
) -> Result<HostObservation, LabError> {
    let parse = |vm: &VmOrder| {
        Image::parse(&vm.image).map_err(|error| LabError::Usage(format!("{}: {error}", vm.name)))
    };
    let images: Result<Vec<_>, _> = order.vms.iter().map(parse).collect();
    let desk = Desk::new()?;
    let scenario = order.laid_on(&desk)?;
    let mut reader = Reader::default();
    let finished = desk.run(runner, &scenario, order.backstop, |piece| {
        reader.feed(piece);
        follow(&reader.evidence);
    });
    let finished = match finished {
        Ok(finished) if reader.evidence == Evidence::default() => {
            return Err(did_not_begin(&finished));
        }
        Ok(finished) => match refused(&reader.evidence) {
            Some(why) => return Err(LabError::infrastructure("these VMs cannot be made", why)),
            None => Some(finished),
        },
        Err(LabError::Interrupted) => None,
        Err(error) => return Err(error),
    };
    Ok(HostObservation {
        order,
        images: images?,
        evidence: reader.evidence,
        finished,
    })
}

/// Why the engine made no VMs, if it did not.
fn refused(evidence: &Evidence) -> Option<&str> {
    evidence.runs.last()?.refused.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_says_all_that_is_not_as_usual() {
        let guest = || guests::v1::guest("keeper").unwrap();
        let vms = [
            VmOrder::new(guest(), 7),
            VmOrder::new(guest(), 8)
                .weight(300)
                .start(5_000)
                .memory(4 << 20),
        ];
        let order = HostOrder::new(vms)
            .order(host::Order::Adversarial(7))
            .pcpus(2)
            .at(90, Deed::Pause(1));
        assert_eq!(
            order.command("v6"),
            "cargo lab run v6 --vm keeper --vm keeper:weight=300,seed=8,memory=4,start=5000 \
             --pcpus 2 --order adversarial --seed 7 --at 90:pause:1"
        );
    }

    #[test]
    fn another_engine_is_part_of_the_command() {
        let halt = VmOrder::new(guests::v1::guest("halt").unwrap(), 1);
        let order = HostOrder::new([halt]).engine(Engine::Kvm);
        let command = "cargo lab run v5 --engine kvm --vm halt --seed 1";
        assert_eq!(order.command("v5"), command);
    }

    #[test]
    fn an_order_with_nothing_unusual_is_short() {
        let order = HostOrder::new([VmOrder::new(guests::v1::guest("halt").unwrap(), 1)]);
        assert_eq!(order.command("v5"), "cargo lab run v5 --vm halt --seed 1");
    }
}
