//! Disks that are full, read-only, or lose their files: one line and exit 74, what was there stays, and the next start goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::{CONFIG, arg, bytes, must, refused, run, simulate, simulated, spawn, word};
use crate::trained;

/// A small disk of its own, in memory.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// One of so many KiB; None, said aloud, where this user may not mount.
    fn new(kib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", arg(folder.path())]).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        eprintln!("SKIPPED: only root may mount the small disk that this test needs");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options, arg(self.path())]).status();
        assert!(status.expect("mount is there").success(), "{options}");
    }

    /// Fills it but for `kib` KiB.
    fn fill(&self, kib: u64) {
        let free = Command::new("stat").args(["-f", "-c", "%f", arg(self.path())]).output().expect("stat is there");
        let pages: u64 = String::from_utf8_lossy(&free.stdout).trim().parse().expect("a number of pages");
        let ballast = (4 * pages).saturating_sub(kib) << 10;
        fs::write(self.ballast(), vec![1; ballast as usize]).expect("so much is free");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it can go");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", arg(self.path())]).status();
    }
}

/// A run of `steps` steps with a checkpoint every 4.
fn words<'a>(run: &'a Path, maps: &'a Path, steps: &'a str) -> Vec<&'a str> {
    vec!["train", CONFIG, "--run", arg(run), "--data", arg(maps), "--set", steps, "--set", "trainer.checkpoint_every=4"]
}

fn size_kib(folder: &Path) -> u64 {
    bytes(folder).iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>() >> 10
}

#[test]
fn a_full_disk_ends_training_with_one_line_and_the_next_start_goes_on() {
    let Some(disk) = Disk::new(64 << 10) else { return };
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (maps, straight) = (elsewhere.path().join("maps"), elsewhere.path().join("straight"));
    simulated(&maps, 128);
    must(1, &words(&straight, &maps, "trainer.steps=12"));
    let checkpoint = size_kib(&straight.join("checkpoints/step-0000004"));
    for (case, free) in [0, checkpoint / 3, checkpoint * 5 / 4].into_iter().enumerate() {
        let run = disk.path().join(format!("run-{case}"));
        must(1, &words(&run, &maps, "trainer.steps=4"));
        disk.fill(free);
        let (code, line) = refused(&words(&run, &maps, "trainer.steps=12"));
        let wanted = code == 74 && line.contains(arg(&run)) && line.contains("No space left on device");
        assert!(wanted, "{free} KiB free: exit {code}, {line}");
        let kept = run.join("checkpoints/step-0000004");
        assert!(bytes(&kept) == bytes(&straight.join("checkpoints/step-0000004")), "what was there stays");
        disk.make_room();
        must(1, &words(&run, &maps, "trainer.steps=12"));
        assert_eq!(word(&run, "checksum"), word(&straight, "checksum"), "{free} KiB free");
        fs::remove_dir_all(run).expect("it can go");
        eprintln!("{free} KiB free, a checkpoint takes {checkpoint}: {line}");
    }
}

#[test]
fn a_full_disk_ends_a_simulation_with_one_line_and_the_next_start_goes_on() {
    let Some(disk) = Disk::new(16 << 10) else { return };
    let elsewhere = tempfile::tempdir().expect("a folder");
    let straight = elsewhere.path().join("maps");
    simulated(&straight, 128);
    let whole = size_kib(&straight);
    let pages = |file: &(String, Vec<u8>)| 4 * (file.1.len() as u64).div_ceil(4096);
    let shards: u64 = bytes(&straight).iter().filter(|file| file.0.starts_with("shard-")).map(pages).sum();
    for free in [0, 8, whole / 2, shards - 4, shards] {
        let maps = disk.path().join("maps");
        disk.fill(free);
        let (code, line) = refused(&["simulate", "maps", "--out", arg(&maps), "--count", "128", "--seed", "1"]);
        let wanted = code == 74 && line.contains(arg(&maps)) && line.contains("No space left on device");
        assert!(wanted, "{free} KiB free: exit {code}, {line}");
        assert!(free < shards || line.contains("manifest.toml"), "{free} KiB hold all shards: {line}");
        let (code, refusal) = refused(&["inspect", arg(&maps)]);
        assert!(code != 0, "it is no dataset: {refusal}");
        disk.make_room();
        simulate(&maps, 128);
        assert!(bytes(&maps) == bytes(&straight), "{free} KiB free");
        fs::remove_dir_all(maps).expect("it can go");
        eprintln!("{free} KiB free, the maps take {whole}: {line}");
    }
}

