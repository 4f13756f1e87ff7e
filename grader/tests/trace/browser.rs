//! The page in a browser.

use super::{Saved, V2, V5, V7};
use lab::picture::Trace;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the browser is called in different places.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Much longer than a page takes, even of a long trace on a busy host.
const PATIENCE: Duration = Duration::from_secs(180);

/// The browser, or nothing with a word.
fn browser() -> Option<&'static str> {
    let works = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = NAMES.iter().find(|name| works(name));
    if found.is_none() {
        let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("chromium"),
            "HEPTAVISOR_REQUIRE names chromium, and there is none"
        );
        println!("skipped: there is no chromium here");
    }
    found.copied()
}

/// The page as it is when its script has run.
struct Shown(String);

impl Shown {
    /// Opens a page at an address such as `at=5000`.
    fn open(browser: &str, page: &Path, address: &str) -> Shown {
        let profile = tempfile::tempdir().expect("a folder");
        let dump = profile.path().join("dom.html");
        let mut child = Command::new(browser)
            // The page is our own, and in a container the sandbox often can't be had,
            // nor much shared memory.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--window-size=1200,900",
            ])
            .args(["--virtual-time-budget=10000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}#{address}", page.display()))
            .stdout(std::fs::File::create(&dump).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser");
        let begin = Instant::now();
        while child.try_wait().expect("the browser").is_none() {
            if begin.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the browser does not come back from {}", page.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let shown = Shown(std::fs::read_to_string(dump).expect("the page"));
        assert_eq!(shown.data("error"), None, "the script fails");
        assert_eq!(
            shown.data("ready"),
            Some("yes"),
            "the script comes to its end"
        );
        shown
    }

    /// What the script says of itself.
    fn data(&self, name: &str) -> Option<&str> {
        let body = &self.0[self.0.find("<body")?..];
        let body = &body[..body.find('>')?];
        let key = format!("data-{name}=\"");
        let value = &body[body.find(&key)? + key.len()..];
        value.split('"').next()
    }

    fn number(&self, name: &str) -> u64 {
        let value = self.data(name).unwrap_or_else(|| panic!("no {name}"));
        value.parse().expect("a number")
    }

    /// Opens a page that then does what a script says.
    fn with(browser: &str, page: &Path, script: &str) -> Shown {
        let text = std::fs::read_to_string(page).expect("a page");
        let other = page.with_file_name("scripted.html");
        let script = format!("<script>\n{script}\n</script>\n</body>");
        std::fs::write(&other, text.replace("</body>", &script)).expect("a page");
        Shown::open(browser, &other, "")
    }

    /// What stands before the data and the script.
    fn body(&self) -> &str {
        let end = self.0.find("<script type").expect("the data");
        &self.0[..end]
    }
}

/// Opens the page of a run and holds what it shows against the trace.
fn check(run: &[&str]) {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(run);
    let (trace, page) = (saved.trace(), saved.page());
    let whole = Shown::open(browser, &page, "");
    let vcpus = trace.vcpus().count();
    assert_eq!(whole.number("rows"), (2 * trace.pcpus + vcpus) as u64);
    assert!(whole.number("spans") > 0 && whole.number("marks") > 0);
    for vm in &trace.vms {
        for one in vm.exits.iter().chain(&vm.traps) {
            assert!(
                whole.body().contains(&format!("<td>{}</td>", one.name)),
                "{}",
                one.name
            );
        }
        assert!(whole.body().contains(&vm.ending), "{}", vm.ending);
    }
    check_part(browser, &page, &trace);
    check_keys(browser, &page, &trace);
}

