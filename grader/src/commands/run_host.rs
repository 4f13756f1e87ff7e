//! `cargo lab run` from version 5 on: runs a set of VMs and shows what they
//! print, and where the time went.

use super::paint::Paint;
use super::run::{
    LONG, ON_KVM, PATIENCE, TRACE, refuse, runner, show_output_of_the_code, still_runs,
};
use super::say::{if_it_takes, note, note_text};
use crate::cli::{OrderName, PolicyName, RunArguments, SingleArguments};
use crate::error::LabError;
use crate::fate::Fate;
use crate::host_order::{HostObservation, HostOrder, VmOrder, observe_host};
use crate::host_trace;
use crate::stages::Stage;
use crate::vm_fate::VmFate;
use crate::vm_spec::{self, VMS, within};
use crate::workspace::Workspace;
use common::{Ending, Time};
use evidence::Engine;
use evidence::host::{Deed, Evidence, Order, Policy, RunEvidence, Scenario, Violation};
use guests::catalogue;
use std::io::Write;

/// Runs VMs. The exit code is 0 if each ended well, or never ends.
pub(super) fn run(
    workspace: &Workspace,
    stage: &Stage,
    engine: Engine,
    arguments: &RunArguments,
) -> Result<u8, LabError> {
    let order = order(stage, engine, arguments)?;
    let Some(runner) = runner(workspace, stage)? else {
        return Ok(1);
    };
    let mut consoles = Consoles::new(&order.vms);
    let command = order.command(stage.name);
    let run = if_it_takes(
        LONG,
        || still_runs(stage),
        || observe_host(&runner, order, |evidence| consoles.follow(evidence)),
    )?;
    consoles.finish();
    let nothing = RunEvidence::default();
    let last = run.evidence.runs.last().unwrap_or(&nothing);
    let all_well = report(&run, last, arguments.trace);
    note!("\nagain: {command}");
    match (&run.finished, all_well) {
        (None, _) => Err(LabError::Interrupted),
        (_, true) => Ok(0),
        (_, false) => Ok(1),
    }
}

/// The VMs that show a version at its best.
pub(super) fn show_piece(stage: &Stage) -> &'static [&'static str] {
    match stage.name {
        "v5" => &["talker", "talker:seed=2", "hog"],
        "v6" => &["talker", "talker:seed=2", "hog", "hog:seed=2", "patterns"],
        _ => &["contended", "talker", "hog"],
    }
}

/// The run of many VMs that the command line asks for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn order(
    stage: &Stage,
    engine: Engine,
    arguments: &RunArguments,
) -> Result<HostOrder, LabError> {
    let SingleArguments {
        tick,
        vcpu,
        kick_at,
    } = arguments.single;
    let given = [
        ("tick", tick.is_some()),
        ("vcpu", vcpu.is_some()),
        ("kick-at", kick_at.is_some()),
    ];
    refuse(&given, &format!("version {} runs many VMs", stage.name))?;
    let host = &arguments.host;
    let pcpus = host.pcpus.unwrap_or(usual_pcpus(stage)) as usize;
    let mut order = HostOrder::new(vms(stage, arguments)?)
        .limit(arguments.limit)
        .pcpus(pcpus)
        .engine(engine)
        .order(match host.order.unwrap_or(usual_order(engine, pcpus)) {
            OrderName::Fair => Order::Fair(arguments.seed),
            OrderName::Adversarial => Order::Adversarial(arguments.seed),
            OrderName::Threads => Order::Threads,
        })
        .policy(match host.policy {
            None | Some(PolicyName::None) => Policy::None,
            Some(PolicyName::SpinExits) => Policy::SpinExits,
            Some(PolicyName::YieldPort) => Policy::YieldPort,
            Some(PolicyName::CoScheduling) => Policy::CoScheduling,
        });
    order.scenario.slice = host.slice.unwrap_or(order.scenario.slice);
    for text in &host.at {
        order.scenario.commands.push(vm_spec::command(text)?);
    }
    order.scenario.patience = PATIENCE.as_secs();
    order.backstop = PATIENCE;
    if arguments.trace {
        order.scenario.records = TRACE;
    }
    vm_spec::check(&order, stage)?;
    Ok(order)
}

pub(super) fn usual_pcpus(stage: &Stage) -> u64 {
    match stage.name {
        "v5" => 1,
        _ => 2,
    }
}

