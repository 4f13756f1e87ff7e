//! The registers with which a vCPU starts: what [`common::boot`] has written
//! into memory, and version 1's `prepare`, in KVM's words.

use common::boot::selectors::{KERNEL_CODE, KERNEL_DATA};
use common::boot::{GDT, GDT_LIMIT, PDPT};
use common::{Boot, Memory, PAGE_SIZE, Size, flags};
use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs};

/// CR0: PG, WP, NE, ET, MP, PE.
const CR0: u64 = 0x8001_0033;
/// CR4: OSFXSR and PAE.
const CR4: u64 = 0x220;
/// EFER: NXE, LMA, LME.
const EFER: u64 = 1 << 11 | 1 << 10 | 1 << 8;

/// Where page directories go, one for each gibibyte: the first page that the boot
/// structures leave free.
const DIRECTORIES: u64 = 0x4000;
const GIBIBYTES: u64 = 4;

/// Maps the same memory by pages of 2 MiB instead of 1 GiB, for a CPU that lacks
/// the latter, if that has not been done.
pub fn split_map(memory: &Memory) {
    const LARGE: u64 = 1 << 7;
    const FLAGS: u64 = 0xfff;
    for gibibyte in 0..GIBIBYTES {
        let slot = PDPT + gibibyte * 8;
        let Some(entry) = memory
            .load(slot, Size::Qword)
            .filter(|entry| entry & LARGE != 0)
        else {
            continue;
        };
        let directory = DIRECTORIES + gibibyte * PAGE_SIZE;
        for page in 0..512 {
            memory.store(directory + page * 8, Size::Qword, entry + (page << 21));
        }
        let flags = entry & FLAGS & !LARGE;
        memory.store(slot, Size::Qword, directory | flags);
    }
}

/// The general registers.
pub fn general(boot: &Boot) -> kvm_regs {
    kvm_regs {
        rip: boot.entry,
        rsp: boot.stack,
        rdi: boot.vcpu,
        rflags: flags::ALWAYS,
        ..Default::default()
    }
}

/// The system registers. `reset` is what KVM has at reset; it says where the
/// APIC is, and has a task segment, without which hardware refuses to run.
pub fn system(boot: &Boot, reset: kvm_sregs) -> kvm_sregs {
    let data = segment(KERNEL_DATA, DATA, 0);
    kvm_sregs {
        cs: segment(KERNEL_CODE, CODE, 1),
        ss: data,
        ds: data,
        es: data,
        fs: NULL,
        gs: NULL,
        gdt: kvm_dtable {
            base: GDT,
            limit: GDT_LIMIT,
            ..Default::default()
        },
        idt: kvm_dtable::default(),
        cr0: CR0,
        cr2: 0,
        cr3: boot.root,
        cr4: CR4,
        efer: EFER,
        ..reset
    }
}

/// Types of segments (SDM vol. 3, table 3-1): execute, read, accessed; and read,
/// write, accessed.
const CODE: u8 = 0b1011;
const DATA: u8 = 0b0011;

/// A flat segment of privilege 0, as the boot structures describe it.
fn segment(selector: u16, kind: u8, long: u8) -> kvm_segment {
    kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector,
        type_: kind,
        present: 1,
        dpl: 0,
        db: 1 - long,
        s: 1,
        l: long,
        g: 1,
        ..Default::default()
    }
}

/// A segment register that holds the null selector.
const NULL: kvm_segment = kvm_segment {
    base: 0,
    limit: 0,
    selector: 0,
    type_: 0,
    present: 0,
    dpl: 0,
    db: 0,
    s: 0,
    l: 0,
    g: 0,
    avl: 0,
    unusable: 1,
    padding: 0,
};

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Access, Context, translate};

    #[test]
    fn the_split_map_shows_the_same_memory_at_the_same_addresses() {
        let memory = Memory::new(2 << 20).unwrap();
        let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
        split_map(&memory);
        split_map(&memory);
        let mut context = Context::new(memory);
        context.space.set_root(boot.root);
        for address in [0, 0x10_0abc, 0x7fff_ffff, 0xfee0_0390, 0xffff_ffff] {
            let found = translate(&context.space, address, Access::Write).unwrap();
            assert_eq!(found.gpa, address);
            assert!(found.writable && found.executable && !found.user);
        }
        assert!(translate(&context.space, 1 << 32, Access::Read).is_err());
    }
}
