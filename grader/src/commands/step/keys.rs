//! What each key does.

use super::help::{HELP, HINT, STAYS};
use super::lost;
use super::order::Change;
use super::screen::{KeyCode, KeyEvent, KeyModifiers, Row, Screen, somebody_is_impatient};
use super::view::{self, plain};
use crate::error::LabError;
use crate::interrupt;
use crate::session::Session;
use crate::session::number::{no, number};
use common::Time;
use evidence::session::{Kind, Place, Scene, Until};
use std::time::Duration;

const KINDS: [Kind; 5] = [
    Kind::Trap,
    Kind::Exit,
    Kind::Injection,
    Kind::Switch,
    Kind::Device,
];

/// Shows a run on the terminal until somebody quits.
pub(super) fn look(mut session: Session, title: &str) -> Result<u8, LabError> {
    let screen = Screen::take().map_err(failed)?;
    session.stop_when(somebody_is_impatient);
    let mut desk = Looker {
        session,
        screen,
        title: title.to_string(),
        before: None,
        message: HINT.to_string(),
        page: None,
    };
    desk.all().map(|()| 0)
}

/// Somebody in front of a run.
struct Looker {
    session: Session,
    screen: Screen,
    title: String,
    /// The guest at the last stop.
    before: Option<Scene>,
    message: String,
    /// A page of text that is shown instead of the run until a key is pressed.
    page: Option<Vec<Row>>,
}

impl Looker {
    fn all(&mut self) -> Result<(), LabError> {
        loop {
            self.show()?;
            let key = self.key()?;
            if matches!(key.code, KeyCode::Char('q')) || is_ctrl_c(key) {
                return Ok(());
            }
            let before = self.session.stop().scene.clone();
            self.message = String::from(HINT);
            match self.act(key.code) {
                Ok(true) => self.before = before,
                Ok(false) => {}
                // What cannot be done is said, and nothing is lost by it.
                Err(LabError::Usage(why)) => self.message = why,
                Err(error) => return Err(error),
            }
            if let Some(words) = lost(self.session.stop()) {
                self.message = words;
            }
        }
    }

    fn show(&mut self) -> Result<(), LabError> {
        let size = self.screen.size();
        let rows = match (view::too_small(size), &self.page) {
            (Some(rows), _) => rows,
            (None, Some(page)) => page.clone(),
            (None, None) => {
                let before = self.before.as_ref();
                view::screen(&mut self.session, before, &self.title, &self.message, size)?
            }
        };
        self.screen.show(&rows).map_err(failed)
    }

    /// Waits for a key. Shows everything anew if the terminal has another size.
    fn key(&mut self) -> Result<KeyEvent, LabError> {
        let mut size = self.screen.size();
        loop {
            interrupt::check()?;
            if let Some(key) = self
                .screen
                .key(Duration::from_millis(200))
                .map_err(failed)?
            {
                return Ok(key);
            }
            if size != self.screen.size() {
                size = self.screen.size();
                self.show()?;
            }
        }
    }

