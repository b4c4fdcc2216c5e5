//! A checkpoint on disk.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::checkpoint::{
    Checkpoint, CheckpointError, Criterion, Direction, Identity, Keep, NetworkRecord, NetworkSlots, Saved, State, all,
    best, keep, newest, newest_scheduled, save,
};
use skyforge::exit::{Ends, Exit};
use skyforge::files::faults::{Fault, Operation, during};
use skyforge::optim::{Adam, AdamSettings, Buffer, FlatSpace, Home};
use tch::{Device, Tensor, nn};

/// A device whose memory happens to be the host's.
const DEVICE: Home = Home::Device(Device::Cpu);

pub fn space(values: [f32; 6], home: Home) -> (nn::VarStore, FlatSpace) {
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let _ = (&root / "up1").var_copy("weight", &Tensor::from_slice(&values).view([2, 3]));
    let _ = (&root / "norm1").ones_no_train("running_var", &[2]);
    let space = FlatSpace::bind_at(home, &store, 1);
    (store, space)
}

fn run_table(width: i64) -> toml::Table {
    format!("[family]\nwidth = {width}\n[optimizer]\nrate = 0.1").parse().expect("TOML")
}

/// Saves a checkpoint of one player with an average after `step` steps.
pub fn saved(folder: &Path, step: u64) -> PathBuf {
    saved_from(Home::Host, folder, step, None)
}

/// The same with an error that was measured.
fn measured(folder: &Path, step: u64, error: f64) -> PathBuf {
    saved_from(Home::Host, folder, step, Some(error))
}

/// The same from wherever the numbers live.
fn saved_from(home: Home, folder: &Path, step: u64, error: Option<f64>) -> PathBuf {
    let saved = attempt(home, folder, step, error).expect("the disk has room");
    assert_eq!(saved.checksum, Checkpoint::open(&saved.folder).expect("it is whole").checksum());
    saved.folder
}

/// The same, which may fail.
pub fn attempt(home: Home, folder: &Path, step: u64, error: Option<f64>) -> Result<Saved, CheckpointError> {
    let (_store, space) = space([1.0, -2.0, 3.5, 1e-30, f32::MAX, 0.1], home);
    let mut adam = Adam::new(AdamSettings::default(), 6, home);
    let (first, second) = ([0.05, 0.1, 0.15, 0.2, 0.25, 0.3], [1e-5, 4e-5, 9e-5, 16e-5, 25e-5, 36e-5]);
    adam.restore(1, &first, &second);
    let (average, state) = (Buffer::of(&[9.0; 6], home), [4.0_f32; 2]);
    let record = NetworkRecord { name: "generator", space: &space, adam: &adam, average: Some((&average, &state)) };
    let mut state = State::new(step, 64 * step, run_table(8));
    state.scores.extend(error.map(|error| ("error".to_owned(), error)));
    state.best = error.map(|_| Criterion { score: "error".into(), direction: Direction::Min });
    save(folder, state, &[record])
}

#[test]
fn what_is_restored_is_what_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = Checkpoint::open(&saved(folder.path(), 12)).expect("it is whole");
    assert_eq!((checkpoint.state.step, checkpoint.state.position), (12, 768));
    for home in [Home::Host, DEVICE] {
        let (_store, mut space) = space([0.0; 6], home);
        let mut adam = Adam::new(AdamSettings::default(), 6, home);
        let mut average = Buffer::zeros(6, home);
        checkpoint
            .restore(NetworkSlots {
                name: "generator",
                space: &mut space,
                adam: &mut adam,
                average: Some(&mut average),
            })
            .expect("it fits");
        assert_eq!(*space.parameters().host(), [1.0, -2.0, 3.5, 1e-30, f32::MAX, 0.1]);
        assert_eq!(*space.state().host(), [1.0, 1.0]);
        assert_eq!(*average.host(), [9.0; 6]);
        assert_eq!(adam.updates(), 1);
        assert_eq!(*adam.moments().0.host(), [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]);
        assert_eq!(adam.moments().1.host()[5], 36e-5);
    }
}

#[test]
fn a_checkpoint_does_not_tell_where_the_numbers_lived() {
    let folders = [Home::Host, DEVICE].map(|home| {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = saved_from(home, folder.path(), 12, None);
        Checkpoint::open(&saved).expect("it is whole").checksum()
    });
    assert_eq!(folders[0], folders[1]);
}

