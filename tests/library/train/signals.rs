//! The stop flag, under real signals; each in a process of its own, since handlers are the whole process's.

use std::env;
use std::process::{Command, Output, Stdio};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::low_level::raise;
use skyforge::exit::Exit;
use skyforge::train::signals::StopFlag;

/// Tells the test binary that it is the process to be stopped.
const IN_CHILD: &str = "SKYFORGE_TEST_STOP_FLAG";

fn in_child() -> bool {
    env::var_os(IN_CHILD).is_some()
}

/// Runs one test of this file in a new process. `prefix` may be a program that starts it, as `nohup`.
fn child(test: &str, prefix: &[&str]) -> Output {
    let myself = env::current_exe().expect("a test knows where it is");
    let myself = myself.to_str().expect("the path is text");
    let words: Vec<&str> = prefix.iter().copied().chain([myself, "--exact", test, "--nocapture"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(IN_CHILD, "1").stdin(Stdio::null());
    command.output().expect("the test can be started")
}

fn passes(output: &Output) {
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
}

#[test]
fn raising_one_flag_raises_its_clones_and_no_other() {
    let (flag, other) = (StopFlag::new(), StopFlag::new());
    let clone = flag.clone();
    assert!(!clone.is_set());
    flag.raise();
    assert!(clone.is_set() && flag.is_set());
    assert!(!other.is_set());
}

#[test]
fn each_signal_raises_the_flag_and_ends_nothing() {
    if !in_child() {
        // Whoever runs the tests may have been told to ignore a hangup.
        let prefix = ["env", "--default-signal=HUP"];
        return passes(&child("train::signals::each_signal_raises_the_flag_and_ends_nothing", &prefix));
    }
    for signal in [SIGUSR1, SIGUSR2, SIGTERM, SIGHUP, SIGINT] {
        let flag = StopFlag::install();
        assert!(!flag.is_set(), "signal {signal} has not come yet");
        raise(signal).expect("a process may signal itself");
        assert!(flag.is_set(), "signal {signal} has come");
    }
    // Impatience with a batch system is no impatience of a user.
    raise(SIGTERM).expect("a process may signal itself");
    raise(SIGUSR2).expect("a process may signal itself");
}

#[test]
fn a_second_interrupt_ends_at_once_as_stopped() {
    if !in_child() {
        let output = child("train::signals::a_second_interrupt_ends_at_once_as_stopped", &[]);
        assert_eq!(output.status.code(), Some(Exit::Stopped as i32));
        assert!(String::from_utf8_lossy(&output.stderr).contains("still here after one"));
        return;
    }
    let flag = StopFlag::install();
    raise(SIGTERM).expect("a process may signal itself");
    raise(SIGINT).expect("a process may signal itself");
    assert!(flag.is_set());
    eprintln!("still here after one");
    raise(SIGINT).expect("a process may signal itself");
    unreachable!("the second interrupt ended the process");
}

#[test]
fn a_hangup_stays_ignored_under_nohup() {
    if !in_child() {
        return passes(&child("train::signals::a_hangup_stays_ignored_under_nohup", &["nohup"]));
    }
    let flag = StopFlag::install();
    raise(SIGHUP).expect("a process may signal itself");
    assert!(!flag.is_set());
    raise(SIGUSR2).expect("a process may signal itself");
    assert!(flag.is_set());
}
