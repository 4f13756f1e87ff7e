//! The stand that a version is run on: a machine, and a look at what it does.
//!
//! The stand joins the machine with a guest image, fills the registers with
//! garbage, lets the version prepare and run, and reports. It trusts the
//! version with nothing but its own two jobs: what is reported was seen by the
//! machine, and how it ended is reported as a claim.

use crate::clock::Clock;
use crate::engine::{self, EngineCpu, HostCpu, Told};
use crate::frame::{End, Prepared, RegisterFile};
use crate::panics::report_panics;
use crate::session::Session;
use crate::{Engine, Scenario, Writer, confine, limits};
use common::devices::Apic;
use common::trace::{Event, Record};
use common::{
    Boot, Bus, Context, Cpu, Ending, HostTimer, Image, Kick, Memory, Pcpu, Size, Symbols, Time,
    Vcpu, explain,
};
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// The machine that a version is handed.
pub struct Machine<C> {
    /// The physical CPU. The guest is on it: its registers, or the garbage before
    /// them, if they are on the physical CPU of this engine at all.
    pub pcpu: Pcpu<C>,
    /// The devices.
    pub bus: Bus,
    /// The vCPU's interrupt controller. Version 1 does not know it.
    pub apic: Apic,
    /// The host's timer.
    pub host: HostTimer,
}

/// A version, as the stand sees it.
pub trait Version {
    /// The virtual CPU that it builds on the raw one. Where an engine makes the
    /// virtual CPU, this is not used.
    type VirtualCpu: Vcpu<Cpu = Box<dyn Cpu>> + Default;

    /// The same, and it lets a session look at what it decides.
    fn spied(session: &Session) -> impl Vcpu<Cpu = Box<dyn Cpu>>;

    /// The guest's ELF image. A version of which the student writes a part of the
    /// guest puts it together here.
    ///
    /// # Errors
    /// If it cannot be had.
    fn image(scenario: &Scenario) -> io::Result<Vec<u8>> {
        std::fs::read(&scenario.image)
    }

    /// Prepares the context of a raw CPU.
    fn prepare(boot: &Boot, context: &mut Context);

    /// The version's monitor: runs the guest until it ends, or until somebody
    /// kicks it; then this may be called again.
    fn run<V: Vcpu>(vcpu: &mut V, machine: &mut Machine<V::Cpu>) -> Ending;
}

/// Runs version `V` in the scenario that the command line names, and reports to
/// the file that it names second: `run-v1 SCENARIO EVIDENCE`. Or to somebody who
/// looks at the run, and listens at a socket: `run-v1 session SCENARIO SOCKET`.
pub fn main<V: Version>() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [scenario, evidence] => report::<V>(scenario, evidence),
        [word, scenario, socket] if word.as_os_str() == "session" => look::<V>(scenario, socket),
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

fn report<V: Version>(scenario: &Path, evidence: &Path) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    let writer = Writer::create(evidence, scenario.records)?;
    if scenario.hold {
        writer.hold();
    }
    limits::set(scenario.memory, scenario.patience)?;
    confine::within_folder_of(evidence)?;
    run::<V>(&scenario, &writer, None)
}

/// Runs it for somebody who looks on, for as long as they do: neither confined
/// nor in a hurry. Comes back only if the run cannot begin.
fn look<V: Version>(scenario: &Path, socket: &Path) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    if scenario.engine != Engine::Interp {
        return Err("only the software cpu can be looked at between two instructions".into());
    }
    limits::set_memory(scenario.memory)?;
    let session = Session::begin(socket)?;
    run::<V>(&scenario, &Writer::to(&session), Some(&session))?;
    session.over(Time::ZERO, None)
}

fn run<V: Version>(
    scenario: &Scenario,
    writer: &Writer,
    session: Option<&Session>,
) -> Result<(), Box<dyn Error>> {
    let panics = writer.clone();
    report_panics(move |panic| panics.panic(panic));
    let Ok(image) = catch_unwind(AssertUnwindSafe(|| V::image(scenario))) else {
        return Ok(()); // the panic is on record
    };
    let image = Image::parse(&image?)?;
    let memory = memory(scenario, &image)?;
    let boot = Boot::prepare(&memory, image.entry)?.for_vcpu(scenario.vcpu)?;
    let stand = Stand {
        scenario,
        image: &image,
        writer,
        session,
        boot,
    };
    match scenario.engine {
        Engine::Interp => stand.run_on_software::<V>(memory),
        Engine::Kvm => stand.run_on_hardware::<V>(memory)?,
    }
    Ok(())
}

/// The guest's memory, with the guest in it.
fn memory(scenario: &Scenario, image: &Image) -> Result<Memory, Box<dyn Error>> {
    let memory = Memory::new(scenario.memory)?;
    image.load(&memory)?;
    let tick_length = image.symbols.address_of("tick_length");
    if let (Some(address), Some(ticks)) = (tick_length, scenario.guest_tick) {
        memory.store(address, Size::Dword, ticks.into());
    }
    Ok(memory)
}

/// One run, before the engine is there.
struct Stand<'a> {
    scenario: &'a Scenario,
    image: &'a Image,
    writer: &'a Writer,
    session: Option<&'a Session>,
    boot: Boot,
}

