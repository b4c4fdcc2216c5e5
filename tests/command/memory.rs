//! What a rank holds is what `docs/design.md` says, measured from outside: by how much the memory of the running program
//! grows with its parameters.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::made_spectra;
use crate::program::{CONFIG, arg, children, command, signal, simulated};
use crate::trained::{self, Scene};

/// Latent numbers of a small and of a large generator.
const LATENT: [u64; 2] = [512, 8704];
/// Outputs of the layer that takes them: 32 channels of 4 x 4 pixels.
const OUTPUTS: u64 = 512;
/// Pieces that fit into a smaller one would stay with the allocator when they are freed.
const MAPPED_FROM_BYTES: &str = "1000000";

/// Bytes of a process that are its own and in memory.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says so");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

/// The memory of each rank between two pieces of work, in no order: the least that was seen over steps `steps`. What
/// libtorch holds only for the time of a backward is not in it.
fn between_pieces_of_work(
    maps: &Path,
    ranks: usize,
    latent: u64,
    spans: &[Range<usize>],
    allocator: &[(&str, &str)],
) -> Vec<Vec<u64>> {
    let folder = tempfile::tempdir().expect("a folder");
    let latent = format!("family.latent_dim={latent}");
    let mut arguments = vec!["train", CONFIG, "--run", arg(folder.path()), "--data", arg(maps)];
    for set in ["trainer.steps=1000000", "trainer.checkpoint_every=1000000", &latent] {
        arguments.extend(["--set", set]);
    }
    let mut program = command(ranks, &arguments);
    program.envs(allocator.iter().copied());
    let mut child =
        program.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    let made = || fs::read_to_string(folder.path().join("metrics.jsonl")).map_or(0, |text| text.lines().count());
    let until = |step: usize, each: &mut dyn FnMut()| {
        while made() < step {
            assert!(begun.elapsed() < Duration::from_mins(3), "a few steps take no three minutes");
            each();
            sleep(Duration::from_millis(1));
        }
    };
    let mut all = Vec::new();
    let mut processes = Vec::new();
    for steps in spans {
        until(steps.start, &mut || {});
        if processes.is_empty() {
            processes = if ranks == 1 { vec![child.id()] } else { children(child.id()) };
            assert_eq!(processes.len(), ranks);
        }
        let mut least = vec![u64::MAX; ranks];
        until(steps.end, &mut || {
            for (least, process) in least.iter_mut().zip(&processes) {
                *least = (*least).min(resident(*process));
            }
        });
        all.push(least);
    }
    signal(processes[0], "-KILL");
    child.wait().expect("it ends");
    all
}

/// Buffers of the length of the parameters that each rank holds.
fn buffers(maps: &Path, ranks: usize, steps: Range<usize>) -> Vec<f64> {
    let [small, large] = LATENT.map(|latent| {
        let allocator = [("MALLOC_MMAP_THRESHOLD_", MAPPED_FROM_BYTES)];
        between_pieces_of_work(maps, ranks, latent, std::slice::from_ref(&steps), &allocator).remove(0)
    });
    let parameters = (LATENT[1] - LATENT[0]) * OUTPUTS;
    small.iter().zip(&large).map(|(small, large)| (*large as f64 - *small as f64) / (4 * parameters) as f64).collect()
}

#[test]
fn a_rank_holds_the_buffers_that_the_formula_counts() {
    assert_buffers(if cfg!(feature = "mpi") { &[(2, 1.0), (3, 2.0)] } else { &[(1, 2.0)] });
}

#[test]
#[ignore = "half a minute: the other numbers of ranks"]
fn a_rank_holds_the_buffers_that_the_formula_counts_on_one_rank_and_on_four() {
    assert_buffers(if cfg!(feature = "mpi") { &[(1, 2.0), (4, 0.0)] } else { &[(1, 2.0)] });
}

