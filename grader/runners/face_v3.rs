//! What can be seen of version 3's virtual state.

use crate::face_v2;
use crate::spy::{Face, State};

/// Version 3's face.
#[allow(dead_code)] // in the runner of version 7
pub const FACE: Face<v3::Core> = Face {
    state,
    set_interrupts: Some(|core, open| face_v2::set_interrupts(&mut core.below, open)),
};

/// What version 3 emulates.
pub fn state(core: &v3::Core) -> State {
    let v3::Core { msrs, task, .. } = core;
    let named = [
        ("SCE", u8::from(msrs.syscall_enabled()).to_string()),
        ("STAR", format!("{:#x}", msrs.star)),
        ("LSTAR", format!("{:#x}", msrs.lstar)),
        ("FMASK", format!("{:#x}", msrs.fmask)),
        ("TR", format!("{:#x} at {:#x}", task.selector, task.base)),
    ];
    let named = named.map(|(name, value)| (name.to_string(), value));
    face_v2::state(&core.below)
        .into_iter()
        .chain(named)
        .collect()
}