impl Stand<'_> {
    /// The version's own virtual CPU runs the guest, on the software CPU.
    fn run_on_software<V: Version>(&self, memory: Memory) {
        match self.session {
            None => self.run_on_software_with::<V, _>(memory, V::VirtualCpu::default),
            Some(session) => self.run_on_software_with::<V, _>(memory, || V::spied(session)),
        }
    }

    fn run_on_software_with<V: Version, C: Vcpu<Cpu = Box<dyn Cpu>>>(
        &self,
        memory: Memory,
        make: impl FnOnce() -> C,
    ) {
        let mut machine = self.machine::<Box<dyn Cpu>>(memory);
        if let Some(session) = self.session {
            machine.pcpu.inspect(session.inspector());
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            V::prepare(&self.boot, machine.pcpu.context());
            self.writer.prepared(Prepared::of(machine.pcpu.context()));
            make()
        }));
        let begin = Instant::now();
        let claim = prepared
            .ok()
            .and_then(|mut vcpu| self.run(&mut machine, |machine| V::run(&mut vcpu, machine)));
        let context = machine.pcpu.context().clone();
        self.end(&machine, begin, claim, &context, Told::default());
        if let Some(session) = self.session {
            session.over(machine.pcpu.now, Some(machine.pcpu.context()));
        }
    }

    /// The host's CPU runs it, under the version's monitor.
    fn run_on_hardware<V: Version>(&self, memory: Memory) -> Result<(), Box<dyn Error>> {
        let mut begun = HostCpu::begin(&memory, &[self.boot], V::prepare)?;
        let mut vcpu = begun.remove(0).start;
        let mut machine = self.machine::<HostCpu>(memory);
        let begin = Instant::now();
        let claim = self.run(&mut machine, |machine| V::run(&mut vcpu, machine));
        let told = Told::of(&vcpu);
        let context = engine::registers_of(&mut vcpu);
        self.end(&machine, begin, claim, &context, told);
        Ok(())
    }

    fn machine<C: EngineCpu>(&self, memory: Memory) -> Machine<C> {
        let Stand {
            scenario, writer, ..
        } = self;
        let mut pcpu = C::pcpu(0, memory, scenario.garbage);
        watch(&mut pcpu, scenario, writer, self.session.cloned());
        Machine {
            pcpu,
            bus: Bus::new(Box::new((*writer).clone())),
            apic: Apic::new(0),
            host: HostTimer::new(scenario.tick, scenario.limit),
        }
    }

    /// Lets the version run its guest; `None` if it panicked or got stuck. A guest
    /// that was stopped by the scenario's kick is run on.
    fn run<C>(
        &self,
        machine: &mut Machine<C>,
        mut run: impl FnMut(&mut Machine<C>) -> Ending,
    ) -> Option<Ending> {
        catch_unwind(AssertUnwindSafe(|| match run(machine) {
            Ending::Stopped if self.scenario.kick_at.is_some() => {
                self.writer.stopped();
                run(machine)
            }
            ending => ending,
        }))
        .ok()
    }

    /// Reports how things stand.
    fn end<C>(
        &self,
        machine: &Machine<C>,
        begin: Instant,
        claim: Option<Ending>,
        context: &Context,
        told: Told,
    ) {
        let (now, recorder) = (machine.pcpu.now, &machine.pcpu.recorder);
        let exits = recorder.histogram().iter();
        let how = claim.unwrap_or(Ending::Stopped);
        let mut explanation = explain(how, now, context, &self.image.symbols, recorder.last());
        if self.scenario.engine == Engine::Kvm {
            without_places(&mut explanation.last, &self.image.symbols);
        }
        self.writer.end(End {
            now,
            registers: RegisterFile::of(context),
            explanation,
            exits: exits
                .map(|(kind, count)| (kind.to_string(), count))
                .collect(),
            records: self.writer.seen(),
            last: recorder.last().copied().collect(),
            claim,
            failure: told.failure,
            measured: self.writer.measured(begin.elapsed(), told.emulated),
        });
    }
}

/// Hardware does not tell where the guest is at each exit.
fn without_places(lines: &mut [String], symbols: &Symbols) {
    let nowhere = symbols.place(0).to_string();
    for line in lines {
        *line = line.trim_end_matches(&nowhere).trim_end().to_string();
    }
}

/// Reports every record, kicks the CPU at the entry that the scenario names,
/// and stops a version that gets nowhere.
fn watch<C>(pcpu: &mut Pcpu<C>, scenario: &Scenario, writer: &Writer, session: Option<Session>) {
    let writer = writer.clone();
    if scenario.measure {
        writer.count();
    }
    let mut kick = KickAt {
        entry: scenario.kick_at,
        kick: pcpu.kick.clone(),
    };
    let mut clock = Clock::new(scenario.limit);
    pcpu.recorder.record_all(Box::new(move |record| {
        if let Some(session) = &session {
            session.hears(record);
        }
        writer.record(record);
        kick.look(record);
        if let Some(why) = clock.look_at(record) {
            writer.given_up(why);
            resume_unwind(Box::new("given up")); // to `run`, above
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
