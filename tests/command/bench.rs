//! Benches run, say what they measured in JSON, and refuse what they cannot do. How fast anything is, is no test's business.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{arg, command, must, refused, simulated};
use crate::trained::EXOGAN;

const NARROW: [&str; 8] =
    ["--set", "family.width=2", "--set", "batch.global=4", "--set", "batch.microbatches=2", "--set", "family.side=32"];

fn json(ranks: usize, arguments: &[&str]) -> Value {
    let out = must(ranks, &[&["bench"], arguments, &["--json"]].concat());
    serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn number(told: &Value, key: &str) -> f64 {
    told[key].as_f64().unwrap_or_else(|| panic!("{key} is a number: {told}"))
}

/// A median that lies in its range, above 0.
fn middle(told: &Value, key: &str) -> f64 {
    let (median, range) = (number(&told[key], "median"), &told[key]["range"]);
    let (low, high) = (range[0].as_f64().expect("a number"), range[1].as_f64().expect("a number"));
    assert!(0.0 < low && low <= median && median <= high, "{key}: {told}");
    median
}

fn a_share(told: &Value, key: &str) {
    let share = number(told, key);
    assert!(0.0 < share && share < 1.0, "{key}: {told}");
}

#[test]
fn steps_are_told_with_their_share_of_the_limits() {
    let step = [&["step", "--steps", "1", "--rounds", "2"], &NARROW[..]].concat();
    let told = json(1, &step);
    assert_eq!(told["rounds"], 2);
    let made = middle(&told, "samples_per_second") * number(&told, "flops_per_sample");
    for (kind, limit) in [("fp32", "products_fp32_flops_per_second"), ("bf16", "products_bf16_flops_per_second")] {
        let share = format!("share_of_products_{kind}");
        a_share(&told, &share);
        assert!((number(&told, &share) * number(&told, limit) / made - 1.0).abs() < 1e-9, "{told}");
    }
    a_share(&told, "outside_share");
    a_share(&told, "waiting_share");
    let against = json(1, &[&step[..], &["--against", "family.update=simultaneous"]].concat());
    middle(&against, "ratio");
}

#[test]
fn scaling_tells_what_was_measured_and_what_a_model_makes_of_it() {
    let worlds: &[usize] = if cfg!(feature = "mpi") { &[1, 3] } else { &[1] };
    for &ranks in worlds {
        let scaling = [&["scaling", "--steps", "1", "--rounds", "2"], &NARROW[..]].concat();
        let told = json(ranks, &scaling);
        let rows = told["measured"].as_array().expect("rows");
        let measured: Vec<u64> = rows.iter().map(|row| row["ranks"].as_u64().expect("a number")).collect();
        assert_eq!(measured, if ranks == 1 { vec![1] } else { vec![1, 2] }, "powers of two");
        for row in rows {
            let parts = number(row, "compute_seconds") + number(row, "waiting_seconds");
            assert!(parts > 0.0 && number(row, "step_seconds") > 0.0, "{row}");
        }
        assert_eq!(number(&rows[0], "efficiency"), 1.0);
        assert_eq!(told["sums_measured"].as_array().expect("sums").len(), if ranks == 1 { 0 } else { 5 });
        let foretold = told["foretold"].as_array().expect("a forecast");
        let of: Vec<u64> = foretold.iter().map(|one| one["ranks"].as_u64().expect("a number")).collect();
        assert_eq!(of, [8, 16, 32, 64, 128, 256, 512, 1024]);
        // Each rank has one microbatch of two records; what is given takes the place of what was measured.
        assert_eq!(told["records_per_rank"], 2);
        let given = ["--compute-ms", "10", "--latency-us", "5", "--gigabytes-per-second", "20", "--jitter", "0"];
        let told = json(1, &[&scaling[..], &given].concat());
        let bytes =
            4.0 * told["model"]["sums"].as_array().expect("sums").iter().map(|n| n.as_f64().unwrap()).sum::<f64>();
        let sums = told["model"]["sums"].as_array().expect("sums").len() as f64;
        let wanted = 0.010 + sums * 20.0 * 5e-6 + 2.0 * 1023.0 / 1024.0 * bytes / 20e9;
        let last = &told["foretold"][7];
        assert!((number(last, "step_seconds") / wanted - 1.0).abs() < 1e-9, "{wanted}: {last}");
        assert!((number(last, "efficiency") / (0.010 / wanted) - 1.0).abs() < 1e-9, "{last}");
    }
    let (code, line) = refused(&["bench", "scaling", "--microbatches-per-rank", "3"]);
    assert_eq!((code, line.as_str()), (64, "error: --microbatches-per-rank is 3, expected a power of two"));
}

#[test]
fn the_work_of_a_step_is_what_its_form_says() {
    let of = |set: &str| {
        let told = json(1, &[&["step", "--steps", "1", "--rounds", "1", "--set", set], &NARROW[..]].concat());
        number(&told, "flops_per_sample")
    };
    let (fresh, shared) = (of("family.noise=fresh"), of("family.noise=shared"));
    let (simultaneous, two_to_one) = (of("family.update=simultaneous"), of("family.discriminator_updates=2"));
    // One generator forward less, then one discriminator forward less.
    assert!(fresh > shared && shared > simultaneous);
    let (generator, discriminator) = (fresh - shared, shared - simultaneous);
    assert!((4.0 * generator + 8.0 * discriminator - fresh).abs() < 1.0);
    // The generator's move is shared by two batches.
    assert!((two_to_one - (fresh - 1.5 * generator - discriminator)).abs() < 1.0);
}

/// Spectra were once timed as maps, without their codec, and the embedder's work was not counted.
#[test]
fn steps_on_spectra_are_encoded_and_count_the_embedder() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(EXOGAN).expect("a configuration");
    let (head, rest) = text.split_once("[family.embedder]").expect("it has an embedder");
    let (_, tail) = rest.split_once("[family.codec]").expect("and a codec");
    let bare = folder.path().join("bare.toml");
    fs::write(&bare, format!("{head}[family.codec]{tail}")).expect("the disk has room");
    let of = |config: &str, sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let told = json(1, &[&["step", "--steps", "1", "--rounds", "1", "--config", config], &sets[..]].concat());
        assert_eq!(told["family"], "spectra_gan");
        number(&told, "flops_per_sample") / 2.0
    };
    let one = "family.generator_updates=1";
    let fresh = of(arg(&bare), &[one]);
    let shared = of(arg(&bare), &[one, "family.noise=shared"]);
    let simultaneous = of(arg(&bare), &[one, "family.update=simultaneous"]);
    let (generator, discriminator) = (fresh - shared, shared - simultaneous);
    // 33-17-9-5-3 pixels, 32 channels at last: in place of one logit 32 hidden numbers, then 16 latent ones.
    let narrowest = 3.0 * 3.0 * 32.0;
    let embedder = discriminator - narrowest + narrowest * 32.0 + 32.0 * 16.0;
    let latent = generator + 3.0 * embedder;
    let latent_only = of(EXOGAN, &[one, "family.embedder.reconstruction=0.0"]);
    assert!((latent_only - (fresh + latent)).abs() < 1.0, "{latent_only}, {fresh} and {latent}");
    let both = of(EXOGAN, &[one]);
    assert!((both - (latent_only + 4.0 * embedder + 5.0 * generator)).abs() < 1.0, "{both}, {latent_only}");
    let scaling = json(1, &["scaling", "--steps", "1", "--rounds", "1", "--config", EXOGAN]);
    assert_eq!(scaling["family"], "spectra_gan");
    let (code, line) = refused(&["bench", "step", "--config", EXOGAN, "--set", "family.codec.side=40"]);
    assert_eq!((code, line.as_str()), (64, "error: `family.side` is 33, expected `family.codec.side`: 40"));
}

