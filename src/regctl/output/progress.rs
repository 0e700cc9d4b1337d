//! How far long work is: a bar on a terminal, a line every few seconds elsewhere; for programs a JSON document every second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{Format, Printer, Volume, size};

/// How often somebody who reads a log hears of it.
const PACE: Duration = Duration::from_secs(10);

/// How often a program does.
const PROGRAMS_PACE: Duration = Duration::from_secs(1);

/// Work under way, one phase after the other.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    phase: &'static str,
    done: u64,
    total: Option<u64>,
    /// How many bytes are done, of how many, where they are what takes the time.
    bytes: Option<(u64, u64)>,
    begun: Instant,
    told: Instant,
    /// Whether a program hears of it, and nobody else.
    is_for_programs: bool,
}

impl Progress {
    pub(crate) fn new(printer: Printer) -> Self {
        let (bar, phase, total, bytes) = (None, "", None, None);
        let now = Instant::now();
        let is_for_programs = false;
        Self { printer, bar, phase, done: 0, total, bytes, begun: now, told: now, is_for_programs }
    }

    /// The same, that where reports are JSON says so too: a line of it on stderr when a phase begins, every second, and when it ends.
    pub(crate) fn for_programs_too(printer: Printer) -> Self {
        let is_for_programs =
            printer.format() == Format::Json && printer.volume() == Volume::Normal;
        Self { is_for_programs, ..Self::new(printer) }
    }

    /// Begins a phase; `total` is how much there is to do, where that is known.
    pub(crate) fn begin(&mut self, phase: &'static str, total: Option<u64>) {
        self.end();
        (self.phase, self.done, self.total) = (phase, 0, total);
        (self.bytes, self.begun) = (None, Instant::now());
        if self.is_for_programs {
            self.tell_programs();
        } else if self.printer.talks_to_a_terminal() {
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

    /// Begins a phase in which so many objects of so many bytes are moved.
    pub(crate) fn begin_bytes(&mut self, phase: &'static str, objects: u64, bytes: u64) {
        self.end();
        (self.phase, self.done, self.total) = (phase, 0, Some(objects));
        (self.bytes, self.begun) = (Some((0, bytes)), Instant::now());
        if self.is_for_programs {
            self.tell_programs();
        } else if self.printer.talks_to_a_terminal() {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(Some(bytes), target).with_message(phase);
            let style = ProgressStyle::with_template(
                "{msg:32} [{bar:30}] {prefix} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
            );
            bar.set_style(style.expect("the template above is right"));
            self.bar = Some(bar);
        }
    }

    /// So many more objects and bytes are done.
    pub(crate) fn advance_bytes(&mut self, objects: u64, bytes: u64) {
        let Some((done, _)) = &mut self.bytes else { return self.advance(objects) };
        *done += bytes;
        self.done += objects;
        if self.is_due_for_programs() {
            self.tell_programs();
        } else if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{}/{}", self.done, self.total.unwrap_or_default()));
            bar.inc(bytes);
        } else if !self.is_for_programs && self.told.elapsed() >= PACE {
            self.told = Instant::now();
            self.printer.say(self.line());
        }
    }

    /// How far it is, how fast, and how long it still takes.
    fn line(&self) -> String {
        let (phase, done, total) = (self.phase, self.done, self.total.unwrap_or_default());
        let (moved, all) = self.bytes.unwrap_or_default();
        let seconds = self.begun.elapsed().as_secs().max(1);
        let (rate, objects) = (moved / seconds, done / seconds);
        let left = all.saturating_sub(moved).checked_div(rate);
        let left = left.map_or(String::new(), |left| format!(", {left} s left"));
        let (moved, all, rate) = (size(moved), size(all), size(rate));
        format!("{phase}: {done} of {total} ({objects}/s), {moved} of {all}, {rate}/s{left}")
    }

    /// So much more is done.
    pub(crate) fn advance(&mut self, count: u64) {
        self.done += count;
        if self.is_due_for_programs() {
            self.tell_programs();
        } else if let Some(bar) = &self.bar {
            bar.inc(count);
        } else if !self.is_for_programs && self.told.elapsed() >= PACE {
            self.told = Instant::now();
            let of = self.total.map_or(String::new(), |total| format!(" of {total}"));
            self.printer.say(format!("{}: {}{of}", self.phase, self.done));
        }
    }

    fn is_due_for_programs(&self) -> bool {
        self.is_for_programs && self.told.elapsed() >= PROGRAMS_PACE
    }

    fn tell_programs(&mut self) {
        self.told = Instant::now();
        let seconds = self.begun.elapsed().as_secs_f64();
        let (moved, all) = self.bytes.unzip();
        #[expect(clippy::cast_precision_loss, reason = "nobody counts them by this")]
        let rate = |done: u64| (seconds > 0.0).then(|| (done as f64 / seconds).round());
        let left = match (moved.zip(all), self.total) {
            (Some((moved, all)), _) => rate(moved).map(|rate| (all.saturating_sub(moved), rate)),
            (None, Some(all)) => rate(self.done).map(|rate| (all.saturating_sub(self.done), rate)),
            (None, None) => None,
        };
        #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
        let left = left.filter(|(_, rate)| *rate >= 1.0).map(|(left, rate)| left as f64 / rate);
        let line = json!({ "progress": {
            "phase": self.phase, "objects": self.done, "of_objects": self.total,
            "bytes": moved, "of_bytes": all,
            "objects_per_second": rate(self.done), "bytes_per_second": moved.and_then(rate),
            "seconds_left": left.map(f64::round),
        }});
        self.printer.say(line);
    }

    /// Takes the bar away.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.is_for_programs && !self.phase.is_empty() {
            self.tell_programs();
            self.phase = "";
        }
    }
}
