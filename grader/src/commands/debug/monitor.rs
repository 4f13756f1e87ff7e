//! What gdb has no words for: `monitor` and a command.

use super::target::Debugger;
use crate::error::LabError;
use crate::session::{number, words};
use common::Time;
use evidence::session::{Order, Place};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd};

const HELP: &str = "\
monitor time             the virtual time, and who is about to run
monitor state            what the virtual CPU emulates: mode, IF, tables, what is pending
monitor news [N]         the last N things that happened, and what the VMM decided [10]
monitor walk ADDRESS     how the page tables map an address, and what stands there
monitor go TIME          to a time, forwards or back
monitor inject N         have the virtual CPU take interrupt N now
monitor interrupts on    open interrupts as if the guest had; off closes them
monitor leave            leave what was changed: back to the recorded run

After `go`, `inject` and `leave` gdb must look again: maintenance flush register-cache
(the command file of `cargo lab debug` does that for you).
";

/// How many news are shown if nobody says how many.
const SHOWN: usize = 10;

impl Debugger {
    fn answer(&mut self, command: &str) -> Result<String, LabError> {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match (name, rest) {
            ("" | "help", _) => Ok(HELP.to_string()),
            ("time", "") => Ok(self.time()),
            ("state", "") => Ok(self.state()),
            ("news", "") => Ok(self.news(SHOWN)),
            ("news", many) => {
                let many = many.parse();
                Ok(self.news(many.map_err(|_| wrong(command, "news and how many"))?))
            }
            ("walk", address) => {
                let address = number(address, &self.session)?;
                let walk = self.session.walk(address)?;
                let bytes = self.session.read(Place::Virtual(address), 64)?;
                Ok(words::page(&walk, &bytes).join("\n") + "\n")
            }
            ("go", time) => {
                let time = time.replace(',', "").parse();
                self.session
                    .go_to_time(Time(time.map_err(|_| wrong(command, "go and a time"))?))?;
                Ok(self.time())
            }
            ("inject", vector) => {
                let vector = vector.parse();
                let vector = vector.map_err(|_| wrong(command, "inject and a vector, 0 to 255"))?;
                self.order(Order::Inject(vector))
            }
            ("interrupts", "on") => self.order(Order::SetInterrupts(true)),
            ("interrupts", "off") => self.order(Order::SetInterrupts(false)),
            ("leave", "") if !self.session.is_branch() => Ok(String::from(
                "nothing was changed: this is the recorded run\n",
            )),
            ("leave", "") => {
                self.session.leave_branch()?;
                Ok(format!("back in the recorded run\n{}", self.time()))
            }
            _ => Err(wrong(command, "one of those that `monitor help` names")),
        }
    }

    fn time(&self) -> String {
        let stop = self.session.stop();
        let who = stop
            .vcpu
            .map(|name| format!(", {} is about to run", self.session.name_of(name)))
            .unwrap_or_default();
        let over = if self.session.is_over() {
            ", the run is over"
        } else {
            ""
        };
        let branch = if self.session.is_branch() {
            "\nthis is a branch: something was changed (monitor leave)"
        } else {
            ""
        };
        format!("time {}, cpu {}{who}{over}{branch}\n", stop.time, stop.pcpu)
    }

    fn state(&self) -> String {
        let Some(scene) = &self.session.stop().scene else {
            return String::from("no guest is on a physical cpu now\n");
        };
        let mut text = format!("mode {}\n", words::mode(scene));
        for (name, value) in &scene.state {
            text += &format!("{name} {value}\n");
        }
        let [rsp, rip] = [scene.registers.get(common::Gpr::Rsp), scene.registers.rip];
        let place = self.session.symbols().place(rip);
        text + &format!(
            "stack at {rsp:#x}, page tables at {:#x}, next {place}: {}\n",
            scene.root,
            words::instruction(scene, self.session.symbols())
        )
    }

    fn news(&self, many: usize) -> String {
        let news = self.session.news().iter().rev();
        let lines = news.filter_map(|news| {
            let (who, what) = self.session.in_words(news)?;
            let time = crate::session::record(news)
                .map_or(String::new(), |record| record.time.to_string());
            Some(format!("{time:>12}  {who:<7} {what}\n"))
        });
        let mut lines: Vec<_> = lines.take(many).collect();
        lines.reverse();
        lines.concat()
    }

    /// Has the virtual CPU do something, and tells what came of it.
    fn order(&mut self, order: Order) -> Result<String, LabError> {
        let news = self.session.order(order)?;
        let lines = news.iter().filter_map(|news| self.session.in_words(news));
        let told: String = lines
            .map(|(who, what)| format!("{who:<7} {what}\n"))
            .collect();
        Ok(match self.session.is_branch() {
            true => told,
            false => told + "nothing has changed\n",
        })
    }
}

fn wrong(command: &str, right: &str) -> LabError {
    LabError::Usage(format!("'{command}' should be {right}"))
}

impl MonitorCmd for Debugger {
    fn handle_monitor_cmd(
        &mut self,
        command: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), LabError> {
        let command = String::from_utf8_lossy(command);
        match self.answer(command.trim()) {
            Ok(text) => out.write_raw(text.as_bytes()),
            Err(LabError::Usage(why)) => out.write_raw(format!("{why}\n").as_bytes()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
