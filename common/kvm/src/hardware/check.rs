//! States that no CPU can be in, found before KVM refuses them.

use super::error::Error;
use kvm_bindings::kvm_sregs;

/// KVM answers "invalid argument" to a state that no CPU can have, and does not
/// say which register it means: this does.
pub fn check(system: &kvm_sregs) -> Result<(), Error> {
    const LME: u64 = 1 << 8;
    const LMA: u64 = 1 << 10;
    const PG: u64 = 1 << 31;
    const PE: u64 = 1;
    const PAE: u64 = 1 << 5;
    const CR4_KNOWN: u64 = 0x01ff_ffff;
    let long = system.efer & LMA != 0;
    let rules = [
        (
            long != (system.efer & LME != 0 && system.cr0 & PG != 0),
            "efer",
            system.efer,
            "must have LMA exactly if LME and CR0.PG are set",
        ),
        (
            long && system.cr4 & PAE == 0,
            "cr4",
            system.cr4,
            "must have PAE in long mode",
        ),
        (
            system.cr0 & PG != 0 && system.cr0 & PE == 0,
            "cr0",
            system.cr0,
            "must have PE if it has PG",
        ),
        (
            system.cr4 & !CR4_KNOWN != 0,
            "cr4",
            system.cr4,
            "has a reserved bit",
        ),
        (
            system.cs.l != 0 && system.cs.db != 0,
            "cs",
            system.cs.selector.into(),
            "must not be 64-bit and 32-bit code at once",
        ),
    ];
    match rules.into_iter().find(|rule| rule.0) {
        None => Ok(()),
        Some((_, field, value, rule)) => Err(Error::State { field, value, rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_mode() -> kvm_sregs {
        kvm_sregs {
            cr0: 0x8001_0033,
            cr4: 0x220,
            efer: 0xd00,
            ..Default::default()
        }
    }

    #[test]
    fn a_state_that_no_cpu_can_have_is_refused_by_the_name_of_the_register() {
        assert!(check(&long_mode()).is_ok());
        type Break = fn(&mut kvm_sregs);
        let broken: [(Break, &str); 5] = [
            (|system| system.efer = 0x900, "efer is 0x900"),
            (|system| system.cr4 = 0x200, "cr4 is 0x200"),
            (|system| system.cr0 = 0x8001_0032, "cr0 is 0x80010032"),
            (|system| system.cr4 = 1 << 40 | 0x220, "reserved bit"),
            (|system| (system.cs.l, system.cs.db) = (1, 1), "cs is"),
        ];
        for (breaks, said) in broken {
            let mut system = long_mode();
            breaks(&mut system);
            let error = check(&system).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
