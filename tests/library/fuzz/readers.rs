use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Once};
use std::thread;

use proptest::prelude::*;
use rustix::process::{Resource, Rlimit, setrlimit};
use skyforge::atmosphere::named_grid;
use skyforge::checkpoint::{Checkpoint, NetworkRecord, NetworkSlots, State, save};
use skyforge::config::RunConfig;
use skyforge::data::{
    Bands, BatchPlan, Channel, DataError, Dataset, DatasetWriter, Field, Header, Label, Loader, LoaderSettings,
    Modality, SpectralAxis, Transform, split,
};
use skyforge::ingest::spectra::{DepthUnit, Grid, Object, Reading, WavelengthUnit};
use skyforge::optim::{Adam, AdamSettings, Buffer, FlatSpace, Home};
use skyforge::train::metrics::{self, MetricsLog};
use skyforge::train::outcome::{Outcome, Status};
use tch::{Device, Tensor, nn};
use xxhash_rust::xxh3::xxh3_64;

use crate::fuzz::mutation::{Change, changed, changes};

/// Cases of every day.
const CASES: u32 = 300;
/// Cases of the long tests.
const MANY: u32 = 5_000;
/// What a reader may ask for beyond what the program has when it starts.
const MEMORY: u64 = 512 << 20;

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig {
        fork: true,
        timeout: 60_000,
        max_shrink_time: 120_000, // a reader that hangs takes a minute each time
        failure_persistence: None,
        cases,
        ..ProptestConfig::default()
    }
}

/// Takes the memory from this process, once. A reader that asks for more ends it, and so its law.
fn with_little_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let pages = fs::read_to_string("/proc/self/statm").expect("it says how large it is");
        let pages: u64 = pages.split(' ').next().expect("a word").parse().expect("a number of pages");
        let limit = Some(4096 * pages + MEMORY);
        setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).expect("less is always granted");
        assert!(Vec::<u8>::new().try_reserve_exact(2 * MEMORY as usize).is_err(), "the limit holds");
    });
}

/// A folder with real files in it, one of which is changed.
struct Real {
    folder: PathBuf,
}

