//! Version 7: vCPUs that share a machine, that wake each other, the four ways in
//! which a machine ends, and a lock whose holder loses its physical CPU.

use super::{Piece, piece, traced, vm};
use evidence::host::Policy;
use lab::host_order::HostOrder;

pub fn pieces() -> Vec<Piece> {
    let two = |vms: &[&str]| HostOrder::new(vms.iter().map(|name| vm(name, 1))).pcpus(2);
    let contended = |guest, policy| two(&["hog", guest]).policy(policy);
    vec![
        piece("together", two(&["together", "talker"])),
        piece("registers", two(&["patterns-smp", "patterns"]).slice(1_500)),
        traced("ping-pong", two(&["ping-pong"])),
        traced("broadcast", two(&["broadcast"])),
        traced("stopper", two(&["stopper", "talker"])),
        traced("dying", two(&["dying", "talker"])),
        traced("last-one-out", two(&["last-one-out"])),
        traced("all-asleep", two(&["all-asleep"])),
        piece("contended", contended("contended", Policy::None)),
        piece("spin-exits", contended("contended", Policy::SpinExits)),
        piece(
            "yield-port",
            contended("contended-yield", Policy::YieldPort),
        ),
        piece(
            "co-scheduling",
            contended("contended", Policy::CoScheduling),
        ),
    ]
}
