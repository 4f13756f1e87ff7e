//! How places in the guests and vCPUs are called, and what a guest's own names say.

use super::{Session, words};
use crate::error::LabError;
use common::Symbols;
use common::trace::VcpuName;
use evidence::host::LOCK_OWNER;
use evidence::session::{News, Place};

impl Session {
    /// The names of the guest that runs.
    pub fn symbols(&self) -> &Symbols {
        self.symbols_of(self.stop.vcpu)
    }

    /// The names of the guest of a vCPU; of the first VM if none is meant.
    pub fn symbols_of(&self, vcpu: Option<VcpuName>) -> &Symbols {
        let vm = vcpu.map_or(0, |name| name.vm as usize);
        &self.images[vm.min(self.images.len() - 1)].symbols
    }

    /// The names of each guest, with the number of its VM.
    pub(crate) fn symbols_by_vm(&self) -> impl Iterator<Item = (u32, &Symbols)> {
        (0..).zip(self.images.iter().map(|image| &image.symbols))
    }

    /// A vCPU's name. If every VM of the run has only one, the VM's name is enough.
    pub fn name_of(&self, vcpu: VcpuName) -> String {
        match self.vcpus.iter().any(|other| other.vcpu > 0) {
            true => format!("vm {} vcpu {}", vcpu.vm, vcpu.vcpu),
            false => format!("vm {}", vcpu.vm),
        }
    }

    /// A piece of news in words, if it is worth a line.
    pub fn in_words(&self, news: &News) -> Option<words::Line> {
        words::news(news, self.symbols(), &|vcpu| self.name_of(vcpu))
    }

    /// The vCPU that holds the lock of its VM's guest, says the guest; `None` if
    /// nobody does, or the guest does not say.
    ///
    /// # Errors
    /// As [`read_of`](Session::read_of).
    pub fn lock_owner(&mut self, vm: u32) -> Result<Option<VcpuName>, LabError> {
        let of = VcpuName { vm, vcpu: 0 };
        let Some(address) = self.symbols_of(Some(of)).address_of(LOCK_OWNER) else {
            return Ok(None);
        };
        let bytes = self.read_of(Some(of), Place::Virtual(address), 4)?;
        let number = bytes.try_into().map(u32::from_le_bytes);
        let owner = |name: &&VcpuName| name.vm == vm && Ok(u32::from(name.vcpu)) == number;
        Ok(self.vcpus.iter().find(owner).copied())
    }

    /// Whether a vCPU is about to execute an instruction of this function, or will
    /// when it runs again.
    ///
    /// # Errors
    /// As [`read_of`](Session::read_of).
    pub fn is_in(&mut self, vcpu: VcpuName, function: &str) -> Result<bool, LabError> {
        let rip = self.registers_of(Some(vcpu))?.registers.rip;
        let place = self.symbols_of(Some(vcpu)).locate(rip);
        Ok(place.is_some_and(|(name, _)| name == function))
    }
}
