//! Boots version 4's guests in QEMU, with the pieces of this crate in their
//! holes. Without QEMU the test says that it was skipped, and passes.

#[path = "../../../guests/tests/boot/mod.rs"]
mod boot;

use guests::v4;

#[test]
fn guests_of_version_4_print_and_end_as_their_models_say() {
    if !boot::qemu_is_there() {
        return;
    }
    for guest in v4::guests() {
        for seed in boot::SEEDS {
            let what = format!("{}, seed {seed:#x}", guest.name);
            let image = guest.build(&::v4::THREADS, seed);
            boot::check(&image, &guest.expected(seed), guest.name, &what);
        }
    }
}