#[test]
fn a_disk_that_fills_up_ends_inpainting_on_all_ranks_with_one_line() {
    let Some(disk) = Disk::new(1500) else { return };
    let scene = trained::on_maps();
    let (data, out) = (scene.place.join("more"), disk.path().join("filled"));
    simulated(&data, 150); // 2.4 MB, of which the last rank's shard has no room
    for ranks in trained::worlds() {
        let words = ["inpaint", arg(&scene.run), arg(&data), "--mask", "left", "--out", arg(&out)];
        let output = run(*ranks, &[&words[..], &trained::QUICK].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((output.status.code(), errors.len()), (Some(74), 1), "{ranks} ranks: {text}");
        assert!(errors[0].contains("shard-") || errors[0].contains("space"), "{text}");
        assert!(!out.join("manifest.toml").exists(), "it is no dataset");
    }
}

#[test]
fn a_read_only_folder_is_named_and_left_as_it_is() {
    let Some(disk) = Disk::new(64 << 10) else { return };
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (maps, straight) = (elsewhere.path().join("maps"), elsewhere.path().join("straight"));
    let (run, other) = (disk.path().join("run"), disk.path().join("maps"));
    simulated(&maps, 128);
    must(1, &words(&straight, &maps, "trainer.steps=12"));
    must(1, &words(&run, &maps, "trainer.steps=4"));
    let before = bytes(&run.join("checkpoints/step-0000004"));
    disk.remount("ro");
    let simulate = ["simulate", "maps", "--out", arg(&other), "--count", "128", "--seed", "1"];
    let train = words(&run, &maps, "trainer.steps=12");
    for arguments in [&simulate[..], &train[..]] {
        let (code, line) = refused(arguments);
        let wanted = code == 74 && line.contains(arg(disk.path())) && line.contains("Read-only file system");
        assert!(wanted, "exit {code}, {line}");
        eprintln!("{line}");
    }
    assert!(bytes(&run.join("checkpoints/step-0000004")) == before && !other.exists());
    disk.remount("rw");
    must(1, &train);
    assert_eq!(word(&run, "checksum"), word(&straight, "checksum"));
}

#[test]
fn shards_that_vanish_under_a_run_change_nothing_or_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, kept) = (folder.path().join("maps"), folder.path().join("kept"));
    let (run, straight) = (folder.path().join("run"), folder.path().join("straight"));
    simulated(&maps, 128);
    let steps = "trainer.steps=60";
    must(1, &words(&straight, &maps, steps));
    let mut child = spawn(1, &words(&run, &maps, steps));
    let begun = Instant::now();
    while fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default().lines().count() < 3 {
        assert!(begun.elapsed() < Duration::from_mins(1), "three steps take no minute");
        sleep(Duration::from_millis(2));
    }
    fs::create_dir(&kept).expect("the disk has room");
    for (name, _) in bytes(&maps).iter().filter(|file| file.0.starts_with("shard-")) {
        fs::copy(maps.join(name), kept.join(name)).expect("the disk has room");
        fs::remove_file(maps.join(name)).expect("it can go");
    }
    let code = child.wait().expect("it ends").code();
    eprintln!(
        "exit {code:?} {}",
        if code == Some(0) { "to the end with open files".into() } else { word(&run, "reason") }
    );
    assert!(code == Some(0) || (code == Some(65) && word(&run, "reason").contains("shard-")), "{code:?}");
    let (code, line) = refused(&words(&run, &maps, "trainer.steps=64"));
    assert!(code == 65 && line.contains("shard-00000.h5 is missing"), "{line}");
    for (name, _) in bytes(&kept) {
        fs::rename(kept.join(&name), maps.join(&name)).expect("it can come back");
    }
    must(1, &words(&run, &maps, "trainer.steps=64"));
    must(1, &words(&straight, &maps, "trainer.steps=64"));
    assert_eq!(word(&run, "checksum"), word(&straight, "checksum"));
}