#[test]
fn equal_training_gives_equal_bytes() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let all = folders.each_ref().map(|folder| saved(folder.path(), 3));
    for name in ["model.safetensors", "optimizer.safetensors", "state.toml", "CHECKSUMS"] {
        let read = |folder: &PathBuf| fs::read(folder.join(name)).expect("it is there");
        assert_eq!(read(&all[0]), read(&all[1]), "{name}");
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_the_checkpoint_before_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    saved(folder.path(), 1);
    let last = saved(folder.path(), 2);
    let mut flips = 0;
    for name in ["model.safetensors", "optimizer.safetensors", "state.toml", "CHECKSUMS"] {
        let path = last.join(name);
        let whole = fs::read(&path).expect("it is there");
        for at in (0..whole.len()).step_by(7) {
            let mut broken = whole.clone();
            broken[at] ^= 0x10;
            fs::write(&path, &broken).expect("the disk has room");
            let (found, damaged) = newest(folder.path()).expect("the folder can be read");
            assert_eq!(found.expect("the one before is whole").state.step, 1, "{name} byte {at}");
            assert_eq!(damaged.len(), 1);
            let message = damaged[0].1.to_string();
            assert!(message.contains("step-0000002") && !message.contains('\n'), "{message}");
            flips += 1;
        }
        fs::write(&path, &whole).expect("the disk has room");
    }
    assert!(flips > 100);
    eprintln!("{flips} flips");
    assert_eq!(newest(folder.path()).expect("readable").0.expect("whole again").state.step, 2);
}

#[test]
fn a_file_cut_off_anywhere_or_missing_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lengths = 0;
    for name in ["model.safetensors", "optimizer.safetensors", "state.toml", "CHECKSUMS"] {
        let whole = saved(folder.path(), 5);
        lengths += fs::metadata(whole.join(name)).expect("it is there").len();
        let bytes = fs::read(whole.join(name)).expect("it is there");
        for length in 0..bytes.len() {
            fs::write(whole.join(name), &bytes[..length]).expect("the disk has room");
            let error = Checkpoint::open(&whole).expect_err("it is cut off").to_string();
            assert!(error.contains("step-0000005"), "{name} of {length} bytes: {error}");
        }
        fs::remove_file(whole.join(name)).expect("it can go");
        let error = Checkpoint::open(&whole).expect_err("it is gone").to_string();
        assert!(error.contains(name), "{error}");
        fs::remove_dir_all(&whole).expect("it can go");
    }
    eprintln!("{lengths} lengths");
}

/// EIO and ESTALE, as a failing disk and a restarted file server give them.
const UNREADABLE: [i32; 2] = [5, 116];

/// A checkpoint that could not be read was once taken for a damaged one: it was renamed, and training went on from an older one.
#[test]
fn an_io_error_is_no_damage_whichever_file_it_meets() {
    let folder = tempfile::tempdir().expect("a folder");
    measured(folder.path(), 1, 0.1);
    measured(folder.path(), 2, 0.2);
    let reads = |seen: &[(Operation, PathBuf)]| seen.iter().filter(|(done, _)| *done == Operation::Read).count();
    let (_, seen) = during(Fault::Error(5), 0..0, || newest(folder.path()));
    assert_eq!((seen.len(), reads(&seen)), (4, 4), "{seen:?}");
    for number in UNREADABLE {
        for at in 0..4 {
            let (found, _) = during(Fault::Error(number), at..at + 1, || newest(folder.path()));
            let error = found.expect_err("it cannot be read");
            assert!(matches!(error, CheckpointError::Io { .. }) && error.exit() == Exit::FileSystem, "{error:?}");
            assert!(error.to_string().contains("step-0000002"), "{error}");
            let (found, _) = during(Fault::Error(number), at..at + 1, || newest_scheduled(folder.path(), 2));
            assert!(matches!(found, Err(CheckpointError::Io { .. })), "{found:?}");
        }
        for at in 0..8 {
            let (found, _) = during(Fault::Error(number), at..at + 1, || best(folder.path()));
            assert!(matches!(found, Err(CheckpointError::Io { .. })), "read {at}: {found:?}");
        }
    }
    assert_eq!(newest(folder.path()).expect("readable again").0.expect("whole").state.step, 2);
}

#[test]
fn nothing_is_removed_while_the_best_cannot_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for (step, error) in [(1, 0.1), (2, 0.3), (3, 0.2)] {
        measured(folder.path(), step, error);
    }
    let steps =
        || all(folder.path()).expect("readable").map(|(_, c)| c.expect("whole").state.step).collect::<Vec<u64>>();
    let wanted = Keep { newest: 1, ..Keep::default() };
    for at in 0..6 {
        let (kept, _) = during(Fault::Error(UNREADABLE[at % 2]), at..at + 1, || keep(folder.path(), wanted));
        kept.expect("it is told in the log");
        assert_eq!(steps(), [3, 2, 1], "read {at}");
    }
    keep(folder.path(), wanted).expect("they can go");
    assert_eq!(steps(), [3, 1]);
}

