//! The stand that a version is run on: a machine, and a look at what it does.
//!
//! The stand joins the machine with a guest image, fills the registers with
//! garbage, lets the version prepare and run, and reports. It trusts the
//! version with nothing but its own two jobs: what is reported was seen by the
//! machine, and how it ended is reported as a claim.

use crate::clock::Clock;
use crate::frame::{End, Prepared, RegisterFile};
use crate::panics::report_panics;
use crate::{Scenario, Writer, limits};
use common::devices::Apic;
use common::trace::{Event, Record};
use common::{Boot, Bus, Cpu, Ending, HostTimer, Image, Interp, Kick, Memory, Pcpu, Size, explain};
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The machine that a version is handed.
pub struct Machine {
    /// What the vCPU starts with.
    pub boot: Boot,
    /// The physical CPU, its registers full of garbage.
    pub pcpu: Pcpu<Box<dyn Cpu>>,
    /// The devices.
    pub bus: Bus,
    /// The vCPU's interrupt controller. Version 1 does not know it.
    pub apic: Apic,
    /// The host's timer.
    pub host: HostTimer,
}

/// A version, as the stand sees it.
pub trait Version {
    /// The guest's ELF image. A version of which the student writes a part of the
    /// guest puts it together here.
    ///
    /// # Errors
    /// If it cannot be had.
    fn image(&self, scenario: &Scenario) -> io::Result<Vec<u8>> {
        std::fs::read(&scenario.image)
    }

    /// Prepares the context of the machine's CPU.
    fn prepare(&mut self, machine: &mut Machine);

    /// Runs the guest until it ends, or until somebody kicks it; then this may
    /// be called again.
    fn run(&mut self, machine: &mut Machine) -> Ending;
}

/// Runs `version` in the scenario that the command line names, and reports to
/// the file that it names second: `run-v1 SCENARIO EVIDENCE`.
pub fn main(version: impl Version) -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [scenario, evidence] => report(version, scenario, evidence),
        _ => Err("usage: SCENARIO EVIDENCE (`cargo lab run` calls this for you)".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn report(version: impl Version, scenario: &Path, evidence: &Path) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    let writer = Writer::create(evidence, scenario.records)?;
    limits::set(scenario.memory, scenario.patience)?;
    let panics = writer.clone();
    report_panics(move |panic| panics.panic(panic));
    let Ok(image) = catch_unwind(AssertUnwindSafe(|| version.image(&scenario))) else {
        return Ok(()); // the panic is on record
    };
    let image = Image::parse(&image?)?;
    let mut machine = machine(&scenario, &image, &writer)?;
    let claim = run(version, &mut machine, &writer, scenario.kick_at.is_some());
    writer.end(end(&mut machine, &image, claim, writer.seen()));
    Ok(())
}

fn machine(scenario: &Scenario, image: &Image, writer: &Writer) -> Result<Machine, Box<dyn Error>> {
    let memory = Memory::new(scenario.memory)?;
    image.load(&memory)?;
    let tick_length = image.symbols.address_of("tick_length");
    if let (Some(address), Some(ticks)) = (tick_length, scenario.guest_tick) {
        memory.store(address, Size::Dword, ticks.into());
    }
    let boot = Boot::prepare(&memory, image.entry)?.for_vcpu(scenario.vcpu)?;
    let cpu: Box<dyn Cpu> = Box::new(Interp::new(memory));
    let mut pcpu = Pcpu::new(0, cpu);
    pcpu.scramble(scenario.garbage);
    watch(&mut pcpu, scenario, writer);
    Ok(Machine {
        boot,
        pcpu,
        bus: Bus::new(Box::new(writer.clone())),
        apic: Apic::new(0),
        host: HostTimer::new(scenario.tick, scenario.limit),
    })
}

/// Reports every record, kicks the CPU at the entry that the scenario names,
/// and stops a version that gets nowhere.
fn watch(pcpu: &mut Pcpu<Box<dyn Cpu>>, scenario: &Scenario, writer: &Writer) {
    let writer = writer.clone();
    let mut kick = KickAt {
        entry: scenario.kick_at,
        kick: pcpu.kick.clone(),
    };
    let mut clock = Clock::new(scenario.limit);
    pcpu.recorder.record_all(Box::new(move |record| {
        writer.record(record);
        kick.look(record);
        if let Some(why) = clock.look(record.time) {
            writer.given_up(why);
            resume_unwind(Box::new("given up")); // to `run`, below
        }
    }));
}

/// Counts entries, and kicks at one of them.
struct KickAt {
    entry: Option<u64>,
    kick: Kick,
}

impl KickAt {
    fn look(&mut self, record: &Record) {
        match (record.event, &mut self.entry) {
            (Event::Enter { .. }, Some(0)) => {
                self.kick.kick();
                self.entry = None;
            }
            (Event::Enter { .. }, Some(left)) => *left -= 1,
            _ => {}
        }
    }
}

/// Lets the version do its jobs; `None` if it panicked or got stuck. A guest that was
/// stopped by the scenario's kick is run on.
fn run(
    mut version: impl Version,
    machine: &mut Machine,
    writer: &Writer,
    kicked: bool,
) -> Option<Ending> {
    catch_unwind(AssertUnwindSafe(|| {
        version.prepare(machine);
        writer.prepared(Prepared::of(machine.pcpu.context()));
        match version.run(machine) {
            Ending::Stopped if kicked => {
                writer.stopped();
                version.run(machine)
            }
            ending => ending,
        }
    }))
    .ok()
}

fn end(machine: &mut Machine, image: &Image, claim: Option<Ending>, records: u64) -> End {
    let now = machine.pcpu.now;
    let context = machine.pcpu.context().clone();
    let recorder = &machine.pcpu.recorder;
    let exits = recorder.histogram().iter();
    let how = claim.unwrap_or(Ending::Stopped);
    End {
        now,
        registers: RegisterFile::of(&context),
        explanation: explain(how, now, &context, &image.symbols, recorder.last()),
        exits: exits
            .map(|(kind, count)| (kind.to_string(), count))
            .collect(),
        records,
        last: recorder.last().copied().collect(),
        claim,
    }
}
