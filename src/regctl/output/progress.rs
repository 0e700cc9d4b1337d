//! How far long work is: a bar on a terminal, a line every few seconds elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;

/// How often somebody who reads a log hears of it.
const PACE: Duration = Duration::from_secs(10);

/// Work under way, one phase after the other.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    phase: &'static str,
    done: u64,
    total: Option<u64>,
    told: Instant,
}

impl Progress {
    pub(crate) fn new(printer: Printer) -> Self {
        let (bar, phase, total) = (None, "", None);
        Self { printer, bar, phase, done: 0, total, told: Instant::now() }
    }

    /// Begins a phase; `total` is how much there is to do, where that is known.
    pub(crate) fn begin(&mut self, phase: &'static str, total: Option<u64>) {
        self.end();
        (self.phase, self.done, self.total) = (phase, 0, total);
        if self.printer.talks_to_a_terminal() {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(total, target).with_message(phase);
            let template = match total {
                Some(_) => "{msg:32} [{bar:30}] {pos}/{len}",
                None => "{msg:32} {spinner} {pos}",
            };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.expect("the templates above are right"));
            self.bar = Some(bar);
        }
    }

    /// So much more is done.
    pub(crate) fn advance(&mut self, count: u64) {
        self.done += count;
        if let Some(bar) = &self.bar {
            bar.inc(count);
        } else if self.told.elapsed() >= PACE {
            self.told = Instant::now();
            let of = self.total.map_or(String::new(), |total| format!(" of {total}"));
            self.printer.say(format!("{}: {}{of}", self.phase, self.done));
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
