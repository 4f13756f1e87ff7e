//! What the command line says about VMs: `--vm talker:weight=300,seed=7`,
//! `--at 90000:pause:1`.

use crate::error::LabError;
use crate::guest::Guest;
use crate::host_order::{HostOrder, VmOrder};
use crate::stages::Stage;
use crate::suggest;
use common::Time;
use common::boot::MAX_VCPUS;
use evidence::Engine;
use evidence::host::{self, Command, Deed, Policy};
use std::ops::RangeInclusive;

/// How many VMs one command line may ask for.
pub const VMS: RangeInclusive<u64> = 1..=64;
/// How many physical CPUs a host can have.
pub const PCPUS: RangeInclusive<u64> = 1..=64;
/// How much one VM can count beside others.
const WEIGHTS: RangeInclusive<u64> = 1..=10_000;
/// How many MiB of memory a VM can have.
const MEMORY: RangeInclusive<u64> = 2..=1024;

/// What can be said of a VM.
const KEYS: [&str; 8] = [
    "weight", "seed", "vcpus", "memory", "home", "affinity", "start", "tick",
];

/// What can be asked of a VM or a physical CPU.
const DEEDS: [&str; 7] = [
    "start",
    "pause",
    "resume",
    "shut-down",
    "destroy",
    "unplug",
    "plug",
];

/// The VM that `text` describes: a guest's name or the path of an image, and
/// values for some of the keys. A guest is made from `seed` unless it says
/// otherwise.
///
/// # Errors
/// What is wrong with it.
pub fn vm(text: &str, seed: u64, stage: &Stage) -> Result<VmOrder, LabError> {
    let (name, values) = match text.rsplit_once(':') {
        Some((name, values)) if values.contains('=') => (name, values),
        _ => (text, ""),
    };
    let pairs: Result<Vec<_>, _> = values
        .split(',')
        .filter(|value| !value.is_empty())
        .map(|value| pair(value, text))
        .collect();
    let pairs = pairs?;
    let own_seed = pairs.iter().find(|(key, _)| *key == "seed");
    let mut vm = named(name, own_seed.map_or(seed, |(_, seed)| *seed), stage)?;
    for (key, value) in pairs {
        set(&mut vm, key, value)?;
    }
    Ok(vm)
}

/// A path has a slash or a dot in it, and no guest's name has.
fn named(name: &str, seed: u64, stage: &Stage) -> Result<VmOrder, LabError> {
    if !name.contains(['/', '\\', '.']) {
        return Ok(VmOrder::new(Guest::find(name, stage)?, seed));
    }
    let image = std::fs::read(name).map_err(|error| {
        LabError::Usage(format!(
            "the image '{name}' cannot be read: {error}. Give the path of an ELF file, or the \
             name of a guest (see `cargo lab list`)."
        ))
    })?;
    Ok(VmOrder::of_image(name.to_string(), image))
}

fn pair<'a>(text: &'a str, whole: &str) -> Result<(&'a str, u64), LabError> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if !KEYS.contains(&key) {
        return Err(suggest::unknown(
            "key of a VM",
            key,
            &KEYS,
            "See `cargo lab run --help`.",
        ));
    }
    let number = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    let number = number.map_err(|_| {
        LabError::Usage(format!(
            "'{text}' in '{whole}': must be {key}= and a number, such as 7 or 0x7"
        ))
    })?;
    Ok((key, number))
}

fn set(vm: &mut VmOrder, key: &str, value: u64) -> Result<(), LabError> {
    let setup = &mut vm.setup;
    match key {
        "weight" => setup.weight = within("weight", value, WEIGHTS)? as u32,
        "vcpus" => setup.vcpus = within("vcpus", value, 1..=MAX_VCPUS)? as u8,
        "memory" => setup.memory = within("memory in MiB", value, MEMORY)? << 20,
        "home" => setup.home = Some(within("home", value, 0..=PCPUS.end() - 1)? as usize),
        "affinity" => setup.affinity = Some(within("affinity", value, 1..=u64::MAX)?),
        "start" => setup.start = Time(value),
        "tick" => setup.guest_tick = Some(within("tick", value, 1..=u32::MAX.into())? as u32),
        _ => {} // the seed has made the guest
    }
    Ok(())
}