/// Hardware does not stop for a stepper, so several physical CPUs need a thread
/// each there.
pub(super) fn usual_order(engine: Engine, pcpus: usize) -> OrderName {
    match engine {
        Engine::Kvm if pcpus > 1 => OrderName::Threads,
        _ => OrderName::Fair,
    }
}

fn vms(stage: &Stage, arguments: &RunArguments) -> Result<Vec<VmOrder>, LabError> {
    let single = [
        arguments.guest.clone(),
        arguments
            .image
            .as_ref()
            .map(|path| format!("./{}", path.display())),
    ];
    let single: Vec<_> = single.into_iter().flatten().collect();
    let show_piece = show_piece(stage).iter().map(|text| text.to_string());
    let texts = match (&single[..], &arguments.host.vm[..]) {
        ([], []) => show_piece.collect(),
        ([], texts) => texts.to_vec(),
        _ => single,
    };
    within("the number of VMs", texts.len() as u64, VMS)?;
    let vm = |text: &String| {
        let mut vm = vm_spec::vm(text, arguments.seed, stage)?;
        vm.setup.guest_tick = vm.setup.guest_tick.or(arguments.guest_tick);
        Ok(vm)
    };
    texts.iter().map(vm).collect()
}

/// Shows each VM's lines, with its number and name before them.
struct Consoles {
    labels: Vec<String>,
    /// How many bytes of each console have been looked at, and shown.
    shown: Vec<usize>,
    lines: Vec<Vec<u8>>,
    paint: Paint,
}

impl Consoles {
    fn new(vms: &[VmOrder]) -> Consoles {
        let label = |(number, vm): (usize, &VmOrder)| format!("vm {number} {}", vm.name);
        let labels: Vec<_> = vms.iter().enumerate().map(label).collect();
        let width = labels.iter().map(String::len).max().unwrap_or(0);
        Consoles {
            shown: vec![0; vms.len()],
            lines: vec![Vec::new(); vms.len()],
            labels: labels
                .iter()
                .map(|label| format!("{label:width$} | "))
                .collect(),
            paint: Paint::stdout(),
        }
    }

    /// Shows what is new.
    fn follow(&mut self, evidence: &Evidence) {
        let Some(run) = evidence.runs.last() else {
            return;
        };
        for (&vm, console) in &run.consoles {
            let vm = vm as usize;
            for &byte in &console[self.shown[vm]..] {
                match byte {
                    b'\n' => self.show(vm),
                    byte => self.lines[vm].push(byte),
                }
            }
            self.shown[vm] = console.len();
        }
    }

    fn show(&mut self, vm: usize) {
        let mut line = self.paint.faint(&self.labels[vm]).into_bytes();
        line.append(&mut self.lines[vm]);
        line.push(b'\n');
        // Whoever closed the pipe does not want to see the rest.
        let _ = std::io::stdout().write_all(&line);
    }

    /// Shows the lines that have no end.
    fn finish(&mut self) {
        for vm in 0..self.lines.len() {
            if !self.lines[vm].is_empty() {
                self.show(vm);
            }
        }
    }
}

/// Says how the run was over, and where the time went. Whether all is well.
fn report(observation: &HostObservation, run: &RunEvidence, trace: bool) -> bool {
    if trace {
        let text = host_trace::all(&run.records, observation.host());
        note_text(format_args!("{text}"));
    }
    if let Some(finished) = &observation.finished {
        show_output_of_the_code(finished);
    }
    // What must not be comes first: the guests' fates often follow from it.
    let mut well = run.violations.is_empty();
    for violation in &run.violations {
        note!("{}", in_words(violation));
    }
    let vms = 0..observation.order.vms.len() as u32;
    let fates: Vec<_> = vms.map(|vm| VmFate::of(run, vm)).collect();
    for (number, fate) in fates.iter().enumerate() {
        if !is_well(&observation.order, number, fate) {
            well = false;
            explain(run, number as u32);
        }
    }
    for refused in run.commands.iter().filter(|one| one.refused.is_some()) {
        let why = refused.refused.as_deref().unwrap_or_default();
        note!("{} at {} was refused: {why}", refused.deed, refused.time);
    }
    note_text(format_args!("\n{}", table(&observation.order, run, &fates)));
    if observation.order.scenario.engine == Engine::Kvm {
        note!("\n{ON_KVM}");
    }
    let finished = observation.finished.as_ref();
    if let Some(fate) = finished.and_then(|how| Fate::of_host(&observation.evidence, run, how)) {
        note!("\n{fate}");
        return false;
    }
    well
}

