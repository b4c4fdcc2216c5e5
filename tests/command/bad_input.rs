//! What users get wrong: one line, the right exit code, nothing half written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{CONFIG, arg, must, refused, simulated};

struct Scene {
    _folder: tempfile::TempDir,
    maps: PathBuf,
    run: PathBuf,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 128);
    Scene { maps, run, _folder: folder }
}

fn train(scene: &Scene, sets: &[&str]) -> (i32, String) {
    let mut arguments = vec!["train", CONFIG, "--run", arg(&scene.run), "--data", arg(&scene.maps)];
    arguments.extend(sets.iter().flat_map(|set| ["--set", *set]));
    refused(&arguments)
}

fn a_shard(maps: &Path) -> PathBuf {
    maps.join("shard-00000.h5")
}

#[test]
fn wrong_configurations_end_with_64() {
    let scene = scene();
    for (sets, message) in [
        (vec!["family.widht=3"], "widht"),
        (vec!["batch.global=many"], "batch.global"),
        (vec!["batch.global=30"], "`batch.global` is 30, expected a positive multiple of `batch.microbatches`: 4"),
        (vec!["trainer.precision=fp8"], "fp8"),
    ] {
        let (code, line) = train(&scene, &sets);
        assert_eq!(code, 64, "{line}");
        assert!(line.contains(message), "{line}");
        assert!(!scene.run.exists(), "nothing is half made");
    }
    let (code, line) = refused(&["train", "no/such.toml", "--run", arg(&scene.run), "--data", arg(&scene.maps)]);
    assert_eq!((code, line.contains("no/such.toml")), (74, true), "{line}");
    let shard = a_shard(&scene.maps);
    let (code, line) = refused(&["train", arg(&shard), "--run", arg(&scene.run), "--data", arg(&scene.maps)]);
    assert_eq!((code, line), (64, format!("error: {}: is no text, expected TOML", shard.display())));
    let (code, line) = refused(&["bench", "step", "--set", "trainer.threads_per_rank=5000"]);
    assert!(code == 64 && line.contains("at most the processors"), "{line}");
    let (code, line) = refused(&["train", CONFIG, "--run", arg(&scene.run)]);
    assert_eq!(code, 64, "{line}");
}

