//! What was seen, in words: instructions, what changed from one moment to the
//! next, and what the virtual CPU decided.
//!
//! The words are made from observations alone: the records of the machine, the
//! version's own answers, and the state before and after.

mod decision;
mod news;
mod printed;

use common::{Gpr, Symbols, disassemble, flags};
use evidence::session::{Gone, Scene, Stop};

pub use super::pages::page;
pub use news::{Line, news};
pub use printed::Printed;

/// The instruction that comes next.
pub fn instruction(scene: &Scene, symbols: &Symbols) -> String {
    let bytes = &scene.code.0;
    match disassemble(bytes, scene.registers.rip, symbols) {
        Some((text, _)) => text,
        None if bytes.is_empty() => String::from("no memory here to read the instruction from"),
        None => String::from("no instruction"),
    }
}

/// The mode of the code that runs, by its view of memory.
pub const fn mode(scene: &Scene) -> &'static str {
    match scene.kernel_view {
        true => "kernel",
        false => "user",
    }
}

/// Which registers of the raw CPU changed, in the order of their numbers, and to
/// what; without RIP, which changes always.
pub fn changed_registers(before: &Scene, after: &Scene) -> Vec<String> {
    let mut changes = Vec::new();
    for register in Gpr::ALL {
        let [old, new] = [before, after].map(|scene| scene.registers.get(register));
        if old != new {
            changes.push(format!("{} {old:#x} → {new:#x}", register.name()));
        }
    }
    let [old, new] = [before, after].map(|scene| scene.registers.flags);
    if old != new {
        changes.push(format!("flags {} → {}", flag_names(old), flag_names(new)));
    }
    let others = [
        ("fs base", before.fs_base, after.fs_base),
        ("gs base", before.gs_base, after.gs_base),
        ("cr3", before.root, after.root),
    ];
    for (name, old, new) in others {
        if old != new {
            changes.push(format!("{name} {old:#x} → {new:#x}"));
        }
    }
    changes
}

/// What changed of the state that the virtual CPU emulates, and the mode.
pub fn changed_state(before: &Scene, after: &Scene) -> Vec<String> {
    let mut changes = Vec::new();
    if before.kernel_view != after.kernel_view {
        changes.push(format!("mode {} → {}", mode(before), mode(after)));
    }
    for (name, new) in &after.state {
        let old = before.state.iter().find(|(known, _)| known == name);
        match old {
            Some((_, old)) if old != new => changes.push(format!("{name} {old} → {new}")),
            _ => {}
        }
    }
    changes
}

/// The names of the flags that are set, such as `ZF PF`; `none` if none is.
pub fn flag_names(value: u64) -> String {
    let names = [
        ("CF", flags::CF),
        ("PF", flags::PF),
        ("AF", flags::AF),
        ("ZF", flags::ZF),
        ("SF", flags::SF),
        ("DF", flags::DF),
        ("OF", flags::OF),
    ];
    let set = names.iter().filter(|(_, flag)| value & flag != 0);
    let set: Vec<_> = set.map(|(name, _)| *name).collect();
    match set.is_empty() {
        true => String::from("none"),
        false => set.join(" "),
    }
}

/// What is said when the process that went on is gone, and not because it was
/// asked to.
pub fn lost(gone: Gone, stop: &Stop) -> Option<String> {
    let what = match gone {
        Gone::Retreated => return None,
        Gone::Hung => String::from("your code did not come back to the guest for 10 seconds"),
        Gone::Exited(code) => format!("your code ended the whole program, with exit code {code}"),
        Gone::Signal(signal) => format!("your code brought signal {signal} on itself"),
    };
    Some(format!(
        "{what}, somewhere after time {}: this is the last checkpoint before it",
        stop.time
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Time;
    use evidence::session::Why;
    use evidence::{Bytes, RegisterFile};

    fn scene() -> Scene {
        Scene {
            registers: RegisterFile {
                general: [0; 16],
                rip: 0x1000,
                flags: 2,
            },
            fs_base: 0,
            gs_base: 0,
            root: 0x2000,
            kernel_view: true,
            code: Bytes(vec![0xfb]),
            state: vec![(String::from("IF"), String::from("0"))],
        }
    }

    pub(super) fn symbols() -> Symbols {
        let names = [("start", 0x1000), ("tick", 0x1100)];
        let names = names.map(|(name, address)| (name.to_string(), address));
        let everywhere = 0x1000..0x2000;
        Symbols::new(names, [everywhere])
    }

    #[test]
    fn what_changed_is_told_with_both_values_and_nothing_else_is() {
        let before = scene();
        let mut after = scene();
        assert!(changed_registers(&before, &after).is_empty());
        assert!(changed_state(&before, &after).is_empty());
        after.registers.general[3] = 0x10;
        after.registers.flags |= flags::ZF | flags::CF;
        after.registers.rip = 0x1001;
        after.kernel_view = false;
        after.state[0].1 = String::from("1");
        assert_eq!(
            changed_registers(&before, &after),
            ["rbx 0x0 → 0x10", "flags none → CF ZF"]
        );
        assert_eq!(
            changed_state(&before, &after),
            ["mode kernel → user", "IF 0 → 1"]
        );
    }

    #[test]
    fn the_next_instruction_is_read_from_the_bytes_at_rip() {
        let mut scene = scene();
        assert_eq!(instruction(&scene, &symbols()), "sti");
        scene.code = Bytes(Vec::new());
        assert!(instruction(&scene, &symbols()).starts_with("no memory"));
    }

    #[test]
    fn a_process_that_was_asked_to_go_is_not_lost() {
        let stop = Stop {
            why: Why::Arrived,
            depth: 0,
            position: 5,
            time: Time(5_000),
            latest: Time(5_000),
            pcpu: 0,
            vcpu: None,
            before: None,
            scene: None,
            last_hit: None,
            from: 0,
            news: Vec::new(),
        };
        assert_eq!(lost(Gone::Retreated, &stop), None);
        let told = lost(Gone::Signal(6), &stop).unwrap();
        assert!(
            told.contains("signal 6") && told.contains("5,000"),
            "{told}"
        );
    }
}