/// Where there is room, everything is drawn: as many marks as there are events.
fn check_part(browser: &str, page: &Path, trace: &Trace) {
    let mut times: Vec<_> = trace.events.iter().map(|event| event.time).collect();
    times.sort_unstable();
    let middle = times.len() / 2;
    let (from, to) = (
        times[middle - 10],
        times[middle + 10].max(times[middle - 10] + 20),
    );
    let events = times.iter().filter(|time| (from..=to).contains(*time));
    let seen = |from_: u64, to_: u64| from_ <= to && to_ >= from;
    let spans = trace.spans.iter().filter(|span| seen(span.from, span.to));
    let drawn: usize = spans.map(|span| 1 + usize::from(span.pcpu.is_some())).sum();
    let part = Shown::open(browser, page, &format!("at={from}&from={from}&to={to}"));
    assert_eq!(part.number("marks"), events.count() as u64);
    assert_eq!(part.number("spans"), drawn as u64);
    assert_eq!((part.number("from"), part.number("to")), (from, to));
}

/// The keys choose what they say, and the page says what was then.
fn check_keys(browser: &str, page: &Path, trace: &Trace) {
    let mut times: Vec<_> = trace.events.iter().map(|event| event.time).collect();
    times.sort_unstable();
    times.dedup();
    let start = Shown::open(browser, page, "at=0&keys=End");
    assert_eq!(start.number("at"), trace.until);
    let keys = format!("at={}&keys=ArrowRight,ArrowRight,ArrowLeft", times[3]);
    let moved = Shown::open(browser, page, &keys);
    assert_eq!(moved.number("at"), times[4]);
    let said = format!("<p>at {}</p>", common::Time(times[4]));
    assert!(moved.body().contains(&said), "{said}");
    assert!(
        moved.body().contains("<tr class=\"now\">"),
        "the table shows it"
    );
    let near = Shown::open(browser, page, "at=0&keys=%2B,%2B");
    let width = near.number("to") - near.number("from");
    assert!(width <= trace.until / 2, "{width} of {}", trace.until);
    let found = Shown::open(browser, page, "at=0&keys=n");
    let late = trace.interrupts.iter();
    let late = late.filter(|one| one.late().is_some_and(|late| late > 1));
    let delays = late.map(|one| one.due);
    match delays.chain(trace.holds.iter().map(|hold| hold.from)).min() {
        Some(first) => assert_eq!(found.number("at"), first),
        None => assert!(found.body().contains("no delay behind this moment")),
    }
}

#[test]
fn the_page_of_v2_shows_what_the_trace_says() {
    check(&V2);
}

#[test]
fn the_page_of_v5_shows_what_the_trace_says() {
    check(&V5);
}

#[test]
fn the_page_of_v7_shows_what_the_trace_says() {
    check(&V7);
}

#[test]
fn the_page_of_v7_says_who_has_the_lock_and_who_spins_for_it() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V7);
    let trace = saved.trace();
    let longest = trace.holds.iter().max_by_key(|hold| hold.to - hold.from);
    let hold = longest.expect("a hold");
    let shown = Shown::open(browser, &saved.page(), &format!("at={}", hold.from));
    let name = trace.vcpu_name(hold.vm, hold.vcpu);
    let said = format!("{name}: holds the lock and has no pcpu from");
    assert!(shown.body().contains(&said), "{said}");
    assert!(shown.body().contains("(in spin_lock)"));
}

#[test]
fn the_page_of_v7_says_of_two_that_they_spin() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V7);
    let trace = saved.trace();
    let at = |time| {
        let spans = trace.spans.iter().filter(|span| span.vm == 0 && span.spins);
        spans
            .filter(|span| span.from <= time && time < span.to)
            .count()
    };
    let mut times = trace.holds.iter().flat_map(|hold| hold.from..hold.to);
    let time = times.find(|time| at(*time) == 2).expect("two that spin");
    let shown = Shown::open(browser, &saved.page(), &format!("at={time}"));
    assert!(
        shown
            .body()
            .contains(" (in spin_lock) spin at the end of their turns")
    );
}

#[test]
fn a_page_of_a_hundred_thousand_events_opens_in_few_nodes() {
    let Some(browser) = browser() else { return };
    // One that polls its timer, and so leaves more to see than any other.
    let vms = ["trace", "v7", "--vm", "contended", "--vm", "masked"];
    let saved = Saved::of(&[&vms[..], &["--order", "adversarial"]].concat());
    let events = saved.trace().events.len();
    assert!(events > 100_000, "{events}");
    let shown = Shown::open(browser, &saved.page(), "");
    assert!(shown.number("nodes") < 1_500, "{}", shown.number("nodes"));
    assert!(shown.number("marks") < 2_000, "{}", shown.number("marks"));
}

