//! Version 5: VMs that alternate at their halts, a hog, the timer, weights, a
//! neighbour that dies, and an owner who interferes.

use super::{Piece, piece, traced, vm};
use evidence::host::Deed;
use lab::host_order::HostOrder;

pub fn pieces() -> Vec<Piece> {
    vec![
        traced("talkers", HostOrder::new(talkers()).slice(1 << 40)),
        traced(
            "talkers-and-hog",
            HostOrder::new(talkers().into_iter().chain([vm("hog", 1)])),
        ),
        piece(
            "weights",
            HostOrder::new([
                vm("hog-for-ever", 1).weight(70),
                vm("hog-for-ever", 1).weight(30),
            ])
            .limit(1_000_000),
        ),
        traced(
            "a-neighbour-dies",
            HostOrder::new([vm("no-gate-at-all", 1), vm("hog", 2), vm("divide", 3)]),
        ),
        piece(
            "contexts",
            HostOrder::new([
                vm("patterns", 1),
                vm("patterns", 2),
                vm("user", 3),
                vm("tenant", 4),
            ])
            .slice(997),
        ),
        traced("lifecycle", lifecycle()),
    ]
}

fn talkers() -> [lab::host_order::VmOrder; 2] {
    [vm("talker", 1), vm("talker", 2)]
}

fn lifecycle() -> HostOrder {
    HostOrder::new([
        vm("hog-for-ever", 1),
        vm("sleeper", 1).guest_tick(50_001),
        vm("hog-for-ever", 1).start(60_000),
    ])
    .at(100_000, Deed::Pause(0))
    .at(120_000, Deed::Pause(1))
    .at(200_000, Deed::Resume(1))
    .at(250_000, Deed::Resume(0))
    .at(300_000, Deed::ShutDown(2))
    .at(320_000, Deed::Destroy(2))
    .limit(400_000)
}