impl Real {
    fn new(make: impl FnOnce(&Path)) -> Self {
        // Named for the law: nothing is dropped in a process that may die, so the next one tidies up.
        let law = thread::current().name().unwrap_or_default().replace("::", "-");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{law}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the disk has room");
        make(&folder);
        with_little_memory();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads while the file `name` is changed; what is said in the end is one line that has one of `words`.
    fn read_changed<T, E: Display>(
        &self,
        name: &str,
        changes: &[Change],
        words: &[&str],
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<(), TestCaseError> {
        let bytes = fs::read(self.path(name)).expect("it is there");
        fs::write(self.path(name), changed(&bytes, changes)).expect("the disk has room");
        let outcome = read();
        fs::write(self.path(name), bytes).expect("the disk has room");
        if let Err(error) = outcome {
            let line = error.to_string();
            prop_assert!(!line.contains('\n') && !line.ends_with('.'), "one line: {line:?}");
            prop_assert!(words.iter().any(|word| line.contains(word)), "it names the place: {line}");
        }
        Ok(())
    }
}

/// A dataset of several shards with three modalities, of which a record may lack one, and labels of both kinds.
fn dataset(folder: &Path) {
    let count = 70;
    let field = Field { side_deg: 1.0, pixel_arcmin: 60.0 / 64.0 };
    let axis = SpectralAxis { channels: vec![Channel::Depth], wavelength_um: vec![1.0, 1.1, 1.2] };
    let spectra = Modality::spectra(axis);
    let bands = Bands { names: vec!["g".into(), "r".into()], pixel_arcsec: 0.4 };
    let cutouts = Modality { optional: true, ..Modality::cutouts(bands, [8, 8], "nJy", Transform::Identity {}) };
    let header = Header {
        count,
        modalities: vec![Modality::maps([1, 64, 64], "1", Transform::Identity {}, Some(field)), cutouts, spectra],
        labels: vec![Label::real("omega_m", "1"), Label::class("morphology", ["spiral", "elliptical"])],
        splits: split::by_shares(count, 0.1, 0.2),
        source: toml::toml! { made_by = "a test" },
    };
    let writer = DatasetWriter::create(folder, header).expect("a folder");
    let shard = |index| {
        writer.write_blocks::<DataError>(index, |_, rows| {
            rows.values[0].iter_mut().enumerate().for_each(|(at, value)| *value = at as f32);
            rows.labels.fill(1.0);
            rows.present[1] = 0;
            Ok(())
        })
    };
    let entries = (0..writer.shards()).map(|index| shard(index).expect("the disk has room")).collect();
    writer.finish(entries).expect("the disk has room");
}

fn read_dataset(folder: &Path) -> Result<(), DataError> {
    let dataset = Dataset::open(folder)?;
    dataset.verify()?;
    dataset.read(0, 0..1)?;
    dataset.read(1, 0..2)?;
    dataset.read_labels(0..1)?;
    let plan = BatchPlan { global: 8, microbatches: 1, mine: 0..1, seed: 1 };
    Loader::new(Arc::new(dataset), &LoaderSettings::default(), plan, 0)?.next().map(drop)
}

fn space() -> (nn::VarStore, FlatSpace) {
    let store = nn::VarStore::new(Device::Cpu);
    let _ = (&store.root() / "up1").var_copy("weight", &Tensor::from_slice(&[1.0_f32; 6]).view([2, 3]));
    let space = FlatSpace::bind_at(Home::Host, &store, 1);
    (store, space)
}

fn checkpoint(folder: &Path) {
    let (_store, space) = space();
    let adam = Adam::new(AdamSettings::default(), 6, Home::Host);
    let average = Buffer::of(&[9.0; 6], Home::Host);
    let record = NetworkRecord { name: "generator", space: &space, adam: &adam, average: Some((&average, &[])) };
    let run = toml::toml! { model = { width = 8 } };
    save(folder, State::new(1, 64, run), &[record]).expect("the disk has room");
}

/// CHECKSUMS that fit the files as they are, so that readers behind them are reached.
fn sign(folder: &Path) {
    let line = |name: &str| {
        let sum = xxh3_64(&fs::read(folder.join(name)).expect("it is there"));
        format!("XXH3_{sum:016x}  {name}\n")
    };
    let sums: String = ["model.safetensors", "optimizer.safetensors", "state.toml"].map(line).concat();
    fs::write(folder.join("CHECKSUMS"), sums).expect("the disk has room");
}

fn read_checkpoint(folder: &Path) -> Result<(), skyforge::checkpoint::CheckpointError> {
    let checkpoint = Checkpoint::open(folder)?;
    checkpoint.has_average("generator")?;
    let (store, mut space) = space();
    let mut adam = Adam::new(AdamSettings::default(), 6, Home::Host);
    let mut average = Buffer::zeros(6, Home::Host);
    checkpoint.restore(NetworkSlots {
        name: "generator",
        space: &mut space,
        adam: &mut adam,
        average: Some(&mut average),
    })?;
    checkpoint.load("generator", &store)
}

fn run_folder(folder: &Path) {
    let mut log = MetricsLog::open(&folder.join("metrics.jsonl"), None).expect("the disk has room");
    for step in 1..20 {
        log.append(step, 0.1 * step as f64, 64 * step, &[("loss", 1.0 / step as f64)]).expect("the disk has room");
    }
    let outcome = Outcome {
        status: Status::Stopped,
        exit_code: Some(75),
        step: 3,
        steps: 10,
        reason: "asked to stop".into(),
        checkpoint: "step-0000003".into(),
        checksum: "0123456789abcdef".into(),
        seconds: 1.5,
        samples_per_second: 128.0,
    };
    outcome.write(folder).expect("the disk has room");
}

/// One made for all cases of a process.
macro_rules! real {
    ($make:expr) => {{
        static REAL: LazyLock<Real> = LazyLock::new(|| Real::new($make));
        &*REAL
    }};
}

fn a_config(changes: &[Change]) -> Result<(), TestCaseError> {
    let real = real!(|folder| {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/debug_mass_maps.toml");
        fs::copy(config, folder.join("config.toml")).expect("it is there");
    });
    // What is wrong with a value is said with its key.
    real.read_changed("config.toml", changes, &["config.toml: ", "`"], || {
        RunConfig::load(&real.path("config.toml"), &[])
    })
}

/// A checksum in the last line of a manifest that fits the others as they are.
fn sign_manifest(folder: &Path) {
    let path = folder.join("manifest.toml");
    let mut bytes = fs::read(&path).expect("it is there");
    let end = bytes.iter().rposition(|&byte| byte == b'#').unwrap_or(bytes.len());
    bytes.truncate(end);
    let last = format!("# xxh3 of all lines above: {:016x}\n", xxh3_64(&bytes));
    bytes.extend(last.into_bytes());
    fs::write(path, bytes).expect("the disk has room");
}

fn a_manifest(changes: &[Change], signed: bool) -> Result<(), TestCaseError> {
    let real = real!(dataset);
    // What fits the manifest and not the files is said with the shard, or the record; a split that is gone with the folder.
    let words = ["manifest.toml", "shard-", "record ", " has no split "];
    real.read_changed("manifest.toml", changes, &words, || {
        if signed {
            sign_manifest(&real.folder);
        }
        read_dataset(&real.folder)
    })
}

fn a_shard(changes: &[Change]) -> Result<(), TestCaseError> {
    let real = real!(dataset);
    real.read_changed("shard-00001.h5", changes, &["shard-00001.h5"], || read_dataset(&real.folder))
}

fn a_checkpoint(changes: &[Change], file: usize, signed: bool) -> Result<(), TestCaseError> {
    let real = real!(checkpoint);
    let name = ["model.safetensors", "optimizer.safetensors", "state.toml", "CHECKSUMS"][file];
    let folder = real.path("step-0000001");
    let outcome = real.read_changed(&format!("step-0000001/{name}"), changes, &["step-0000001"], || {
        if signed && name != "CHECKSUMS" {
            sign(&folder);
        }
        read_checkpoint(&folder)
    });
    sign(&folder);
    outcome
}

fn metrics_of_a_run(changes: &[Change]) -> Result<(), TestCaseError> {
    let real = real!(run_folder);
    let path = real.path("metrics.jsonl");
    real.read_changed("metrics.jsonl", changes, &["metrics.jsonl: line "], || {
        let read = metrics::read(&path);
        MetricsLog::open(&path, Some(10)).expect("no line keeps a run from going on");
        assert!(metrics::read(&path).expect("all that stays can be read").len() < 20);
        read
    })
}

fn an_outcome(changes: &[Change]) -> Result<(), TestCaseError> {
    let real = real!(run_folder);
    real.read_changed("outcome.toml", changes, &[], || {
        let _ = Outcome::read(&real.folder); // there, or as good as not there
        Ok::<(), String>(())
    })
}

/// Stacks as other people write them: one after the other, in chunks, in the newest layout, and without a wish.
fn stacks(folder: &Path) {
    let values: Vec<f32> = (0..4 * 24 * 24).map(|x| x as f32).collect();
    let of = |name: &str| hdf5::File::create(folder.join(name)).expect("the disk has room");
    let put = |file: &hdf5::File, chunk: Option<[usize; 3]>, name: &str| {
        let builder = file.new_dataset::<f32>().shape([4, 24, 24]);
        let dataset = match chunk {
            None => builder.create(name),
            Some(chunk) => builder.chunk(chunk).shuffle().create(name),
        };
        dataset.and_then(|dataset| dataset.write_raw(&values)).expect("the disk has room");
    };
    put(&of(STACKS[0]), None, "kappa");
    put(&of(STACKS[1]), Some([1, 24, 24]), "kappa");
    put(&of(STACKS[2]), Some([3, 7, 24]), "kappa");
    let latest = hdf5::File::with_options().with_fapl(|access| access.libver_latest()).create(folder.join(STACKS[3]));
    let latest = latest.expect("the disk has room");
    put(&latest, Some([2, 8, 8]), "kappa");
    latest.create_group("deep").expect("the disk has room");
}

const STACKS: [&str; 4] = ["plain.h5", "maps.h5", "odd.h5", "latest.h5"];

fn a_stack(changes: &[Change], file: usize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    stacks(folder.path());
    ingest(changes, &folder.path().join(STACKS[file]), &["maps", "--side", "8"])
}

/// Spectra of three objects, in chunks, with units and what is known.
fn an_archive(changes: &[Change]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spectra.h5");
    {
        let file = hdf5::File::create(&path).expect("the disk has room");
        let put = |name: &str, shape: &[usize], value: &dyn Fn(f64) -> f64| {
            let values: Vec<f64> = (0..shape.iter().product::<usize>()).map(|at| value(at as f64)).collect();
            let chunk: Vec<usize> = shape.iter().map(|length| (*length).min(50)).collect();
            let dataset = file.new_dataset::<f64>().shape(shape.to_vec()).chunk(chunk).shuffle().create(name);
            dataset.and_then(|dataset| dataset.write_raw(&values).map(|()| dataset)).expect("the disk has room")
        };
        put("wavelength_um", &[60], &|at| 1.0 + 0.01 * at);
        put("depth", &[3, 60], &|at| 0.01 + 1e-5 * at);
        put("error", &[60], &|_| 1e-4);
        let words: Vec<hdf5::types::VarLenUnicode> =
            ["planet_mass_mjup", "temperature_K"].map(|name| name.parse().expect("text")).to_vec();
        let names = put("parameters", &[3, 2], &|at| 1.0 + at)
            .new_attr::<hdf5::types::VarLenUnicode>()
            .shape([2])
            .create("names");
        names.and_then(|names| names.write_raw(&words)).expect("the disk has room");
    }
    ingest(changes, &path, &["spectra", "--grid", "exogan", "--depth-unit", "fraction"])
}

/// The program itself ingests a file with these changes, since libhdf5 may die of it, with 8 GB at most.
fn ingest(changes: &[Change], path: &Path, what: &[&str]) -> Result<(), TestCaseError> {
    let out = path.with_file_name("out");
    let bytes = fs::read(path).expect("it is there");
    fs::write(path, changed(&bytes, changes)).expect("the disk has room");
    let script = format!("ulimit -v 8000000; exec {} ingest \"$@\"", env!("CARGO_BIN_EXE_skyforge"));
    let mut command = Command::new("timeout");
    command.args(["60", "sh", "-c", &script, "sh"]).args(what).arg(path).arg("--out").arg(out);
    let output = command.output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().last().unwrap_or_default();
    match output.status.code() {
        Some(0) => {}
        Some(65) => {
            prop_assert!(line.starts_with(&format!("error: {}: ", path.display())), "it names the file: {text}");
        }
        other => prop_assert!(false, "{other:?}: {text}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn a_changed_stack_is_ingested_or_named(changes in changes(), file in 0..STACKS.len()) {
        a_stack(&changes, file)?;
    }

    #[test]
    fn a_changed_archive_of_spectra_is_ingested_or_named(changes in changes()) {
        an_archive(&changes)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]
    #[test]
    #[ignore = "minutes long: hundreds of cases"]
    fn hundreds_of_changed_stacks_are_ingested_or_named(changes in changes(), file in 0..STACKS.len()) {
        a_stack(&changes, file)?;
    }

    #[test]
    #[ignore = "minutes long: hundreds of cases"]
    fn hundreds_of_changed_archives_of_spectra_are_ingested_or_named(changes in changes()) {
        an_archive(&changes)?;
    }
}

const SPECTRA: [&str; 4] = ["a.dat", "a.ecsv", "a.npz", "a.par"];

/// One spectrum as text with a parameter file, as ECSV and as NPZ.
fn spectra(folder: &Path) {
    let rows: Vec<[f64; 3]> = (0..60).map(|i| [1.0 + 0.01 * f64::from(i), 0.01 + 1e-5 * f64::from(i), 1e-4]).collect();
    let lines: Vec<String> = rows.iter().map(|[um, depth, error]| format!("{um} {depth} {error}\n")).collect();
    let lines = lines.concat();
    fs::write(folder.join(SPECTRA[0]), &lines).expect("the disk has room");
    let header = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: um, datatype: float64}\n\
                  # - {name: depth, unit: '', datatype: float64}\n# - {name: error, unit: '', datatype: float64}\n\
                  # meta: !!omap\n# - {key: &a [1, {two: 3}], other: *a}\n# schema: astropy-2.0\nwavelength depth error\n";
    fs::write(folder.join(SPECTRA[1]), format!("{header}{lines}")).expect("the disk has room");
    let mut archive = zip::ZipWriter::new(fs::File::create(folder.join(SPECTRA[2])).expect("the disk has room"));
    let mut member = |name: &str, descr: &str, shape: &str, data: &[u8]| {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        archive.start_file(format!("{name}.npy"), zip::write::FileOptions::default()).expect("the disk has room");
        let header = [b"\x93NUMPY\x01\x00\x76\x00", format!("{text:<117}\n").as_bytes()].concat();
        archive.write_all(&[&header, data].concat()).expect("the disk has room");
    };
    for (at, name) in ["wavelength_um", "depth_fraction", "error_fraction"].into_iter().enumerate() {
        let column: Vec<u8> = rows.iter().flat_map(|row| row[at].to_le_bytes()).collect();
        member(name, "<f8", "(60,)", &column);
    }
    member("params", "<f8", "(1, 2)", &[0_u8, 0, 0, 0, 0, 0, 0xf0, 0x3f].repeat(2));
    member("param_names", "|S16", "(2,)", b"planet_mass_mjuptemperature_K\0\0\0");
    archive.finish().expect("the disk has room");
    fs::write(
        folder.join(SPECTRA[3]),
        "[Planet]\nmass = 1.2\nradius = 0.9\n[Star]\nradius = 1\n[Atmosphere]\ntp_iso_temp = 1500\n\
         active_gases = H2O, CO\nactive_gases_mixratios = 1e-3, 1e-4\n",
    )
    .expect("the disk has room");
}

fn a_spectrum(changes: &[Change], file: usize, masks: bool) -> Result<(), TestCaseError> {
    let real = real!(spectra);
    let reading = Reading {
        wavelength_unit: Some(WavelengthUnit::Um),
        depth_unit: Some(DepthUnit::Fraction),
        errors: true,
        nan_is_masked: masks,
        ..Reading::default()
    };
    let grid = Grid::new(named_grid("exogan").expect("it has a name"));
    let path = real.path(SPECTRA[if file == 3 { 0 } else { file }]);
    real.read_changed(SPECTRA[file], changes, &["a.dat: ", "a.ecsv: ", "a.npz: ", "a.par: "], || {
        let object = Object::open(&[path], None, &reading, &grid, 0.5)?;
        object.read(0..object.count().min(8)).map(|found| {
            for (points, _) in found {
                assert!(points.depth.iter().all(|depth| depth.is_nan() || (0.0..1.0).contains(depth)), "{points:?}");
                assert!(points.errors.iter().flatten().all(|error| error.is_nan() || *error > 0.0), "{points:?}");
            }
        })
    })
}

macro_rules! laws {
    ($($name:ident, $long:ident: $law:expr;)*) => {
        proptest! {
            #![proptest_config(settings(CASES))]
            $(#[test] fn $name(changes in changes(), file in 0..4_usize, signed: bool) { $law(&changes, file, signed)?; })*
        }
        proptest! {
            #![proptest_config(settings(MANY))]
            $(#[test] #[ignore = "minutes long: thousands of cases"]
            fn $long(changes in changes(), file in 0..4_usize, signed: bool) { $law(&changes, file, signed)?; })*
        }
    };
}

laws! {
    a_changed_config_is_read_or_named, thousands_of_changed_configs_are_read_or_named:
        |changes: &[Change], _, _| a_config(changes);
    a_changed_manifest_is_read_or_named, thousands_of_changed_manifests_are_read_or_named:
        |changes: &[Change], _, signed| a_manifest(changes, signed);
    a_changed_shard_is_read_or_named, thousands_of_changed_shards_are_read_or_named:
        |changes: &[Change], _, _| a_shard(changes);
    a_changed_checkpoint_is_read_or_named, thousands_of_changed_checkpoints_are_read_or_named: a_checkpoint;
    changed_metrics_are_read_or_named, thousands_of_changed_metrics_are_read_or_named:
        |changes: &[Change], _, _| metrics_of_a_run(changes);
    a_changed_outcome_is_read_or_passed_over, thousands_of_changed_outcomes_are_read_or_passed_over:
        |changes: &[Change], _, _| an_outcome(changes);
    a_changed_spectrum_is_read_or_named, thousands_of_changed_spectra_are_read_or_named: a_spectrum;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, ..settings(1) })]
    #[test]
    #[should_panic(expected = "failed in other process")]
    fn a_reader_that_asks_for_giant_memory_breaks_its_law(_ in 0..1) {
        with_little_memory();
        std::hint::black_box(vec![1_u8; 2 * MEMORY as usize]);
    }
}
