//! The sets of VMs that show a version with many VMs at its best, as the
//! reference runs them: what each VM prints, how it ends and where its time
//! went, and for the small ones who had the physical CPUs and when.
//!
//! Each version has a module with its sets. `INSTA_UPDATE=always` writes the
//! snapshots anew.

#[path = "../support/mod.rs"]
mod support;
mod v5;
mod v6;
mod v7;

use common::trace::{Device, Event, Record};
use common::{SystemInstruction, Trap};
use evidence::host::Outcome;
use lab::checks::HostRun;
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use lab::host_trace::{self, Host};
use support::{graded, stage, workspace};

/// A set of VMs that is kept.
pub struct Piece {
    /// What it is called: lower case with hyphens.
    pub name: &'static str,
    /// What is run. The order of its physical CPUs must repeat.
    pub order: HostOrder,
    /// Whether its trace is short enough to be read.
    pub trace: bool,
}

/// A set whose trace is too long to be kept.
pub fn piece(name: &'static str, order: HostOrder) -> Piece {
    Piece {
        name,
        order,
        trace: false,
    }
}

/// A set that is kept with its trace.
pub fn traced(name: &'static str, order: HostOrder) -> Piece {
    Piece {
        trace: true,
        ..piece(name, order)
    }
}

/// The sets of a version; none if it runs single guests.
fn pieces(version: &str) -> Vec<Piece> {
    match version {
        "v5" => v5::pieces(),
        "v6" => v6::pieces(),
        "v7" => v7::pieces(),
        _ => Vec::new(),
    }
}

/// A VM with a guest of any version.
pub fn vm(guest: &str, seed: u64) -> VmOrder {
    VmOrder::new(Guest::find(guest, stage("v5")).expect("a guest"), seed)
}

/// So many lines of a trace say enough.
const LINES: usize = 300;

#[test]
fn sets_of_vms_run_as_they_are_kept() {
    for stage in graded() {
        let mut table = String::new();
        for Piece { name, order, trace } in pieces(stage.name) {
            let Compiled::Runner(runner) = compile(stage, &workspace()).expect("a build") else {
                panic!("{} does not compile", stage.name);
            };
            let observation = observe_host(&runner, order, |_| {}).expect("a run");
            let images = observation.images.clone();
            let run = HostRun::all(stage.name, observation).remove(0);
            run.expect_no_violations().expect("nothing wrong");
            keep(stage.name, &format!("console-{name}"), &consoles(&run));
            if trace {
                keep(stage.name, &format!("trace-{name}"), &told(&run, &images));
            }
            table += &format!("{}\n{}\n", run.order.command(stage.name), accounts(&run));
        }
        if !table.is_empty() {
            keep(stage.name, "accounts", &table);
        }
    }
}

/// Compares with a snapshot, or writes it.
fn keep(version: &str, name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => format!("../../snapshots/{version}"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

/// What each VM printed, with its number before each line.
fn consoles(run: &HostRun) -> String {
    let mut text = String::new();
    for vm in run.vms() {
        let console = String::from_utf8(run.console(vm).to_vec()).expect("text");
        console
            .lines()
            .for_each(|line| text += &format!("vm {vm} | {line}\n"));
    }
    text
}

/// Who had the physical CPUs, what trapped and what was delivered, without the
/// consoles' chatter.
fn told(run: &HostRun, images: &[common::Image]) -> String {
    let host = Host {
        images,
        pcpus: run.order.scenario.pcpus,
        engine: run.order.scenario.engine,
    };
    let records = run.records().filter(|(_, _, record)| is_told(record));
    let lines = records.map(|(_, vcpu, record)| host_trace::line(vcpu, record, host));
    lines.take(LINES).map(|line| line + "\n").collect()
}

fn is_told(record: &Record) -> bool {
    use SystemInstruction::{In, Out};
    match record.event {
        Event::Trap {
            trap: Trap::System { instruction, .. },
            ..
        } => !matches!(instruction, In { .. } | Out { .. }),
        Event::Trap { .. } | Event::Inject(_) | Event::Runs(_) | Event::Idle => true,
        Event::Device(access) => access.device != Device::Serial,
        Event::Enter { .. } | Event::Exit(_) => false,
    }
}

/// One line a VM: how it ended, and where its time went.
fn accounts(run: &HostRun) -> String {
    let mut text = String::new();
    for vm in run.vms() {
        let account = run.account(vm).unwrap_or_default();
        text += &format!(
            "  {vm} {:16} run {:>9}  waiting {:>9}  halted {:>9}  paused {:>9}  {}\n",
            run.order.vms[vm as usize].name,
            account.run,
            account.waiting,
            account.halted,
            account.paused,
            run.fate_of(vm)
        );
    }
    let over = run.evidence().end.as_ref().and_then(|end| end.outcome);
    text + match over {
        Some(Outcome::Done) => "  done\n",
        Some(Outcome::LimitReached) => "  the limit was reached\n",
        Some(Outcome::Stuck) => "  stuck\n",
        None => "  broken off\n",
    }
}
