//! A host that has no mapping left for one more VM. Alone in its process, since
//! while there is none nothing else could have one either.

#![cfg(unix)]

use common::{Memory, MemoryError, Template};

#[test]
fn a_host_that_is_out_of_mappings_refuses_and_goes_on() {
    let template = Template::of(&Memory::new(4096).unwrap()).unwrap();
    let most = 100_000;
    let mut memories = Vec::with_capacity(most);
    let refusal = loop {
        match template.memory() {
            Ok(memory) if memories.len() < most => memories.push(memory),
            Ok(_) => {
                println!("skipped: this host has more than {most} mappings");
                return;
            }
            Err(error) => break error,
        }
    };
    let room = memories.len();
    drop(memories);
    assert!(matches!(refusal, MemoryError::Host(4096, _)), "{refusal}");
    assert!(room > 1000 && template.memory().is_ok(), "{room}");
}
