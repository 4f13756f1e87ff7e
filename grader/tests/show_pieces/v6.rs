//! Version 6: all on one physical CPU, weights, one that goes and comes back, a
//! talker that wakes elsewhere, and the show piece on two.

use super::{Piece, piece, traced, vm};
use evidence::host::Deed;
use lab::host_order::{HostOrder, VmOrder};

pub fn pieces() -> Vec<Piece> {
    let hogs = |count| (0..count).map(|_| hog(0));
    vec![
        piece(
            "two-pcpus",
            HostOrder::new([
                vm("talker", 1),
                vm("talker", 2),
                vm("hog", 1),
                vm("hog", 2),
                vm("patterns", 1),
            ])
            .pcpus(2),
        ),
        traced("spread", HostOrder::new(hogs(8)).pcpus(4).limit(200_000)),
        piece(
            "weights",
            HostOrder::new([hog(0).weight(300)].into_iter().chain(hogs(3)))
                .pcpus(2)
                .limit(600_000),
        ),
        traced(
            "wakes-elsewhere",
            HostOrder::new([vm("talker", 1).home(0), hog(0).start(10_000)])
                .pcpus(2)
                .limit(200_000),
        ),
        traced(
            "unplugged",
            HostOrder::new([hog(0), hog(1)])
                .pcpus(2)
                .at(50_000, Deed::Unplug(1))
                .at(150_000, Deed::Plug(1))
                .limit(300_000),
        ),
    ]
}

fn hog(home: usize) -> VmOrder {
    vm("hog-for-ever", 1).home(home)
}