/// `value` if it is in the range.
///
/// # Errors
/// The range, if not.
pub fn within(what: &str, value: u64, range: RangeInclusive<u64>) -> Result<u64, LabError> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(LabError::Usage(format!(
            "{what} {value}: must be from {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

/// The command that `text` gives: `TIME:DEED:NUMBER`.
///
/// # Errors
/// What is wrong with it.
pub fn command(text: &str) -> Result<Command, LabError> {
    let parts: Vec<_> = text.split(':').collect();
    let wrong = || {
        LabError::Usage(format!(
            "'{text}': must be TIME:WHAT:NUMBER, such as 90000:pause:1, and WHAT one of {}",
            DEEDS.join(", ")
        ))
    };
    let [time, deed, number] = parts[..] else {
        return Err(wrong());
    };
    let at = Time(time.parse().map_err(|_| wrong())?);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let deed = match deed {
        "start" => Deed::Start(number),
        "pause" => Deed::Pause(number),
        "resume" => Deed::Resume(number),
        "shut-down" => Deed::ShutDown(number),
        "destroy" => Deed::Destroy(number),
        "unplug" => Deed::Unplug(number as usize),
        "plug" => Deed::Plug(number as usize),
        _ => {
            let next = "See `cargo lab run --help`.";
            return Err(suggest::unknown("command", deed, &DEEDS, next));
        }
    };
    Ok(Command { at, deed })
}

/// Refuses what a version cannot do, and numbers that nothing has.
///
/// # Errors
/// What is wrong.
pub fn check(order: &HostOrder, stage: &Stage) -> Result<(), LabError> {
    let scenario = &order.scenario;
    let (vms, pcpus) = (order.vms.len() as u64, scenario.pcpus as u64);
    let setups = || order.vms.iter().map(|vm| &vm.setup);
    for command in &scenario.commands {
        let number = command.deed.number() as u64;
        match command.deed.vm() {
            Some(_) => within(&format!("{}: vm", command.deed), number, 0..=vms - 1)?,
            None => within(&format!("{}: pcpu", command.deed), number, 0..=pcpus - 1)?,
        };
    }
    for setup in setups() {
        if let Some(home) = setup.home {
            within("home", home as u64, 0..=pcpus - 1)?;
        }
        if setup
            .affinity
            .is_some_and(|mask| mask & mask_of(pcpus) == 0)
        {
            return Err(LabError::Usage(format!(
                "affinity {:#x}: must have a bit for one of the {pcpus} physical CPUs, which are \
                 {:#x} together",
                setup.affinity.unwrap_or(0),
                mask_of(pcpus)
            )));
        }
    }
    if scenario.engine == Engine::Kvm {
        on_hardware(scenario)?;
    }
    let many_pcpus = [
        ("more than one physical CPU", pcpus > 1),
        ("threads", scenario.order == host::Order::Threads),
        ("a home", setups().any(|setup| setup.home.is_some())),
        (
            "an affinity",
            setups().any(|setup| setup.affinity.is_some()),
        ),
        (
            "unplug and plug",
            scenario.commands.iter().any(|one| one.deed.vm().is_none()),
        ),
    ];
    let many_vcpus = [
        (
            "a VM with several vCPUs",
            setups().any(|setup| setup.vcpus > 1),
        ),
        ("a policy", scenario.policy != Policy::None),
    ];
    since(stage, "v6", &many_pcpus)?;
    since(stage, "v7", &many_vcpus)
}

/// Refuses what only a software CPU can do.
fn on_hardware(scenario: &host::Scenario) -> Result<(), LabError> {
    if scenario.pcpus > 1 && scenario.order != host::Order::Threads {
        return Err(LabError::Usage(String::from(
            "on kvm each of several physical CPUs runs in a thread of its own, and nobody decides \
             their order: leave --order out, or give --order threads or --pcpus 1",
        )));
    }
    match scenario.policy {
        Policy::SpinExits => Err(LabError::Usage(String::from(
            "--policy spin-exits makes no sense on kvm: KVM notices loops of pause, but keeps them \
             to itself",
        ))),
        _ => Ok(()),
    }
}

/// Refuses what is wanted and only a later version can do.
fn since(stage: &Stage, version: &str, abilities: &[(&str, bool)]) -> Result<(), LabError> {
    match abilities.iter().find(|(_, wanted)| *wanted) {
        Some((what, _)) if stage.name < version => Err(LabError::Usage(format!(
            "{what}: version {} cannot do that, only {version} and later",
            stage.name
        ))),
        _ => Ok(()),
    }
}

/// One bit for each of so many physical CPUs.
fn mask_of(pcpus: u64) -> u64 {
    u64::MAX >> (64 - pcpus.clamp(1, 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    fn parse(text: &str) -> Result<VmOrder, String> {
        vm(text, 5, &STAGES[4]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let vm = parse("keeper").unwrap();
        assert_eq!(
            (vm.seed, vm.setup.weight, vm.setup.memory),
            (5, 100, 16 << 20)
        );
    }

    #[test]
    fn every_key_is_set_to_its_value() {
        let text = "keeper:weight=7,seed=9,vcpus=2,memory=4,home=1,affinity=0x6,start=50,tick=99";
        let vm = parse(text).unwrap();
        let guest = guests::v1::guest("keeper").unwrap();
        assert_eq!(vm.image, guest.build(9).elf());
        let setup = vm.setup;
        assert_eq!((setup.weight, setup.vcpus, setup.memory), (7, 2, 4 << 20));
        assert_eq!((setup.home, setup.affinity), (Some(1), Some(6)));
        assert_eq!((setup.start, setup.guest_tick), (Time(50), Some(99)));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_would_be_right() {
        for (text, right) in [
            ("keeper:weight=0", "from 1 to 10000"),
            ("keeper:weight=many", "a number"),
            ("keeper:vcpus=33", "from 1 to 32"),
            ("keeper:memory=1", "from 2 to 1024"),
            ("keeper:wieght=3", "'weight'"),
            ("kepeer", "'kepeer'"),
            ("no/such.elf", "'no/such.elf'"),
        ] {
            let error = parse(text).err().unwrap();
            assert!(error.contains(right), "{text}: {error}");
        }
    }

    #[test]
    fn what_hardware_cannot_do_is_refused_with_what_it_can() {
        let order = || HostOrder::new([parse("keeper").unwrap()]).engine(Engine::Kvm);
        let check = |order: HostOrder| check(&order, &STAGES[6]).map_err(|no| no.to_string());
        assert_eq!(check(order()), Ok(()), "one physical cpu needs no order");
        assert_eq!(check(order().pcpus(2).order(host::Order::Threads)), Ok(()));
        let fair = check(order().pcpus(2)).unwrap_err();
        assert!(fair.contains("--order threads"), "{fair}");
        let spinning = check(order().policy(Policy::SpinExits)).unwrap_err();
        assert!(spinning.contains("keeps them to itself"), "{spinning}");
    }

    #[test]
    fn a_command_is_read_as_it_is_shown() {
        for text in ["5:start:0", "90000:shut-down:3", "7:unplug:1"] {
            let command = command(text).unwrap();
            assert_eq!(format!("{}:{}", command.at.0, command.deed), text);
        }
        for (text, right) in [("5:pause", "TIME:WHAT:NUMBER"), ("5:paus:1", "'pause'")] {
            let error = command(text).unwrap_err().to_string();
            assert!(error.contains(right), "{text}: {error}");
        }
    }
}
