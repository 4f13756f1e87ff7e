//! What a vCPU says of itself when its guest asks (`cpuid`).

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

/// Leaves 0x4000_0000 to 0x4000_ffff are the hypervisor's own.
const HYPERVISOR: std::ops::Range<u32> = 0x4000_0000..0x4001_0000;

/// Leaf 1, ECX: MONITOR, x2APIC, TSC deadline, hypervisor present.
const NOT_OURS: u32 = 1 << 3 | 1 << 21 | 1 << 24 | 1 << 31;

/// What vCPU `number` says: all that KVM supports, under its own APIC number,
/// without what would need KVM's own devices.
pub fn of_vcpu(supported: &CpuId, number: u8) -> CpuId {
    let entries: Vec<_> = supported
        .as_slice()
        .iter()
        .filter(|entry| !HYPERVISOR.contains(&entry.function))
        .map(|entry| numbered(*entry, number))
        .collect();
    CpuId::from_entries(&entries).expect("there are fewer entries than kvm gave")
}

/// Whether a guest's page tables may have pages of 1 GiB.
pub fn has_gibibyte_pages(supported: &CpuId) -> bool {
    const PAGE_1GB: u32 = 1 << 26;
    let leaf = |entry: &&kvm_cpuid_entry2| entry.function == 0x8000_0001;
    let leaf = supported.as_slice().iter().find(leaf);
    leaf.is_some_and(|leaf| leaf.edx & PAGE_1GB != 0)
}

fn numbered(mut entry: kvm_cpuid_entry2, number: u8) -> kvm_cpuid_entry2 {
    match entry.function {
        1 => {
            entry.ebx = entry.ebx & 0x00ff_ffff | u32::from(number) << 24;
            entry.ecx &= !NOT_OURS;
        }
        // The x2APIC number, in each level of the topology.
        0xb | 0x1f => {
            entry.edx = number.into();
            entry.flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        }
        _ => {}
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(function: u32) -> kvm_cpuid_entry2 {
        kvm_cpuid_entry2 {
            function,
            ebx: 0xaabb_ccdd,
            ecx: u32::MAX,
            edx: 0xffff,
            ..Default::default()
        }
    }

    #[test]
    fn each_vcpu_has_its_number_in_the_three_leaves_that_name_it() {
        let supported = CpuId::from_entries(&[entry(1), entry(0xb), entry(0x1f)]).unwrap();
        let cpuid = of_vcpu(&supported, 3);
        let [one, b, f] = cpuid.as_slice() else {
            panic!("three leaves");
        };
        assert_eq!(one.ebx, 0x03bb_ccdd);
        assert_eq!((b.edx, f.edx), (3, 3));
        assert_eq!(one.ecx & NOT_OURS, 0);
    }

    #[test]
    fn kvms_own_leaves_are_left_out() {
        let supported = CpuId::from_entries(&[entry(0x4000_0001), entry(7)]).unwrap();
        let cpuid = of_vcpu(&supported, 0);
        assert_eq!(cpuid.as_slice(), [entry(7)]);
    }
}
