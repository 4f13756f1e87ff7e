//! How things stood with each VM, for the evidence.

use super::frame::{Claim, Frame, VcpuEnd, VmEnd};
use super::watch::Watch;
use crate::frame::RegisterFile;
use common::{Ending, Image, Memory, Size, Time, explain};

/// Variables in which guests count something, and how many of them there are.
const PROBES: [(&str, u64); 5] = [
    ("work", 1),
    ("lock_acquired", 1),
    ("lock_wait_total", 1),
    ("lock_wait_max", 1),
    ("lock_waits", 64),
];

/// Looks at VMs from outside.
pub(crate) struct Reporter<'a> {
    pub(crate) images: &'a [Image],
    pub(crate) memories: &'a [Memory],
    pub(crate) watch: &'a Watch,
}

impl Reporter<'_> {
    /// How things stand with a VM, given what the version says of it.
    pub(crate) fn look(&self, vm: u32, now: Time, claim: Option<Claim>) -> VmEnd {
        let watch = &self.watch.vms[vm as usize];
        let vcpus = watch.vcpus.iter().map(|seen| {
            let seen = seen.lock();
            VcpuEnd {
                ran: seen.ran,
                left: seen.left,
                registers: RegisterFile::of(&seen.context),
            }
        });
        let last: Vec<_> = watch.last.lock().iter().copied().collect();
        let ending = claim.as_ref().and_then(|claim| claim.ending);
        let how = ending.unwrap_or(Ending::OutOfTime);
        let can_tell = self.watch.sees_registers && !how.is_success();
        let explanation = can_tell.then(|| {
            let last_vcpu = watch.books.lock().last_vcpu;
            let seen = watch.vcpus[usize::from(last_vcpu)].lock();
            let symbols = &self.images[vm as usize].symbols;
            explain(how, seen.left, &seen.context, symbols, &last)
        });
        VmEnd {
            vm,
            now,
            claim,
            vcpus: vcpus.collect(),
            last,
            explanation,
            failure: watch.books.lock().failure.clone(),
            probes: self.probes(vm as usize),
        }
    }

    /// Reports how things stood with a VM at its end, once.
    pub(crate) fn report(&self, end: VmEnd) {
        let books = &self.watch.vms[end.vm as usize].books;
        if !std::mem::replace(&mut books.lock().reported, true) {
            self.watch.release_console(end.vm);
            self.watch.writer.put(Frame::Vm(Box::new(end)));
        }
    }

    fn probes(&self, vm: usize) -> Vec<(String, Vec<u64>)> {
        let (symbols, memory) = (&self.images[vm].symbols, &self.memories[vm]);
        let probe = |(name, count): (&str, u64)| {
            let address = symbols.address_of(name)?;
            let value = |index| memory.load(address + 8 * index, Size::Qword);
            let values: Option<Vec<_>> = (0..count).map(value).collect();
            Some((name.to_string(), values?))
        };
        PROBES.into_iter().filter_map(probe).collect()
    }
}