/// Trains on each number of ranks, where that many sums wait.
fn assert_buffers(worlds: &[(usize, f64)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 128);
    // Parameters, gradient, two moments, three for the way back, the average; then sums that wait and the exchange.
    let always = 1 + 1 + 2 + 3 + 1;
    for &(ranks, waiting) in worlds {
        let held = buffers(&maps, ranks, 3..8);
        eprintln!("{ranks} ranks hold {held:.2?} buffers, predicted {}", f64::from(always) + waiting);
        let expected = f64::from(always) + waiting;
        assert!(
            held.iter().all(|held| (held / expected - 1.0).abs() < 0.03),
            "{ranks} ranks: {held:?}, not {expected}"
        );
    }
}

/// What is freed stays with the allocator, unless the environment has it otherwise; so it must be used again.
#[test]
fn memory_does_not_grow_with_the_steps() {
    assert_no_growth(30);
}

#[test]
#[ignore = "a minute: three times as many steps"]
fn memory_does_not_grow_with_a_hundred_steps() {
    assert_no_growth(100);
}

fn assert_no_growth(steps: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 128);
    let ranks = if cfg!(feature = "mpi") { 2 } else { 1 };
    let spans = [10..15, steps..steps + 5];
    let kept = between_pieces_of_work(&maps, ranks, LATENT[1], &spans, &[]);
    let returned =
        between_pieces_of_work(&maps, ranks, LATENT[1], &spans, &[("MALLOC_MMAP_THRESHOLD_", MAPPED_FROM_BYTES)]);
    eprintln!("kept {kept:?}, returned {returned:?} bytes");
    // Where nothing freed is held, what is held is in use; what is kept besides may settle a little later, by when threads free it.
    for (held, most) in [(&returned, 1.02), (&kept, 1.1)] {
        for (early, late) in held[0].iter().zip(&held[1]) {
            assert!(*late as f64 <= most * *early as f64, "{early} bytes after 10 steps, {late} after {steps}");
        }
    }
    // The environment is heard: there nothing that was freed is held.
    assert!(returned[1].iter().max() < kept[1].iter().min(), "{returned:?} is less than {kept:?}");
}

/// The most memory of a process so far, in bytes; none where it has ended.
fn peak_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok().map(|kib: u64| 1024 * kib)
}

/// The most memory of each rank of a retrieval of the first `count` of `spectra`.
fn peaks(scene: &Scene, spectra: &Path, count: u64) -> Vec<u64> {
    let (records, table) = (format!("0..{count}"), scene.place.join(format!("{count}.parquet")));
    let words = ["retrieve", arg(&scene.run), arg(spectra), "--records", &records, "--out", arg(&table)];
    let ranks = if cfg!(feature = "mpi") { 2 } else { 1 };
    let sets = ["--set", "restarts=2", "--set", "iterations=8", "--set", "slots=64"];
    let mut program = command(ranks, &[&words[..], &sets].concat());
    let mut child = program.stderr(std::process::Stdio::null()).spawn().expect("it starts");
    let mut peaks = Vec::new();
    while child.try_wait().expect("it is ours").is_none() {
        let processes = if ranks == 1 { vec![child.id()] } else { children(child.id()) };
        let here: Vec<u64> = processes.into_iter().filter_map(peak_of).collect();
        if here.len() == ranks {
            peaks = here;
        }
        sleep(Duration::from_millis(2));
    }
    assert!(child.wait().expect("it ends").success() && table.is_file());
    peaks
}

/// Each rank once held all posteriors, and read all records again.
#[test]
#[ignore = "two minutes: twenty thousand spectra"]
fn a_retrieval_of_many_spectra_takes_the_memory_of_one_of_few() {
    let scene = trained::on_spectra();
    let spectra = scene.place.join("many");
    made_spectra::write(&spectra, "exogan", 20_000, |_, _| ());
    let (few, many) = (peaks(&scene, &spectra, 1000), peaks(&scene, &spectra, 20_000));
    eprintln!("{few:?} bytes for 1000 spectra, {many:?} for 20000");
    for (few, many) in few.iter().zip(&many) {
        assert!(*many as f64 <= 1.05 * *few as f64, "{few} bytes for 1000 spectra, {many} for 20000");
    }
}