/// Whether this is how a VM should end.
fn is_well(order: &HostOrder, vm: usize, fate: &VmFate) -> bool {
    let asked = |deed| order.scenario.commands.iter().any(|one| one.deed == deed);
    let expected = order.vms[vm]
        .guest
        .map(|guest| guest.expected(order.vms[vm].seed));
    let never_ends =
        expected.is_some_and(|expected| matches!(expected.ending, catalogue::Ending::Never { .. }));
    match fate {
        VmFate::Ended(Ending::Stopped) => asked(Deed::ShutDown(vm as u32)),
        VmFate::Ended(ending) => ending.is_success(),
        VmFate::Alive(_) => never_ends || order.vms[vm].setup.start == Time::NEVER,
        VmFate::Untrue(_) | VmFate::Unknown => false,
    }
}

/// Why a VM died, if it did.
fn explain(run: &RunEvidence, vm: u32) {
    let Some(end) = run.vms.get(&vm) else {
        return;
    };
    let told = end.explanation.as_ref().map(ToString::to_string);
    if let Some(told) = end.failure.clone().or(told)
        && matches!(VmFate::of(run, vm), VmFate::Ended(_))
    {
        note!("\nvm {vm}: {}", told.trim_end());
    }
}

/// What must not have been, in one line.
fn in_words(violation: &Violation) -> String {
    let Violation {
        vcpu,
        pcpu,
        time,
        what,
    } = violation;
    format!("wrong at {time}: {vcpu} on pcpu {pcpu} {what}")
}

/// One line a VM: how it ended, and where its time went.
fn table(order: &HostOrder, run: &RunEvidence, fates: &[VmFate]) -> String {
    let clocks = run
        .end
        .as_ref()
        .map(|end| end.clocks.iter().map(|time| time.0).sum());
    let all: u64 = clocks.unwrap_or(0).max(1);
    let width = order
        .vms
        .iter()
        .map(|vm| vm.name.len())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut text = format!(
        " vm  {:width$}  weight  {:28}  {:>13}  {:>13}  {:>13}  {:>13}   share\n",
        "guest", "ending", "run", "waiting", "halted", "paused"
    );
    for ((number, vm), fate) in order.vms.iter().enumerate().zip(fates) {
        let end = run.vms.get(&(number as u32));
        let claim = end.and_then(|end| end.claim.as_ref());
        let account = claim.map(|claim| claim.account).unwrap_or_default();
        let ran: u64 = end.map_or(0, |end| end.vcpus.iter().map(|vcpu| vcpu.ran).sum());
        let [run, waiting, halted, paused] =
            [account.run, account.waiting, account.halted, account.paused].map(Time);
        let tenths = u128::from(ran) * 1000 / u128::from(all);
        text += &format!(
            "{number:>3}  {:width$}  {:>6}  {:28}  {run:>13}  {waiting:>13}  {halted:>13}  {paused:>13}  \
             {:>3}.{} %\n",
            vm.name,
            vm.setup.weight,
            in_short(fate),
            tenths / 10,
            tenths % 10
        );
        // By several clocks the two are never quite the same: one may be behind that
        // of the physical CPU which woke its vCPU.
        let Scenario { engine, pcpus, .. } = order.scenario;
        let is_exact = engine == Engine::Interp && pcpus == 1;
        if is_exact && matches!(fate, VmFate::Ended(_)) && ran != account.run {
            let ran = Time(ran);
            text += &format!(
                "     its account says {run} ticks, and the machine saw it run for {ran}\n"
            );
        }
    }
    text
}

/// How a VM ended in a few words.
fn in_short(fate: &VmFate) -> String {
    match fate {
        VmFate::Ended(ending) => short(*ending),
        VmFate::Untrue(ending) => format!("{}: not true", short(*ending)),
        VmFate::Alive(state) => format!("has not ended: {state}"),
        VmFate::Unknown => String::from("unknown"),
    }
}

fn short(ending: Ending) -> String {
    let text = ending.to_string();
    text.strip_prefix("the guest ").unwrap_or(&text).to_string()
}
