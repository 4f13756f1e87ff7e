//! What a version's books say about a VM, as evidence. The same in the runners of
//! all versions with many VMs.

use evidence::host::{Account, Claim};
use v5::State;

/// What the scheduler says: the VM's state, and where its time went.
pub fn claim(state: State, account: v5::Account) -> Claim {
    Claim {
        state: state.name().into(),
        ending: match state {
            State::Ended(ending) => Some(ending),
            _ => None,
        },
        account: Account {
            run: account.run,
            waiting: account.waiting,
            halted: account.halted,
            paused: account.paused,
        },
    }
}
