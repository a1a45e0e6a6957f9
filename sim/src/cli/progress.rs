//! The progress display, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use overlay_sim::scenario::Progress;
use overlay_sim::scenario::play::Pulse;
use std::time::Instant;

/// One line that tells how far the run is and how fast.
pub(super) struct Line {
    bar: ProgressBar,
    began: Instant,
}

impl Line {
    pub(super) fn new() -> Line {
        // Draws to standard error, and nothing at all if that is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {prefix:24} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Line { bar, began: Instant::now() }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Line {
    fn phase(&mut self, text: &str) {
        self.bar.set_prefix(text.to_owned());
    }

    fn pulse(&mut self, pulse: Pulse) {
        if self.bar.is_hidden() {
            return;
        }
        let (wall, sim) = (self.began.elapsed().as_secs_f64(), pulse.now.0 as f64 / 1e6);
        self.bar.set_message(format!(
            "{sim:7.1} s simulated in {wall:.1} s, {:.0} events/s, {} of {} peers in place, {} \
             messages under way",
            pulse.events as f64 / wall.max(1e-9),
            pulse.whole,
            pulse.here,
            pulse.open,
        ));
        self.bar.tick();
    }
}