    /// Does what a key asks for; says whether the run stands elsewhere now.
    fn act(&mut self, key: KeyCode) -> Result<bool, LabError> {
        let session = &mut self.session;
        match key {
            KeyCode::Char('n' | ' ') | KeyCode::Right => session.step(1)?,
            KeyCode::Char('p') | KeyCode::Left => {
                if !session.step_back()? {
                    self.message = String::from("this is the beginning");
                }
            }
            KeyCode::Char('t') => self.next(Kind::Trap)?,
            KeyCode::Char('e') => self.next(Kind::Exit)?,
            KeyCode::Char('i') => self.next(Kind::Injection)?,
            KeyCode::Char('s') => self.next(Kind::Switch)?,
            KeyCode::Char('d') => self.next(Kind::Device)?,
            KeyCode::Char('T') => self.previous(Kind::Trap)?,
            KeyCode::Char('E') => self.previous(Kind::Exit)?,
            KeyCode::Char('I') => self.previous(Kind::Injection)?,
            KeyCode::Char('S') => self.previous(Kind::Switch)?,
            KeyCode::Char('D') => self.previous(Kind::Device)?,
            KeyCode::Char('r') => drop(session.run(Until::default())?),
            KeyCode::Char('l') => session.leave_branch()?,
            KeyCode::Char('g') => {
                let Some(time) = self.ask("go to time")? else {
                    return Ok(false);
                };
                let digits = time.replace([',', '_'], "");
                let time = digits
                    .parse()
                    .map_err(|_| no(&time, "a time is a number of ticks"))?;
                self.session.go_to_time(Time(time))?;
            }
            KeyCode::Char('a') => return self.find_address(false),
            KeyCode::Char('A') => return self.find_address(true),
            KeyCode::Char('/') => return self.search(),
            KeyCode::Char('c') => return self.change(),
            KeyCode::Char('m') => return self.memory().map(|()| false),
            KeyCode::Char('?') => {
                let lines = HELP.lines().map(|line| plain(line.to_string()));
                return self.page(lines.collect()).map(|()| false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn next(&mut self, kind: Kind) -> Result<(), LabError> {
        if !self.session.next(kind)? {
            self.message = format!("there is none after this moment: {STAYS}");
        }
        Ok(())
    }

    fn previous(&mut self, kind: Kind) -> Result<(), LabError> {
        if !self.session.previous(kind)? {
            self.message = String::from("there is none before this moment");
        }
        Ok(())
    }

    fn find_address(&mut self, back: bool) -> Result<bool, LabError> {
        let question = if back {
            "back to symbol"
        } else {
            "on to symbol"
        };
        let Some(text) = self.ask(question)? else {
            return Ok(false);
        };
        let session = &mut self.session;
        let until = Until {
            addresses: vec![number(&text, session)?],
            ..Until::default()
        };
        let (here, was_branch) = (session.stop().position, session.is_branch());
        if !back {
            if !session.on_until(until)? {
                self.message = format!("the guest does not come there any more: {STAYS}");
            }
        } else if !session.back_until(&until)? {
            // Back in a branch means back behind its change: there is no way to it again.
            self.message = String::from("the guest was not there before: this is the beginning");
            if !was_branch {
                session.go_to(here)?;
                self.message = format!("the guest was not there before: {STAYS}");
            }
        }
        Ok(true)
    }

    fn search(&mut self) -> Result<bool, LabError> {
        let Some(wanted) = self.ask("search for")? else {
            return Ok(false);
        };
        let until = Until {
            kinds: KINDS.to_vec(),
            ..Until::default()
        };
        let here = self.session.stop().position;
        while !self.session.is_over() {
            let told = self.session.news().len();
            self.session.run(until.clone())?;
            let news = self.session.news().get(told..).unwrap_or_default();
            let found = news.iter().filter_map(|news| self.session.in_words(news));
            if found
                .into_iter()
                .any(|(who, what)| format!("{who} {what}").contains(&wanted))
            {
                return Ok(true);
            }
            if somebody_is_impatient() || lost(self.session.stop()).is_some() {
                return Ok(true);
            }
        }
        self.session.go_to(here)?;
        self.message = format!("'{wanted}' does not happen any more: {STAYS}");
        Ok(true)
    }

    fn change(&mut self) -> Result<bool, LabError> {
        let Some(text) = self.ask("change")? else {
            return Ok(false);
        };
        let session = &mut self.session;
        match Change::parse(&text, session)? {
            Change::Order(order) => {
                let news = session.order(order)?;
                let told = news.iter().filter_map(|news| session.in_words(news));
                let answer = told.into_iter().find(|(who, _)| *who == "you");
                if let Some((_, what)) = answer.filter(|_| !session.is_branch()) {
                    self.message = format!("{what}; nothing has changed");
                }
            }
            Change::Memory(address, bytes) => session.write(Place::Virtual(address), bytes)?,
            Change::Register(register, value) => session.set(register, value)?,
        }
        Ok(true)
    }

    fn memory(&mut self) -> Result<(), LabError> {
        let Some(text) = self.ask("show address")? else {
            return Ok(());
        };
        let address = number(&text, &self.session)?;
        let walk = self.session.walk(address)?;
        let bytes = self.session.read(Place::Virtual(address), 128)?;
        self.page(view::page(&walk, &bytes))
    }

    /// Shows a page of text until a key is pressed.
    fn page(&mut self, mut rows: Vec<Row>) -> Result<(), LabError> {
        rows.insert(0, Row::default());
        rows.push(Row::default());
        rows.push(plain(String::from(" (any key goes on)")));
        self.page = Some(rows);
        self.show()?;
        let key = self.key();
        self.page = None;
        key.map(drop)
    }

    /// Asks for a line; `None` if nothing is given.
    fn ask(&mut self, question: &str) -> Result<Option<String>, LabError> {
        let mut text = String::new();
        loop {
            self.message = format!("{question}: {text}_");
            self.show()?;
            let key = self.key()?;
            match key.code {
                _ if is_ctrl_c(key) => text.clear(),
                KeyCode::Char(letter) => text.push(letter),
                KeyCode::Backspace => drop(text.pop()),
                KeyCode::Enter | KeyCode::Esc => {}
                _ => continue,
            }
            if matches!(key.code, KeyCode::Enter | KeyCode::Esc) || is_ctrl_c(key) {
                self.message = String::from(HINT);
                let given = key.code == KeyCode::Enter && !text.trim().is_empty();
                return Ok(given.then(|| text.trim().to_string()));
            }
        }
    }
}

fn is_ctrl_c(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL)
}

fn failed(error: std::io::Error) -> LabError {
    LabError::infrastructure("the terminal cannot be used", error)
}
