//! The progress of a launch: a bar on a terminal, a line for each phase elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use overlay_sim::launch::Show;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// Shows the progress on standard error.
pub(super) struct Display {
    bar: ProgressBar,
    is_terminal: bool,
    began: Instant,
    phase: RefCell<Phase>,
}

#[derive(Default)]
struct Phase {
    name: String,
    of: usize,
    done: usize,
    began: Option<Instant>,
}

impl Display {
    pub(super) fn new() -> Display {
        // Draws nothing at all if standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
        Display {
            bar,
            is_terminal: std::io::stderr().is_terminal(),
            began: Instant::now(),
            phase: RefCell::default(),
        }
    }

    /// The bar itself, for threads that tell how far they are.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Removes the bar.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Says something above the bar.
    pub(super) fn say(&self, line: &str) {
        if self.is_terminal {
            self.bar.println(line);
        } else {
            anstream::eprintln!("{line}");
        }
    }

    fn style(&self, template: &str) {
        let style = ProgressStyle::with_template(template);
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
}

impl Show for Display {
    fn phase(&self, name: &str, of: usize) {
        *self.phase.borrow_mut() =
            Phase { name: name.to_owned(), of, done: 0, began: Some(Instant::now()) };
        match of {
            0 => self.style("{spinner} {prefix}"),
            _ => self.style("{spinner} {prefix:26} [{bar:32}] {pos}/{len} {msg}"),
        }
        self.bar.set_length(of as u64);
        self.bar.set_position(0);
        self.bar.set_message("");
        self.bar.set_prefix(name.to_owned());
    }

    fn at(&self, done: usize, note: &str) {
        self.phase.borrow_mut().done = done;
        self.bar.set_position(done as u64);
        if !note.is_empty() {
            self.bar.set_message(note.to_owned());
        }
    }

    fn over(&self, note: &str) {
        let phase = self.phase.borrow();
        let took = phase.began.map_or(Duration::ZERO, |began| began.elapsed());
        let count =
            if phase.of > 0 { format!(" {}/{}", phase.done, phase.of) } else { String::new() };
        let since = self.began.elapsed().as_secs_f64();
        let comma = if note.is_empty() { "" } else { ", " };
        let line = format!(
            "{since:6.1} s  {}{count} in {:.1} s{comma}{note}",
            phase.name,
            took.as_secs_f64()
        );
        self.say(&line);
    }
}
