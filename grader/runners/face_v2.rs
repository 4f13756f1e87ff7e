//! What can be seen of version 2's virtual state.

use crate::spy::{Face, State};

/// Version 2's face.
#[allow(dead_code)] // in the runners of later versions
pub const FACE: Face<v2::Core> = Face {
    state,
    set_interrupts: Some(set_interrupts),
};

/// What version 2 emulates.
pub fn state(core: &v2::Core) -> State {
    let table = |table: v2::DescriptorTable| format!("{:#x} limit {:#x}", table.base, table.limit);
    let named = [
        ("IF", u8::from(core.interrupts.are_open()).to_string()),
        ("IDTR", table(core.handlers)),
        ("GDTR", table(core.segments)),
        ("CS", format!("{:#x}", core.cs)),
        ("SS", format!("{:#x}", core.ss)),
        ("CR2", format!("{:#x}", core.cr2)),
    ];
    named.map(|(name, value)| (name.to_string(), value)).into()
}

/// Opens or closes interrupts, without a shadow.
pub fn set_interrupts(core: &mut v2::Core, open: bool) {
    core.interrupts.set(open);
}