#[test]
fn a_checkpoint_of_another_format_is_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    saved(folder.path(), 1);
    let last = saved(folder.path(), 2);
    let written = |format: u32| {
        let state = fs::read_to_string(last.join("state.toml")).expect("it is there");
        let other = state.replacen("format = 2", &format!("format = {format}"), 1);
        let sums = fs::read_to_string(last.join("CHECKSUMS")).expect("it is there");
        let sum = |text: &str| format!("XXH3_{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        fs::write(last.join("CHECKSUMS"), sums.replace(&sum(&state), &sum(&other))).expect("the disk has room");
        fs::write(last.join("state.toml"), other).expect("the disk has room");
        let error = newest(folder.path()).expect_err("another program wrote it");
        assert!(matches!(error, CheckpointError::Another { .. }), "{error:?}");
        fs::write(last.join("CHECKSUMS"), &sums).expect("the disk has room");
        fs::write(last.join("state.toml"), &state).expect("the disk has room");
        error.to_string()
    };
    let error = written(99);
    assert!(error.ends_with("state.toml: format is 99, expected 2"), "{error}");
    // Its moments had a file of another name, which is not missed.
    fs::rename(last.join("optimizer.safetensors"), last.join("optimiser.safetensors")).expect("it can be renamed");
    let advice = "train anew with this version of the program, or finish the run with the version that made it";
    let error = written(1);
    assert!(error.ends_with(&format!("state.toml: format is 1, expected 2: {advice}")), "{error}");
}

/// Saves a checkpoint with these scores, of which `best` decides.
fn scored(folder: &Path, step: u64, scores: &[(&str, f64)], best: Option<(&str, Direction)>) {
    let (_store, space) = space([1.0; 6], Home::Host);
    let adam = Adam::new(AdamSettings::default(), 6, Home::Host);
    let record = NetworkRecord { name: "generator", space: &space, adam: &adam, average: None };
    let mut state = State::new(step, 64 * step, run_table(8));
    state.scores = scores.iter().map(|(name, score)| ((*name).to_owned(), *score)).collect();
    state.best = best.map(|(score, direction)| Criterion { score: score.into(), direction });
    save(folder, state, &[record]).expect("the disk has room");
}

#[test]
fn the_best_is_the_least_or_the_greatest_as_the_score_says() {
    for (direction, wanted) in [(Direction::Min, 1), (Direction::Max, 4)] {
        let folder = tempfile::tempdir().expect("a folder");
        let by = Some(("quality", direction));
        for (step, score) in [(1, 0.1), (2, 0.5), (3, f64::NAN), (4, 0.9), (5, f64::INFINITY), (6, -f64::INFINITY)] {
            scored(folder.path(), step, &[("quality", score), ("other", -score)], by);
        }
        scored(folder.path(), 7, &[], by); // not measured
        let state = best(folder.path()).expect("readable").expect("some are measured").state;
        assert_eq!(state.step, wanted, "{direction:?}");
        assert_eq!(state.best, Some(Criterion { score: "quality".into(), direction }));
        keep(folder.path(), Keep { newest: 1, ..Keep::default() }).expect("they can go");
        let left: Vec<u64> = all(folder.path()).expect("readable").map(|(_, c)| c.expect("whole").state.step).collect();
        assert_eq!(left, [7, wanted], "{direction:?}");
    }
}

#[test]
fn the_newest_checkpoint_says_by_which_score_the_best_is_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    scored(folder.path(), 1, &[("error", 0.5), ("likeness", 0.9)], Some(("error", Direction::Min)));
    scored(folder.path(), 2, &[("error", 0.1), ("likeness", 0.2)], Some(("error", Direction::Min)));
    let step = || best(folder.path()).expect("readable").expect("some are measured").state.step;
    assert_eq!(step(), 2);
    scored(folder.path(), 3, &[("likeness", 0.4)], Some(("likeness", Direction::Max)));
    assert_eq!(step(), 1);
    let none = tempfile::tempdir().expect("a folder");
    scored(none.path(), 1, &[("error", 0.5)], None);
    assert!(best(none.path()).expect("readable").is_none(), "nothing says which score counts");
}

