//! What the tests share: whether a KVM is here, and a place for what guests say.

#![allow(dead_code)] // each test uses its part

use common::{Boot, Exit, Image, Memory, Pcpu};
use kvm::{Ability, HostCpu, Machine, Report, Vcpu};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

/// As much RAM as every guest of the catalogues has.
pub const RAM: u64 = 16 << 20;

/// What may be missing even where KVM is required: QEMU 7.2's emulated SVM, on
/// which the continuous integration relies, lacks it. It forgets the shadow of `sti`
/// at each exit, and the number of the gate.
const MAY_LACK: [Ability; 2] = [Ability::Shadow, Ability::GateNumber];

fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(kvm::probe)
}

/// Whether this host's KVM can run `version`. If not, says so; but where
/// `HEPTAVISOR_REQUIRE` names `kvm`, that is a failure.
pub fn can_run(version: u8) -> bool {
    let Some(lack) = report().lack(version) else {
        return true;
    };
    skip(&format!("version {version}: {lack}"), false)
}

/// Whether this host's KVM has the ability that `what` needs. If not, as
/// [`can_run`]; but some abilities may be missing everywhere.
pub fn can(ability: Ability, what: &str) -> bool {
    let reason = format!("{what}: this kvm cannot {ability}");
    report().has(ability) || skip(&reason, MAY_LACK.contains(&ability))
}

/// Says why something is not tried, and that it is not (`false`). Unless it may be
/// missing `anywhere`, that is a failure where KVM is required.
pub fn skip(reason: &str, anywhere: bool) -> bool {
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    assert!(
        anywhere || !required.split(',').any(|name| name.trim() == "kvm"),
        "HEPTAVISOR_REQUIRE names kvm, but {reason}"
    );
    eprintln!("skipped: {reason}");
    false
}

/// A vCPU that is to start at the entry of `elf`.
pub fn vcpu(elf: &[u8]) -> Vcpu {
    vcpus(elf, 1).remove(0)
}

/// The vCPUs of one VM, which all start at the entry of `elf`.
pub fn vcpus(elf: &[u8], count: u8) -> Vec<Vcpu> {
    let image = Image::parse(elf).unwrap();
    let memory = Memory::new(RAM).unwrap();
    image.load(&memory).unwrap();
    let boot = Boot::prepare(&memory, image.entry).unwrap();
    let machine = Machine::new(&memory).unwrap();
    let vcpu = |number: u8| {
        machine
            .vcpu(&boot.for_vcpu(number.into()).unwrap())
            .unwrap()
    };
    (0..count).map(vcpu).collect()
}

/// Where the code of a [`Bare`] guest is.
pub const CODE: u64 = 0x10_0000;

/// A VM of one vCPU, and a physical CPU for it alone.
pub struct Bare {
    /// The vCPU.
    pub vcpu: Vcpu,
    /// The physical CPU.
    pub pcpu: Pcpu<HostCpu>,
}

impl Bare {
    /// One whose kernel is nothing but these bytes.
    pub fn new(code: &[u8]) -> Bare {
        let memory = Memory::new(4 << 20).unwrap();
        let boot = Boot::prepare(&memory, CODE).unwrap();
        memory.write(CODE, code).unwrap();
        let machine = Machine::new(&memory).unwrap();
        Bare {
            vcpu: machine.vcpu(&boot).unwrap(),
            pcpu: HostCpu::pcpu(0, HostCpu::TICK),
        }
    }

    /// Runs it, for five seconds at most.
    pub fn run(&mut self) -> Exit {
        let until = self.pcpu.now + 5_000_000;
        self.pcpu.run(&mut self.vcpu, until)
    }

    /// Its RAM.
    pub fn memory(&self) -> Memory {
        self.vcpu.machine().memory().clone()
    }
}

/// Keeps what a guest prints.
#[derive(Clone, Default)]
pub struct Console(Arc<Mutex<Vec<u8>>>);

impl Console {
    /// What was printed so far.
    pub fn text(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