#[test]
fn wrong_words_end_with_64_and_the_right_one() {
    let (code, line) = refused(&["trian"]);
    assert!(code == 64 && line.contains("train"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x", "--cuont", "3"]);
    assert!(code == 64 && line.contains("--count"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x"]);
    assert!(code == 64 && line.contains("--count"), "{line}");
    for (count, wanted) in [("0", "expected 1 or more"), ("ten", "expected a whole number that is not negative")] {
        let (code, line) = refused(&["simulate", "maps", "--out", "x", "--count", count]);
        assert_eq!((code, line), (64, format!("error: invalid value '{count}' for '--count <COUNT>', {wanted}")));
    }
    let (code, line) = refused(&["bench", "allreduce", "--rounds", "0"]);
    assert!(code == 64 && line.ends_with("expected 1 to 100000"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x", "--count", "3", "--set", "sied=3"]);
    assert!(code == 64 && line.contains("sied"), "{line}");
    assert!(!Path::new("x").exists());
}

#[test]
fn every_misspelt_word_has_the_right_one_or_says_where_it_stands() {
    for (arguments, wanted) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate', expected what `skyforge --help` lists"),
        (&["report", "run", "--ot", "x"], "unexpected argument '--ot' found; did you mean '--out'"),
        (&["train", "c", "--st", "a=1"], "unexpected argument '--st' found; did you mean '--set'"),
        (&["train", "c", "d"], "unexpected argument 'd' found, expected what `skyforge train --help` lists"),
        (&["bench", "step", "-x"], "unexpected argument '-x' found, expected what `skyforge bench step --help` lists"),
        (
            &["bench", "allreduce", "--numbers", "-1"],
            "invalid value '-1' for '--numbers <NUMBERS>', expected 1 to 1073741824",
        ),
        (
            &["bench", "step", "--rounds", "-1"],
            "invalid value '-1' for '--rounds <ROUNDS>', expected a whole number that is not negative",
        ),
        (
            &["train", "c", "--run", "r", "--max-wall", "-1"],
            "invalid value '-1' for '--max-wall <MINUTES>': expected minutes, as in 55 or 0.5",
        ),
        (&["simulate", "maps", "--out", "x", "--count", "3", "--set", "side"], "--set side: expected KEY=VALUE"),
        (
            &["bench", "step", "--against", "trainer.stpes=3"],
            "--against trainer.stpes=3: unknown key `trainer.stpes`, did you mean `trainer.steps`",
        ),
        (&["bench", "step", "--against", "trainer.overlap"], "--against trainer.overlap: expected KEY=VALUE"),
        (
            &["bench", "step", "--set", "trainer.overlap=flase"],
            "--set trainer.overlap=flase: invalid type: string \"flase\", expected true or false",
        ),
    ] {
        assert_eq!(refused(arguments), (64, format!("error: {wanted}")));
    }
}

#[test]
fn every_verb_shows_an_example() {
    for verb in [
        "",
        "simulate",
        "simulate maps",
        "ingest",
        "ingest maps",
        "ingest spectra",
        "inspect",
        "train",
        "sample",
        "retrieve",
        "inpaint",
        "evaluate",
        "report",
    ]
    .into_iter()
    .chain([
        "bench",
        "bench step",
        "bench allreduce",
        "bench loader",
        "bench statistics",
        "doctor",
        "completions",
        "man",
    ]) {
        let mut arguments: Vec<&str> = verb.split_whitespace().collect();
        arguments.push("--help");
        assert!(must(1, &arguments).contains("Example"), "{verb}");
    }
}

/// A path that is not there, a file where a folder is wanted, or the other way round: what it is, and what was wanted.
#[test]
fn wrong_paths_say_what_was_wanted() {
    let scene = scene();
    let root = scene.run.parent().expect("a folder");
    let (file, folder, nothing) = (root.join("file"), root.join("folder"), root.join("nothing"));
    fs::write(&file, "").expect("the disk has room");
    fs::create_dir(&folder).expect("the disk has room");
    let below = file.join("x");
    let (maps, shard) = (arg(&scene.maps), a_shard(&scene.maps));
    let (run, [file, folder, nothing, below]) =
        (arg(&scene.run), [&file, &folder, &nothing, &below].map(|path| arg(path)));
    let png = format!("{nothing}/maps.png");
    let table = |path: &str| format!("table={path}");
    let (no_table, folder_table) = (table(nothing), table(folder));
    let data = "the folder of a dataset";
    for (arguments, path, wanted) in [
        (vec!["train", CONFIG, "--run", run, "--data", nothing], nothing, format!("is not there, expected {data}")),
        (vec!["train", CONFIG, "--run", run, "--data", file], file, format!("is a file, expected {data}")),
        (
            vec!["train", nothing, "--run", run, "--data", maps],
            nothing,
            "is not there, expected a configuration, TOML".into(),
        ),
        (
            vec!["train", folder, "--run", run, "--data", maps],
            folder,
            "is a folder, expected a configuration, TOML".into(),
        ),
        (vec!["train", CONFIG, "--run", below, "--data", maps], below, format!("{file} is a file, expected a folder")),
        (
            vec!["simulate", "maps", "--out", file, "--count", "3"],
            file,
            "is a file, expected a new or empty folder".into(),
        ),
        (
            vec!["simulate", "maps", "--out", below, "--count", "3"],
            below,
            format!("{file} is a file, expected a folder"),
        ),
        (
            vec!["simulate", "maps", "--out", nothing, "--count", "3", "--set", &no_table],
            nothing,
            "is not there, expected a table of l and C_l, text".into(),
        ),
        (
            vec!["simulate", "maps", "--out", nothing, "--count", "3", "--set", &folder_table],
            folder,
            "is a folder, expected a table of l and C_l, text".into(),
        ),
        (
            vec!["ingest", "maps", folder, "--out", nothing],
            folder,
            "is a folder, expected a FITS, HDF5, NPY or NPZ file".into(),
        ),
        (vec!["ingest", "maps", arg(&shard), "--out", file], file, "is a file, expected a new or empty folder".into()),
        (vec!["inspect", nothing], nothing, "is not there, expected a dataset, shard, table, checkpoint or run".into()),
        (vec!["inspect", maps, "--png", folder], folder, "is a folder, expected the name of a file".into()),
        (vec!["inspect", maps, "--png", &png], &png, "its folder is not there, expected one that is".into()),
        (vec!["sample", file, "--count", "2"], file, "is a file, expected the folder of a run".into()),
        (vec!["sample", nothing, "--count", "2"], nothing, "is not there, expected the folder of a run".into()),
        (vec!["evaluate", nothing, "--against", maps], nothing, format!("is not there, expected {data}")),
        (vec!["evaluate", maps, "--against", arg(&shard)], arg(&shard), format!("is a file, expected {data}")),
        (vec!["report", file], file, "is a file, expected the folder of a run".into()),
        (vec!["man", "--out", file], file, "is a file, expected a folder for the pages".into()),
    ] {
        assert_eq!(refused(&arguments), (74, format!("error: {path}: {wanted}")));
    }
    assert!(!scene.run.exists() && !Path::new(nothing).exists(), "nothing is half made");
}

/// Looking at thousands of maps takes long: what is wrong with the folder is said before.
#[test]
fn a_folder_that_is_taken_is_refused_before_any_map_is_looked_at() {
    let scene = scene();
    let shard = a_shard(&scene.maps);
    let output = crate::program::run(1, &["ingest", "maps", arg(&shard), "--out", arg(&scene.maps)]);
    let text = String::from_utf8_lossy(&output.stderr);
    let wanted = format!("error: {} already holds a dataset, expected a new or empty folder\n", scene.maps.display());
    assert_eq!((output.status.code(), &*text), (Some(64), wanted.as_str()));
}

#[test]
fn records_of_another_size_are_refused() {
    let scene = scene();
    let (code, line) = train(&scene, &["family.side=32"]);
    assert_eq!(code, 65, "{line}");
    assert!(line.ends_with("records are [1, 64, 64], expected [1, 32, 32] for family.side = 32"), "{line}");
}

#[test]
fn a_missing_or_cut_off_shard_is_named() {
    let scene = scene();
    let shard = a_shard(&scene.maps);
    let whole = fs::read(&shard).expect("it is there");
    fs::write(&shard, &whole[..whole.len() / 2]).expect("the disk has room");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5") && line.contains(&whole.len().to_string()), "{line}");
    fs::remove_file(&shard).expect("it can go");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5"), "{line}");
    assert!(!scene.run.exists(), "nothing is half made");
}

#[test]
fn a_flipped_bit_in_the_data_stops_the_run_and_names_the_rows() {
    let scene = scene();
    let shard = a_shard(&scene.maps);
    let mut bytes = fs::read(&shard).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&shard, &bytes).expect("the disk has room");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5") && line.contains("row"), "{line}");
    let (code, line) = refused(&["inspect", arg(&scene.maps)]);
    assert!(code == 65 && line.contains("shard-00000.h5"), "{line}");
}

#[test]
fn validation_needs_a_split_of_its_own() {
    let scene = scene();
    fs::remove_dir_all(&scene.maps).expect("it is there");
    must(1, &["simulate", "maps", "--out", arg(&scene.maps), "--count", "128", "--validation", "0"]);
    let (code, line) = train(&scene, &["validation.every=20"]);
    assert_eq!(code, 64, "{line}");
    let wanted = "has no split `validation`, expected one since `validation.every` is not 0: simulate or ingest the dataset with --validation SHARE";
    assert!(line.ends_with(wanted), "{line}");
    assert!(!scene.run.exists(), "nothing is half made");
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let scene = scene();
    let (maps, run) = (arg(&scene.maps), arg(&scene.run));
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=2"]);
    let records = || {
        ["outcome.toml", "provenance.toml", "config.toml"].map(|name| fs::read(scene.run.join(name)).expect("there"))
    };
    let before = records();
    let (code, line) = train(&scene, &["trainer.steps=3", "family.width=8"]);
    assert_eq!(code, 64, "{line}");
    assert!(records() == before, "a refused start leaves the run as it was");
    assert!(line.ends_with("made with family.width = 4, this run has 8"), "{line}");
    // What may differ: the length, and the optimizer where it is set by hand.
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=3"]);
    let rate = "optimizer.network.generator.learning_rate=1e-4";
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=4", "--set", rate]);
    let rates = "optimizer.learning_rate=3e-4";
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=5", "--set", rates]);
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_made_again() {
    let scene = scene();
    let arguments = ["train", CONFIG, "--run", arg(&scene.run), "--data", arg(&scene.maps)];
    must(1, &arguments);
    let last = scene.run.join("checkpoints/step-0000040");
    let sums = fs::read(last.join("CHECKSUMS")).expect("it is there");
    let model = last.join("model.safetensors");
    let mut bytes = fs::read(&model).expect("it is there");
    bytes[1000] ^= 1;
    fs::write(&model, &bytes).expect("the disk has room");
    let (code, _) = refused(&["inspect", arg(&last)]);
    assert_eq!(code, 65);
    assert_eq!(crate::program::run(1, &["inspect", arg(&scene.run)]).status.code(), Some(65));
    must(1, &arguments);
    assert_eq!(fs::read(last.join("CHECKSUMS")).expect("made again"), sums);
    assert!(scene.run.join("checkpoints/step-0000040.damaged").is_dir());
    // With none left the run says so, and is not begun anew in silence.
    for step in ["step-0000020", "step-0000040"] {
        fs::write(scene.run.join("checkpoints").join(step).join("state.toml"), "step = 1").expect("the disk has room");
    }
    let (code, line) = refused(&arguments);
    assert!(code == 65 && line.contains("none of its checkpoints is whole"), "{line}");
    assert_eq!(crate::program::word(&scene.run, "status"), "failed");
}

/// A checkpoint that cannot be read is left where it is, and no older one is taken.
#[test]
fn an_io_error_on_the_newest_checkpoint_ends_training_and_renames_nothing() {
    let scene = scene();
    let arguments = ["train", CONFIG, "--run", arg(&scene.run), "--data", arg(&scene.maps)];
    must(1, &arguments);
    let newest = scene.run.join("checkpoints/step-0000040");
    let (file, kept) = (newest.join("optimizer.safetensors"), newest.join("kept"));
    fs::rename(&file, &kept).expect("it can be moved");
    std::os::unix::fs::symlink("/proc/self/mem", &file).expect("room"); // whose first page is never there
    let (code, line) = refused(&[&arguments[..], &["--set", "trainer.steps=44"]].concat());
    assert_eq!(code, 74, "{line}");
    assert!(line.contains("step-0000040/optimizer.safetensors: Input/output error"), "{line}");
    assert!(newest.is_dir() && !newest.with_extension("damaged").exists(), "nothing is set aside");
    fs::rename(&kept, &file).expect("it can come back");
    must(1, &[&arguments[..], &["--set", "trainer.steps=44"]].concat());
    assert_eq!(crate::program::word(&scene.run, "step"), "44");
}

#[test]
fn two_programs_in_one_run_folder_are_refused() {
    let scene = scene();
    let mut arguments = vec!["train", CONFIG, "--run", arg(&scene.run), "--data", arg(&scene.maps)];
    arguments.extend(["--set", "trainer.steps=100000"]);
    let mut first = crate::program::spawn(1, &arguments);
    let begun = std::time::Instant::now();
    while !scene.run.join("metrics.jsonl").exists() {
        assert!(begun.elapsed().as_secs() < 60, "a run begins within a minute");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (code, line) = train(&scene, &[]);
    first.kill().expect("it runs");
    first.wait().expect("it ends");
    assert_eq!(code, 74, "{line}");
    assert!(line.contains("is in use by another program"), "{line}");
}

/// A program that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// Two programs once wrote the same half-finished files, and each took the other's for its own.
#[test]
fn two_programs_in_one_output_folder_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new/maps");
    let count = "2000000";
    let mut first = Killed(crate::program::spawn(1, &["simulate", "maps", "--out", arg(&out), "--count", count]));
    let begun = std::time::Instant::now();
    while !out.join("shard-00000.h5.part").exists() {
        assert!(begun.elapsed().as_secs() < 60, "a dataset begins within a minute");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let names = || crate::program::bytes(&out).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let map = folder.path().join("map.npy");
    fs::write(&map, b"not looked at").expect("the disk has room");
    for words in [
        &["simulate", "maps", "--count", "16"][..],
        &["simulate", "spectra", "--count", "16"],
        &["ingest", "maps", arg(&map), "--side", "16"],
    ] {
        let (code, line) = refused(&[words, &["--out", arg(&out)]].concat());
        assert_eq!(code, 74, "{line}");
        assert_eq!(
            line,
            format!(
                "error: {} is being written by another program, expected a folder that no other program writes to",
                out.display()
            )
        );
    }
    assert!(names().contains(&"lock".to_owned()), "{:?}", names());
    first.0.kill().expect("it runs");
    first.0.wait().expect("it ends");
    // The lock of a program that was killed is nobody's, and what is finished has none.
    fs::remove_dir_all(&out).expect("it is ours");
    fs::create_dir_all(&out).expect("room");
    fs::write(out.join("lock"), "").expect("room");
    must(1, &["simulate", "maps", "--out", arg(&out), "--count", "16"]);
    assert_eq!(names(), ["manifest.toml", "shard-00000.h5"]);
    // What fails before anything was written leaves nothing, the folders above it included.
    let other = folder.path().join("other/maps");
    let (code, line) = refused(&["ingest", "maps", arg(&map), "--side", "16", "--out", arg(&other)]);
    assert_eq!(code, 65, "{line}");
    assert!(!folder.path().join("other").exists());
}

#[test]
fn a_launcher_that_is_not_ours_is_noticed() {
    let scene = scene();
    let mut command = crate::program::command(1, &["sample", arg(&scene.run), "--count", "2"]);
    let output = command.env("SLURM_STEP_NUM_TASKS", "2").output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{text}");
    assert!(text.starts_with("error: the launcher started 2 tasks, but this program is alone"), "{text}");
}

/// One rank that fails is heard by all: no hang, one line, the same end whichever rank it was.
#[cfg(feature = "mpi")]
#[test]
fn an_error_on_one_rank_ends_all_with_its_code() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let (table, out) = (folder.path().join("c_l.txt"), folder.path().join("maps"));
    fs::write(&table, "1 1e-9\n100000 1e-12\n").expect("the disk has room");
    for guilty in 0..2 {
        let script = format!(
            "table={table}; [ $OMPI_COMM_WORLD_RANK = {guilty} ] && table={table}.not_there; \
             exec {binary} simulate maps --out {out} --count 64 --set table=$table",
            table = arg(&table),
            out = arg(&out),
            binary = env!("CARGO_BIN_EXE_skyforge")
        );
        let output = Command::new("timeout")
            .args(["60", "mpirun", "--oversubscribe", "-n", "2", "sh", "-c", &script])
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .stdin(Stdio::null())
            .output()
            .expect("mpirun can be started");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "rank {guilty}: {text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{text}");
        assert!(text.contains("c_l.txt.not_there"), "{text}");
    }
}

#[test]
fn a_dataset_is_never_written_over() {
    let scene = scene();
    let before = crate::program::bytes(&scene.maps);
    let (code, line) = refused(&["simulate", "maps", "--out", arg(&scene.maps), "--count", "3"]);
    assert_eq!(code, 64, "{line}");
    assert!(crate::program::bytes(&scene.maps) == before);
}

#[test]
fn folders_that_are_something_else_are_refused() {
    let scene = scene();
    for (arguments, code, wanted) in [
        (
            vec!["simulate", "maps", "--out", env!("CARGO_MANIFEST_DIR"), "--count", "3"],
            64,
            "expected a new or empty folder",
        ),
        (vec!["train", CONFIG, "--run", arg(&scene.maps), "--data", arg(&scene.maps)], 64, "holds a dataset"),
        (vec!["train", CONFIG, "--run", CONFIG, "--data", arg(&scene.maps)], 64, "is a file"),
        (vec!["simulate", "maps", "--out", "x", "--count", "99999999999999"], 64, "expected at most"),
        (vec!["simulate", "maps", "--out", "x", "--count", "-5"], 64, "-5"),
        (vec!["report", "no/such/run"], 74, "no/such/run"),
    ] {
        let (got, line) = refused(&arguments);
        assert_eq!(got, code, "{line}");
        assert!(line.contains(wanted), "{line}");
    }
    for arguments in [
        vec!["report", arg(&scene.maps)],
        vec!["sample", arg(&scene.maps), "--count", "2"],
        vec!["inspect", env!("CARGO_MANIFEST_DIR")],
    ] {
        let (code, line) = refused(&arguments);
        assert_eq!(code, 65, "{line}");
    }
    let (code, line) = refused(&["inspect", "no/such/thing"]);
    assert_eq!(code, 74, "{line}");
}
