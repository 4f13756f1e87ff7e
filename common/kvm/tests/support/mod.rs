//! What the tests share: whether a KVM is here, and a place for what guests say.

#![allow(dead_code)] // each test uses its part

use common::{Boot, Image, Memory};
use kvm::{Machine, Vcpu};
use std::io::Write;
use std::sync::{Arc, Mutex};

/// As much RAM as every guest of the catalogues has.
pub const RAM: u64 = 16 << 20;

/// Whether this host's KVM can run `version`. If not, says so; but where
/// `HEPTAVISOR_REQUIRE` names `kvm`, that is a failure.
pub fn can_run(version: u8) -> bool {
    let report = kvm::probe();
    let Some(lack) = report.lack(version) else {
        return true;
    };
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word == "kvm"),
        "kvm is required: {lack}"
    );
    eprintln!("v{version} skipped: {lack}");
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
