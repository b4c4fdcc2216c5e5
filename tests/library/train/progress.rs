//! What a long task tells, with a clock of our own.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skyforge::train::progress::{Progress, Task};

/// A pipe whose other end we keep.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipe {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no writer panicked").clone();
        String::from_utf8(bytes).expect("lines are text").lines().map(str::to_owned).collect()
    }
}

const TRAINING: Task = Task { unit: "step", total: 2000, start: 0, item: "samples", items_per_unit: 64 };

/// Steps `from` to `to`, both taken, each `seconds` long, the first from `begin` on. Returns when the last ended.
fn take_steps(progress: &mut Progress, begin: Instant, seconds: f64, from: u64, to: u64) -> Instant {
    let mut now = begin;
    for step in from..=to {
        now += Duration::from_secs_f64(seconds);
        progress.update(now, step, None, &[]);
    }
    now
}

#[test]
fn a_line_tells_position_rate_wait_time_left_and_scalars() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let mut progress = Progress::lines(TRAINING, Box::new(pipe.clone()), begin);
    let now = begin + Duration::from_secs(16);
    let scalars = [
        ("discriminator_loss", 1.3149),
        ("generator_loss", 0.82),
        ("gradient_norm", 3.2e-7),
        ("bad", f64::NAN),
        ("workers", 12.0),
    ];
    progress.update(now, 120, Some(0.0124), &scalars);
    // 120 steps of 64 in 16 s: 480 a second; 1880 steps are left at 7.5 a second: 250.7 s.
    let line = "step 120/2000  6.0 %  480 samples/s  load 1.2 %  left 4 m 11 s  \
                discriminator_loss 1.31  generator_loss 0.820  gradient_norm 3.20e-7  bad NaN  workers 12";
    assert_eq!(pipe.lines(), [line]);
}

#[test]
fn a_pipe_gets_the_first_line_one_every_ten_seconds_and_the_last() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let mut progress = Progress::lines(TRAINING, Box::new(pipe.clone()), begin);
    take_steps(&mut progress, begin, 0.5, 1, 50); // 25 s
    progress.update(begin + Duration::from_secs(26), 2000, None, &[]);
    drop(progress);
    let positions: Vec<String> =
        pipe.lines().iter().map(|line| line[..line.find('/').expect("of how many")].into()).collect();
    assert_eq!(positions, ["step 1", "step 21", "step 41", "step 2000"]);
}

/// As in a ledger, where other workers may finish first.
#[test]
fn steps_at_the_end_are_told_once_and_the_last_when_the_task_is_over() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let mut progress = Progress::lines(TRAINING, Box::new(pipe.clone()), begin);
    for mine in 1..=9 {
        progress.update(begin + Duration::from_secs(1), 2000, None, &[("mine", f64::from(mine))]);
    }
    drop(progress);
    let lines = pipe.lines();
    assert!(lines.len() == 2 && lines[0].ends_with("mine 1") && lines[1].ends_with("mine 9"), "{lines:?}");
}

#[test]
fn a_task_that_ends_early_still_tells_its_last_line_once() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let mut progress = Progress::lines(TRAINING, Box::new(pipe.clone()), begin);
    take_steps(&mut progress, begin, 1.0, 1, 7);
    drop(progress);
    let lines = pipe.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("step 7/2000 "), "{}", lines[1]);
}

#[test]
fn the_rate_is_that_of_this_run_and_of_its_last_minute() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let task = Task { start: 1000, ..TRAINING };
    let mut progress = Progress::lines(task, Box::new(pipe.clone()), begin);
    let begin = take_steps(&mut progress, begin, 1.0, 1001, 1100);
    let first = pipe.lines().remove(0);
    assert!(first.contains(" 64 samples/s") || first.contains(" 64.0 samples/s"), "{first}");
    take_steps(&mut progress, begin, 4.0, 1101, 1140); // slower for 160 s
    drop(progress);
    let last = pipe.lines().pop().expect("there are lines");
    assert!(last.contains("  16.0 samples/s  left 57 m 20 s"), "{last}"); // 860 steps of 4 s
}

#[test]
fn another_task_counts_other_things() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let task = Task { unit: "shard", total: 4, start: 0, item: "maps", items_per_unit: 2048 };
    let mut progress = Progress::lines(task, Box::new(pipe.clone()), begin);
    progress.update(begin + Duration::from_secs(100_000), 1, None, &[]);
    progress.update(begin + Duration::from_secs(400_000), 4, None, &[]);
    drop(progress);
    let wanted = ["shard 1/4  25.0 %  0.020 maps/s  left 3 d 11 h", "shard 4/4  100.0 %  0.020 maps/s"];
    assert_eq!(pipe.lines(), wanted);
}

#[test]
fn no_time_and_no_steps_make_no_rate() {
    let (pipe, begin) = (Pipe::default(), Instant::now());
    let mut progress = Progress::lines(Task { total: 0, ..TRAINING }, Box::new(pipe.clone()), begin);
    progress.update(begin, 0, None, &[]);
    assert_eq!(pipe.lines(), ["step 0/0  0.0 %"]);
}