#[test]
fn what_a_crash_left_behind_is_not_taken_for_a_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    saved(folder.path(), 1);
    let part = folder.path().join("step-0000002.part");
    fs::create_dir(&part).expect("the disk has room");
    fs::write(part.join("model.safetensors"), b"half").expect("the disk has room");
    assert_eq!(newest(folder.path()).expect("readable").0.expect("the first is whole").state.step, 1);
    saved(folder.path(), 2);
    assert_eq!(newest(folder.path()).expect("readable").0.expect("the second is whole").state.step, 2);
    assert!(!part.exists());
}

#[test]
fn another_run_is_refused_by_name_of_the_first_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = Checkpoint::open(&saved(folder.path(), 1)).expect("it is whole");
    let run = |width| Identity::of(&run_table(width));
    checkpoint.belongs_to(&run(8), &[]).expect("it is the same run");
    let error = checkpoint.belongs_to(&run(16), &[]).expect_err("it is another").to_string();
    assert!(error.ends_with("made with family.width = 8, this run has 16"), "{error}");
    checkpoint.belongs_to(&run(16), &["family.width".into()]).expect("it may differ");
}

#[test]
fn a_network_of_another_shape_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = Checkpoint::open(&saved(folder.path(), 1)).expect("it is whole");
    let store = nn::VarStore::new(Device::Cpu);
    let _ = (&store.root() / "up1").zeros("weight", &[2, 4]);
    let error = checkpoint.load("generator", &store).expect_err("the shape is another").to_string();
    assert!(error.ends_with("generator.up1.weight is F32 [2, 3], expected F32 [2, 4]"), "{error}");
    assert!(checkpoint.load("discriminator", &store).is_err());
    assert!(checkpoint.has_average("generator").expect("readable"));
    assert!(!checkpoint.has_average("discriminator").expect("readable"));
}

#[test]
fn only_the_newest_are_kept_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    for step in [1, 2, 10, 100] {
        saved(folder.path(), step);
    }
    keep(folder.path(), Keep::default()).expect("nothing to do");
    keep(folder.path(), Keep { newest: 2, ..Keep::default() }).expect("they can go");
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["step-0000010", "step-0000100"]);
}

#[test]
fn the_way_back_is_kept_and_is_the_newest_whole_one_on_schedule() {
    let folder = tempfile::tempdir().expect("a folder");
    for step in [0, 4, 8, 9, 10] {
        saved(folder.path(), step);
    }
    let back = || newest_scheduled(folder.path(), 4).expect("readable").0.map(|checkpoint| checkpoint.state.step);
    assert_eq!(back(), Some(8));
    keep(folder.path(), Keep { newest: 2, way_back: Some(4), ..Keep::default() }).expect("they can go");
    let steps: Vec<u64> = all(folder.path()).expect("readable").map(|(_, c)| c.expect("whole").state.step).collect();
    assert_eq!(steps, [10, 9, 8]);
    saved(folder.path(), 4);
    fs::write(folder.path().join("step-0000008/state.toml"), "step = 8").expect("the disk has room");
    assert_eq!(back(), Some(4), "a damaged one is passed over");
    fs::remove_dir_all(folder.path().join("step-0000004")).expect("it can go");
    assert_eq!(back(), None);
}

#[test]
fn the_best_and_those_of_every_so_many_steps_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(best(folder.path()).expect("readable").is_none());
    for (step, error) in [(10, 0.5), (20, 0.1), (30, f64::NAN), (40, 0.1), (50, 0.3), (60, 0.2)] {
        measured(folder.path(), step, error);
    }
    saved(folder.path(), 70);
    let best_step = || best(folder.path()).expect("readable").map(|checkpoint| checkpoint.state.step);
    assert_eq!(best_step(), Some(40), "the newest of equals, and no number is no good");
    keep(folder.path(), Keep { newest: 1, every: 30, ..Keep::default() }).expect("they can go");
    let steps: Vec<u64> = all(folder.path()).expect("readable").map(|(_, c)| c.expect("whole").state.step).collect();
    assert_eq!(steps, [70, 60, 40, 30]);
    let networks = folder.path().join("step-0000040/model.safetensors");
    let bytes = fs::read(&networks).expect("it is there");
    fs::remove_file(&networks).expect("it can go");
    keep(folder.path(), Keep { newest: 1, every: 30, ..Keep::default() }).expect("nothing to do");
    assert!(networks.parent().expect("a folder").exists(), "which is the best is read out of its state alone");
    fs::write(&networks, bytes).expect("the disk has room");
    fs::write(folder.path().join("step-0000040/state.toml"), "step = 40").expect("the disk has room");
    assert_eq!(best_step(), Some(60), "a damaged one is not the best");
}
