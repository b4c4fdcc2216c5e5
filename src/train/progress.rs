//! How far a long task is: a bar on a terminal, a plain line now and then in a pipe or a log.
//!
//! For training, simulation and sampling alike; rank 0 makes one, the others none. Time comes from the caller.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The rate is that of the last minute, looked at once a second.
const RATE_OVER: Duration = Duration::from_mins(1);
const RATE_EVERY: Duration = Duration::from_secs(1);

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// What a position counts, in the singular: `step`, `shard`.
    pub unit: &'static str,
    /// The last position.
    pub total: u64,
    /// The position at the start, not 0 where a run goes on.
    pub start: u64,
    /// What the rate counts, in the plural: `samples`, `maps`.
    pub item: &'static str,
    /// How many items one unit has.
    pub items_per_unit: u64,
}

/// Tells on stderr how far a task is.
pub struct Progress {
    task: Task,
    sink: Sink,
    /// Times and positions of the last minute, oldest first.
    seen: VecDeque<(Instant, u64)>,
    /// When the last plain line was written.
    told: Option<Instant>,
    /// The newest line, where it was not written.
    untold: Option<String>,
    /// Whether the line of the last position was written; others may have come there first, and then each step is at it.
    ended: bool,
}

enum Sink {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

impl Progress {
    /// A bar if stderr is a terminal, else plain lines on stderr. `now` is when the work begins.
    pub fn new(task: Task, now: Instant) -> Self {
        if !io::stderr().is_terminal() {
            return Self::lines(task, Box::new(io::stderr()), now);
        }
        let bar = ProgressBar::with_draw_target(Some(task.total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:20} {wide_msg}").expect("the template is well formed");
        bar.set_style(style);
        bar.set_position(task.start);
        Self::with_sink(task, Sink::Bar(bar), now)
    }

    /// Plain lines to `out`: the first, then at most one every ten seconds, and the last.
    pub fn lines(task: Task, out: Box<dyn Write + Send>, now: Instant) -> Self {
        Self::with_sink(task, Sink::Lines(out), now)
    }

    fn with_sink(task: Task, sink: Sink, now: Instant) -> Self {
        Self { task, sink, seen: VecDeque::from([(now, task.start)]), told: None, untold: None, ended: false }
    }

    /// The task is at `position`.
    ///
    /// - `load`: share of the time that went into waiting for data, 0 to 1, where it was measured
    /// - `scalars`: names and values told at the end of the line
    pub fn update(&mut self, now: Instant, position: u64, load: Option<f64>, scalars: &[(&str, f64)]) {
        let rate = self.units_per_second(now, position);
        let due = self.told.is_none_or(|told| now.duration_since(told) >= LINE_EVERY);
        let line = self.line(position, rate, load, scalars);
        match &mut self.sink {
            Sink::Bar(bar) => {
                bar.set_position(position);
                bar.set_message(line);
            }
            Sink::Lines(out) if due || (position >= self.task.total && !self.ended) => {
                self.ended = position >= self.task.total;
                write_line(out, &line);
                self.told = Some(now);
                self.untold = None;
            }
            Sink::Lines(_) => self.untold = Some(line),
        }
    }

    /// Over the last minute; none before there is time and way to divide.
    fn units_per_second(&mut self, now: Instant, position: u64) -> Option<f64> {
        while self.seen.len() > 1 && now.duration_since(self.seen[0].0) > RATE_OVER {
            self.seen.pop_front();
        }
        let (then, from) = self.seen[0];
        let (newest, _) = self.seen[self.seen.len() - 1];
        if now.duration_since(newest) >= RATE_EVERY {
            self.seen.push_back((now, position));
        }
        let seconds = now.duration_since(then).as_secs_f64();
        (seconds > 0.0 && position > from).then(|| (position - from) as f64 / seconds)
    }

    /// `step 120/2000  6.0 %  93 samples/s  load 1.2 %  left 4 m 10 s  generator_loss 0.820`
    fn line(&self, position: u64, rate: Option<f64>, load: Option<f64>, scalars: &[(&str, f64)]) -> String {
        let Task { unit, total, item, items_per_unit, .. } = self.task;
        let percent = 100.0 * position as f64 / total.max(1) as f64;
        let mut line = format!("{unit} {position}/{total}  {percent:.1} %");
        let mut add = |text: std::fmt::Arguments| write!(line, "  {text}").expect("a string takes all");
        if let Some(rate) = rate {
            add(format_args!("{} {item}/s", short(rate * items_per_unit as f64)));
        }
        if let Some(load) = load {
            add(format_args!("load {:.1} %", 100.0 * load));
        }
        if let Some(rate) = rate.filter(|_| position < total) {
            add(format_args!("left {}", time_left((total - position) as f64 / rate)));
        }
        for (name, value) in scalars {
            let is_count = value.fract() == 0.0 && value.abs() < 1e7;
            add(format_args!("{name} {}", if is_count { value.to_string() } else { short(*value) }));
        }
        line
    }
}

/// Progress is no reason to stop: a closed pipe is not an error here.
fn write_line(out: &mut dyn Write, line: &str) {
    let _ = out.write_all(format!("{line}\n").as_bytes());
}

/// Three digits, or all in front of the point.
fn short(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || !size.is_finite() => format!("{value}"),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.2e}"),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The two largest units that matter: `38 s`, `4 m 10 s`, `2 h 5 m`, `3 d 4 h`.
fn time_left(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} m {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} m", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The task ended, at its last position or before: the newest line is told if it was not yet, the bar stays as it is.
impl Drop for Progress {
    fn drop(&mut self) {
        match &mut self.sink {
            Sink::Bar(bar) => {
                bar.abandon();
                write_line(&mut io::stderr(), ""); // indicatif leaves the cursor behind the bar
            }
            Sink::Lines(out) => {
                if let Some(line) = self.untold.take() {
                    write_line(out, &line);
                }
            }
        }
    }
}