#[test]
fn the_loader_is_told_with_its_share_of_the_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 128);
    let few = ["--batch", "8", "--batches", "4", "--rounds", "2"];
    let told = json(1, &[&["loader", "--data", arg(&maps)], &few[..]].concat());
    assert_eq!((&told["records"], &told["rounds"]), (&128.into(), &2.into()));
    let bytes = middle(&told, "samples_per_second") * 4.0 * 64.0 * 64.0;
    for limit in ["copy", "pread"] {
        let (share, rate) = (format!("share_of_{limit}"), format!("{limit}_bytes_per_second"));
        assert!((number(&told, &share) * number(&told, &rate) / bytes - 1.0).abs() < 1e-9, "{told}");
    }

    let kept = folder.path().join("kept");
    let random = ["loader", "--maps", "300", "--side", "16", "--keep", arg(&kept)];
    assert_eq!(json(1, &[&random, &few[..]].concat())["shape"], serde_json::json!([1, 16, 16]));
    must(1, &["inspect", arg(&kept)]);
}

#[test]
fn random_maps_are_gone_afterwards() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["bench", "loader", "--maps", "40", "--side", "8", "--batches", "1", "--rounds", "1"];
    let output = command(1, &arguments).env("TMPDIR", folder.path()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn statistics_are_told_with_their_parts() {
    let told = json(1, &["statistics", "--maps", "10", "--side", "16", "--threads", "2", "--rounds", "3"]);
    assert_eq!((&told["threads"], &told["rounds"]), (&2.into(), &3.into()));
    let all = middle(&told, "seconds");
    let parts = ["spectrum_seconds", "histogram_seconds", "tests_seconds"].map(|part| middle(&told, part));
    assert!(parts.iter().all(|part| *part < 2.0 * all), "{told}");
    // How large it is, depends on what else runs while memory is read for a moment.
    let share = number(&told, "share_of_read");
    assert!((share * all / number(&told, "read_seconds") - 1.0).abs() < 1e-9, "{told}");
}

#[cfg(feature = "mpi")]
#[test]
fn several_ranks_are_timed_together() {
    let told = json(2, &["allreduce", "--numbers", "50000", "--rounds", "3"]);
    assert!(middle(&told, "tree_seconds") > 0.0);
    let share = number(&told, "share_of_copy") * number(&told, "copy_bytes_per_second");
    assert!((share * middle(&told, "tree_seconds") / 200_000.0 - 1.0).abs() < 1e-9, "{told}");

    let few = ["--maps", "64", "--side", "8", "--batch", "4", "--batches", "2", "--rounds", "1"];
    assert_eq!(json(2, &[&["loader"], &few[..]].concat())["ranks"], 2);
    assert_eq!(json(2, &["statistics", "--maps", "4", "--side", "8", "--rounds", "1"])["ranks"], 2);
}

/// Hundredths of a second of processor that a process and its threads have used.
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("a name in brackets");
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[test]
fn a_paced_bench_works_when_it_is_told_to_and_sleeps_else() {
    let ranks = if cfg!(feature = "mpi") { 2 } else { 1 };
    let arguments = [&["bench", "step", "--steps", "1", "--paced", "--json"], &NARROW[..]].concat();
    let mut child = command(ranks, &arguments).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut tell = child.stdin.take().expect("it is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut heard = || -> Value {
        let line = lines.next().expect("a line").expect("UTF-8");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(heard()["ready"], true);
    for _ in 0..2 {
        writeln!(tell).expect("it listens");
        assert!(number(&heard(), "samples_per_second") > 0.0);
    }
    let processes = if ranks == 1 { vec![child.id()] } else { crate::program::children(child.id()) };
    assert_eq!(processes.len(), ranks);
    let used = || processes.iter().map(|process| ticks(*process)).sum::<u64>();
    let before = used();
    sleep(Duration::from_secs(2));
    let meanwhile = used() - before;
    assert!(meanwhile <= 4, "{meanwhile} hundredths of a second in two seconds of waiting");
    drop(tell);
    assert_eq!(heard()["rounds"], 2);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn what_cannot_be_timed_is_refused() {
    for (arguments, words) in [
        (&["bench", "loader", "--maps", "0"][..], "--maps"),
        (&["bench", "loader", "--split", "test"], "--data"),
        (&["bench", "loader", "--data", "x", "--maps", "5"], "--maps"),
        (&["bench", "statistics", "--side", "4"], "--side"),
        (&["bench", "statistics", "--threads", "0"], "--threads"),
        (&["bench", "step", "--paced", "--rounds", "3"], "--rounds"),
        (&["bench", "step", "--paced", "--against", "trainer.overlap=false"], "--against"),
        (&["bench", "allreduce"], "one rank has nobody to sum with"),
    ] {
        let (code, line) = refused(arguments);
        assert_eq!(code, 64, "{line}");
        assert!(line.contains(words), "{line}");
    }
    let (code, line) = refused(&["bench", "loader", "--data", "/nowhere"]);
    assert!(code == 65 || code == 74, "{code} {line}");
    assert!(line.contains("/nowhere"), "{line}");
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 16);
    let (code, line) = refused(&["bench", "loader", "--data", arg(&maps), "--split", "nothing"]);
    assert_eq!(code, 64);
    assert!(line.contains("has no split `nothing`"), "{line}");
    let (code, line) = refused(&["bench", "loader", "--maps", "5", "--keep", arg(&maps)]);
    assert_eq!(code, 64);
    assert!(line.contains("already holds a dataset"), "{line}");
}

#[test]
fn the_ledger_is_told_with_the_operations_of_a_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let few = ["ledger", "--blocks", "50", "--workers", "3", "--rounds", "2", "--folder", arg(folder.path())];
    let told = json(1, &few);
    assert_eq!((&told["blocks"], &told["workers"], &told["rounds"]), (&50.into(), &3.into(), &2.into()));
    middle(&told, "ms_per_block");
    let of = |kind: &str| number(&told["operations"], kind);
    assert!(of("create") >= 2.0 && of("link") == 1.0 && of("sync") == 0.0, "{told}");
    assert!(number(&told, "operations_per_block") >= 6.0, "{told}");
    let synced = json(1, &[&few[..], &["--sync"]].concat());
    assert!(number(&synced["operations"], "sync") >= 2.0, "{synced}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing is left");
}
