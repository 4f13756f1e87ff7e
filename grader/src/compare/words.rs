//! What the table says, in words.

use super::{Column, Comparison, count_of, names, number, sum_of};
use evidence::Engine;

impl Comparison {
    /// What the table says, in paragraphs.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for column in &self.columns {
            if let Some(wrong) = &column.wrong {
                words.push(format!("On {} it went wrong: {wrong}.", column.engine));
                if column.engine == Engine::Kvm && !self.kvm_lacks.is_empty() {
                    let lacks = self.kvm_lacks.join("; ");
                    words.push(format!("That may be the doing of this KVM: {lacks}."));
                }
            }
        }
        match (self.column(Engine::Interp), self.column(Engine::Kvm)) {
            (Some(software), Some(hardware)) => {
                words.push(vanished(software, self.kvm_emulates));
                words.push(remained(hardware));
                words.extend(kept(software));
                words.extend(self.time(software, hardware));
            }
            _ => words.extend(self.missing.as_ref().map(|why| {
                format!(
                    "There is no column for kvm: {why}. What is emulated above is what it would \
                     take over."
                )
            })),
        }
        words
    }

    fn time(&self, software: &Column, hardware: &Column) -> Option<String> {
        let [slow, fast] = [hardware, software].map(|column| column.measured.took.as_secs_f64());
        match (self.kvm_emulates, slow > 2.0 * fast) {
            (true, true) => Some(format!(
                "kvm took {:.0} times as long. This KVM has no hardware below it: it emulates the \
                 guest's kernel itself, and each exit goes a longer way (see \"What PVM is\" in \
                 LABS.md).",
                slow / fast.max(1e-9)
            )),
            _ => None,
        }
    }
}

/// What the hardware took over.
fn vanished(software: &Column, kvm_emulates: bool) -> String {
    let whose = match kvm_emulates {
        true => "the CPU's own, or where no hardware is below, as here, KVM's",
        false => "the CPU's own",
    };
    let emulated = sum_of(software.emulated());
    match emulated {
        0 => String::from(
            "Nothing was emulated: every trap of this workload is an exit to the monitor, and \
             hardware does not change that. What vanished is your virtual CPU, which makes the \
             exits; on kvm the CPU makes them.",
        ),
        _ => {
            let names = names(software.emulated());
            format!(
                "Your virtual CPU emulated {} {} ({}). On kvm none of this code ran: that state is \
                 {whose}.",
                number(emulated),
                if emulated == 1 { "event" } else { "events" },
                names.join(", ")
            )
        }
    }
}

/// What is left for the monitor.
fn remained(hardware: &Column) -> String {
    let kinds: Vec<_> = hardware
        .measured
        .exits
        .iter()
        .map(|(kind, count)| format!("{} {kind}", number(*count)))
        .collect();
    format!(
        "What remains is what a VMM is for: devices, time, and who runs next. These are the exits \
         on kvm: {}.",
        kinds.join(", ")
    )
}

/// What KVM does not tell.
fn kept(software: &Column) -> Option<String> {
    let loops = count_of(&software.measured.exits, "spin-loop");
    (loops > 0).then(|| {
        format!(
            "The software CPU told of {} loops of pause. A CPU with PAUSE-loop exiting tells KVM \
             of them, and KVM keeps that to itself: it lets another vCPU run, and no monitor \
             hears of it.",
            number(loops)
        )
    })
}