/// Presses a key somewhere on the page.
const PRESS: &str = "const press = (key, at) => at.dispatchEvent(
  new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const say = (name, value) => { document.body.dataset[name] = value; };";

#[test]
fn keys_work_before_the_picture_is_clicked_but_not_while_a_number_is_typed() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V2);
    let script = format!(
        "{PRESS} choose(0);
         press('ArrowRight', document.body); say('first', view.at);
         press('ArrowRight', element('at')); say('typed', view.at);
         press('End', document.body); say('scrolled', view.at);"
    );
    let shown = Shown::with(browser, &saved.page(), &script);
    let times = saved.trace().events.into_iter().map(|event| event.time);
    let first = times.filter(|time| *time > 0).min().expect("an event");
    for name in ["first", "typed", "scrolled"] {
        assert_eq!(shown.number(name), first, "{name}");
    }
}

#[test]
fn the_key_n_goes_to_the_locks_without_a_pcpu_too() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V7);
    let trace = saved.trace();
    let script = format!(
        "{PRESS} choose(0); const seen = [];
         for (let at = -1; at !== view.at;) {{ at = view.at; press('n', document.body); seen.push(view.at); }}
         say('seen', seen.join(' ')); say('last', element('range').textContent);"
    );
    let shown = Shown::with(browser, &saved.page(), &script);
    let seen = shown.data("seen").expect("what was seen");
    let seen: Vec<u64> = seen
        .split(' ')
        .map(|at| at.parse().expect("a time"))
        .collect();
    assert!(!trace.holds.is_empty());
    for hold in &trace.holds {
        assert!(seen.contains(&hold.from), "{hold:?} is not in {seen:?}");
    }
    assert_eq!(shown.data("last"), Some("no delay behind this moment"));
}

#[test]
fn what_the_pointer_shows_goes_away_with_a_key() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V2);
    let script = format!(
        "{PRESS} const box = canvas.getBoundingClientRect();
         const there = {{ clientX: box.left + 300, clientY: box.top + 30, bubbles: true }};
         canvas.dispatchEvent(new PointerEvent('pointermove', there)); say('before', tip.hidden);
         press('+', document.body); say('after', tip.hidden);
         canvas.dispatchEvent(new PointerEvent('pointermove', there)); say('again', tip.hidden);
         zoom(.5); say('zoomed', tip.hidden);"
    );
    let shown = Shown::with(browser, &saved.page(), &script);
    let hidden = ["before", "after", "again", "zoomed"].map(|name| shown.data(name));
    assert_eq!(hidden, ["false", "true", "false", "true"].map(Some));
}

#[test]
fn a_turn_that_ended_spinning_has_no_more_than_three_teeth() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V7);
    let trace = saved.trace();
    let turns = || trace.spans.iter().filter(|span| span.spins);
    let longest = turns().max_by_key(|span| span.to - span.from);
    let (from, to) = longest.map(|span| (span.from, span.to)).expect("a turn");
    let seen = turns().filter(|span| span.from <= to && span.to >= from);
    let shown = Shown::open(browser, &saved.page(), &format!("from={from}&to={to}"));
    let (teeth, most) = (shown.number("teeth"), 3 * seen.count() as u64);
    assert!((3..=most).contains(&teeth), "{teeth} of {most}");
}

#[test]
fn the_page_of_a_file_that_was_cut_off_says_so_and_hatches_what_is_lost() {
    let Some(browser) = browser() else { return };
    let saved = Saved::of(&V2);
    let whole = Shown::open(browser, &saved.page(), "");
    assert_eq!(whole.number("unknown"), 0);
    let json = saved.json();
    let cut = Saved::with(&json[..json.len() - json.len() / 4]);
    let shown = Shown::open(browser, &cut.page(), "keys=n");
    assert!(shown.body().contains("The file was cut off"));
    assert!(shown.number("unknown") > 0);
}
