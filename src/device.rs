//! On which device a rank works, and libtorch's CUDA half, which is loaded at run time where it is wanted.
//!
//! The program is linked with the CPU half alone. `libtorch_cuda.so` must come in before libtorch is first asked about
//! CUDA, since the answer is kept for good: nobody but this file asks.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Cuda, Device};

use crate::exit::{Ends, Exit};
pub use crate::kernels::{is_deterministic, set_deterministic};

/// Kind of device that a run asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A GPU for each rank where the machine has an NVIDIA driver, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU for each rank; where there is none, the run is refused.
    Cuda,
}

/// What a rank got, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where it works.
    pub device: Device,
    /// One line for the log.
    pub reason: String,
}

/// Why a rank has no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No driver.
    #[error("this machine has no NVIDIA driver, expected one for device = \"cuda\"")]
    NoDriver,
    /// No CUDA half of libtorch.
    #[error(
        "libtorch's CUDA libraries cannot be loaded ({0}), expected them from scripts/setup --cuda or in SKYFORGE_CUDA"
    )]
    NoLibrary(String),
    /// Nothing to work on.
    #[error("there is a driver but no GPU that this rank may use, expected at least one for device = \"cuda\"")]
    NoDevice,
    /// Some ranks have a GPU and some have not.
    #[error(
        "rank {rank} works on {there}, rank 0 on {here}: expected the same kind of device for all, or device = \"cpu\""
    )]
    Unlike {
        /// The first that is unlike rank 0.
        rank: usize,
        /// What it has.
        there: &'static str,
        /// What rank 0 has.
        here: &'static str,
    },
    /// Ranks would get into each other's way.
    #[error(
        "{ranks} ranks on this machine and {devices} visible GPU(s), expected one each: start fewer ranks, ask the \
         queue for one GPU a rank, or set trainer.share_gpu = true"
    )]
    TooFew {
        /// Ranks on this machine.
        ranks: usize,
        /// GPUs that this rank sees.
        devices: usize,
    },
}

impl Ends for DeviceError {
    fn exit(&self) -> Exit {
        match self {
            DeviceError::NoDriver | DeviceError::NoLibrary(_) | DeviceError::NoDevice | DeviceError::Unlike { .. } => {
                Exit::Hardware
            }
            DeviceError::TooFew { .. } => Exit::Usage,
        }
    }
}

/// Whether all ranks got the same kind of device.
pub fn alike(on_gpu: &[bool]) -> Result<(), DeviceError> {
    let name = |on_gpu: bool| if on_gpu { "a GPU" } else { "the CPU" };
    match on_gpu.iter().position(|there| *there != on_gpu[0]) {
        Some(rank) => Err(DeviceError::Unlike { rank, there: name(on_gpu[rank]), here: name(on_gpu[0]) }),
        None => Ok(()),
    }
}

/// A rank among those of its machine.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    /// Which of them it is.
    pub rank: usize,
    /// How many there are.
    pub ranks: usize,
    /// Whether no two of them see the same list of GPUs.
    pub lists_differ: bool,
}

/// The GPUs that this rank is told to see, by its environment.
pub fn visible_list() -> String {
    std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default()
}

/// The device of a rank. `share` lets ranks share GPUs. Convolutions on GPUs give the same bits each time from then on, unless
/// `set_deterministic` lifts that.
pub fn choose(choice: Choice, here: Here, share: bool) -> Result<Chosen, DeviceError> {
    set_deterministic(true);
    let cpu = |reason: String| Ok(Chosen { device: Device::Cpu, reason });
    match choice {
        Choice::Cpu => return cpu("the CPU, as asked for".into()),
        Choice::Auto if !has_driver() => return cpu("the CPU: this machine has no NVIDIA driver".into()),
        Choice::Cuda if !has_driver() => return Err(DeviceError::NoDriver),
        Choice::Auto | Choice::Cuda => {}
    }
    let library = match (choice, load_cuda()) {
        (_, Ok(library)) => library,
        (Choice::Cuda, Err(fault)) => return Err(DeviceError::NoLibrary(fault)),
        (Choice::Auto | Choice::Cpu, Err(fault)) => {
            return cpu(format!("the CPU: there is a driver, but no CUDA half of libtorch ({fault})"));
        }
    };
    let visible = usize::try_from(Cuda::device_count()).unwrap_or(0);
    let bound = here.lists_differ || is_bound(|name| std::env::var(name).ok());
    match place(visible, bound, here.rank, here.ranks, share) {
        Ok(Place { index, note }) => {
            let reason = format!("GPU {index} of {visible} visible{note}, with {library}");
            Ok(Chosen { device: Device::Cuda(index), reason })
        }
        Err(DeviceError::NoDevice) if choice == Choice::Auto => cpu("the CPU: a driver, but no GPU to be seen".into()),
        Err(error) => Err(error),
    }
}

/// One of the visible GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    /// What should be said aloud.
    note: &'static str,
}

/// Which of `visible` GPUs rank `rank_here` of `ranks_here` takes. `bound`: the launcher gave this rank its own.
fn place(visible: usize, bound: bool, rank_here: usize, ranks_here: usize, share: bool) -> Result<Place, DeviceError> {
    match visible {
        0 => Err(DeviceError::NoDevice),
        _ if ranks_here <= visible => Ok(Place { index: rank_here, note: "" }),
        1 if bound => Ok(Place { index: 0, note: " (this rank's own, so GPUs may not reach each other directly)" }),
        _ if share => Ok(Place { index: rank_here % visible, note: " (shared with other ranks)" }),
        _ => Err(DeviceError::TooFew { ranks: ranks_here, devices: visible }),
    }
}

/// Whether the launcher says that each rank has GPUs of its own. One visible GPU alone says nothing: all ranks of a job
/// may see the same one.
fn is_bound(environment: impl Fn(&str) -> Option<String>) -> bool {
    let by_task = ["SLURM_GPUS_PER_TASK", "SLURM_TRES_PER_TASK"].iter().any(|name| environment(name).is_some());
    let by_bind = environment("SLURM_GPU_BIND").is_some_and(|bind| !bind.contains("none"));
    by_task || by_bind
}

/// Whether there is an NVIDIA driver.
fn has_driver() -> bool {
    Path::new("/proc/driver/nvidia/version").exists() || open("libcuda.so.1").is_ok()
}

/// Loads libtorch's CUDA half, once a process, and says which file it was.
///
/// It is looked for in the folder `SKYFORGE_CUDA` (itself, or the root of a wheel's tree), where `scripts/setup --cuda`
/// puts it, beside the CPU half, and by the loader.
pub fn load_cuda() -> Result<String, String> {
    static LOADED: OnceLock<Result<String, String>> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            let named = std::env::var_os("SKYFORGE_CUDA").map(PathBuf::from);
            load_first(&candidates(named.as_deref(), folder_of_cpu_half().as_deref()))
        })
        .clone()
}

const LIBRARY: &str = "libtorch_cuda.so";

/// Where the CUDA half may be, best first. Its companions are found by their places relative to it.
fn candidates(named: Option<&Path>, cpu_half: Option<&Path>) -> Vec<PathBuf> {
    let named = named.into_iter().flat_map(|folder| [folder.join(LIBRARY), folder.join("torch/lib").join(LIBRARY)]);
    let beside = cpu_half.into_iter().flat_map(|folder| {
        let set_up = folder.parent().map(|root| root.join("cuda/torch/lib").join(LIBRARY));
        set_up.into_iter().chain([folder.join(LIBRARY)])
    });
    let mut files: Vec<PathBuf> = named.chain(beside).filter(|file| file.is_file()).collect();
    files.push(LIBRARY.into());
    files
}

/// Loads the first of `files` that can be loaded; else says why the last could not, or the first that is there.
fn load_first(files: &[PathBuf]) -> Result<String, String> {
    let mut faults = Vec::new();
    for file in files {
        match open(file) {
            Ok(library) => {
                std::mem::forget(library); // libtorch keeps pointers into it
                return Ok(file.display().to_string());
            }
            Err(fault) => faults.push(fault),
        }
    }
    Err(faults.into_iter().next().expect("the loader's own path is always tried"))
}

/// Loads a library for everybody in the process, or says in one line why not.
#[expect(unsafe_code, reason = "the loader runs the library's own start")]
fn open(file: impl AsRef<std::ffi::OsStr>) -> Result<Library, String> {
    // SAFETY: these are NVIDIA's driver and libtorch's own libraries, made to be loaded into a running process.
    let opened = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_GLOBAL) };
    opened.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The folder from which the CPU half came into this process.
fn folder_of_cpu_half() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    Path::new(&line[line.find('/')?..]).parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every count of GPUs and ranks up to 5, bound or not, shared or not.
    #[test]
    fn a_rank_gets_a_gpu_of_its_own_or_is_told_why_not() {
        let cases = (0..6).flat_map(|visible| (1..6).map(move |ranks| (visible, ranks)));
        for (visible, ranks) in cases {
            for (bound, share) in [(false, false), (false, true), (true, false), (true, true)] {
                let places: Vec<_> = (0..ranks).map(|rank| place(visible, bound, rank, ranks, share)).collect();
                let all = |expected: fn(usize, usize) -> usize, note: &str| {
                    let placed: Vec<_> = places.iter().map(|place| place.clone().expect("there is room")).collect();
                    for (rank, place) in placed.iter().enumerate() {
                        assert_eq!(place.index, expected(rank, visible));
                        assert!(
                            place.index < visible
                                && place.note.contains(note)
                                && place.note.is_empty() == note.is_empty()
                        );
                    }
                };
                if visible == 0 {
                    assert!(places.iter().all(|place| *place == Err(DeviceError::NoDevice)));
                } else if ranks <= visible {
                    all(|rank, _| rank, "");
                } else if visible == 1 && bound {
                    all(|_, _| 0, "own");
                } else if share {
                    all(|rank, visible| rank % visible, "shared");
                } else {
                    let refused = Err(DeviceError::TooFew { ranks, devices: visible });
                    assert!(places.iter().all(|place| *place == refused), "{ranks} ranks, {visible} GPUs");
                }
            }
        }
    }

    #[test]
    fn whoever_gets_a_device_gets_deterministic_convolutions() {
        set_deterministic(false);
        assert!(!is_deterministic());
        choose(Choice::Cpu, Here { rank: 0, ranks: 1, lists_differ: false }, false).expect("there is a CPU");
        assert!(is_deterministic());
    }

    #[test]
    fn a_rank_on_another_kind_of_device_is_named() {
        assert_eq!(alike(&[true]), Ok(()));
        assert_eq!(alike(&[false; 3]), Ok(()));
        assert!(
            alike(&[true, true, false, true]).expect_err("one is unlike").to_string().starts_with("rank 2 works on")
        );
    }

    #[test]
    fn a_launcher_says_in_its_own_way_that_a_gpu_is_a_ranks_own() {
        for (variables, bound) in [
            (vec![], false),
            (vec![("CUDA_VISIBLE_DEVICES", "3")], false),
            (vec![("SLURM_GPUS_PER_TASK", "1")], true),
            (vec![("SLURM_TRES_PER_TASK", "gres/gpu:1")], true),
            (vec![("SLURM_GPU_BIND", "none")], false),
            (vec![("SLURM_GPU_BIND", "single:1")], true),
        ] {
            let of = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(is_bound(of), bound, "{variables:?}");
        }
    }

    #[test]
    fn the_cuda_half_is_looked_for_where_it_is_named_then_where_set_up_puts_it_then_by_the_loader() {
        let root = tempfile::tempdir().expect("a folder");
        let wheel = root.path().join("wheel");
        let libtorch = root.path().join("libtorch");
        let places = [wheel.join("torch/lib"), libtorch.join("cuda/torch/lib"), libtorch.join("lib")];
        for place in &places {
            std::fs::create_dir_all(place).expect("room");
        }
        let look = |named: Option<&Path>| candidates(named, Some(&places[2]));
        assert_eq!(look(Some(&wheel)), [PathBuf::from(LIBRARY)], "what is not there is not tried");
        for place in &places {
            std::fs::write(place.join(LIBRARY), "").expect("room");
        }
        let mut expected: Vec<PathBuf> = places.iter().map(|place| place.join(LIBRARY)).collect();
        expected.push(LIBRARY.into());
        assert_eq!(look(Some(&wheel)), expected);
        assert_eq!(look(Some(&places[0])), expected);
        assert_eq!(look(None), expected[1..]);
        assert!(load_first(&expected).expect_err("an empty file is no library").contains("wheel"));
    }

    #[test]
    fn the_cpu_half_is_found_in_this_process() {
        tch::set_num_threads(1); // asks libtorch for something, so that it is linked
        let folder = folder_of_cpu_half().expect("tests run on Linux");
        assert!(folder.join("libtorch_cpu.so").is_file());
    }

    #[test]
    fn without_a_driver_the_cpu_is_taken_unless_a_gpu_was_asked_for() {
        if has_driver() {
            eprintln!("skipped: this machine has an NVIDIA driver");
            return;
        }
        assert_eq!(
            choose(Choice::Auto, Here { rank: 0, ranks: 4, lists_differ: false }, false).expect("the CPU").device,
            Device::Cpu
        );
        assert_eq!(
            choose(Choice::Cuda, Here { rank: 0, ranks: 1, lists_differ: false }, false),
            Err(DeviceError::NoDriver)
        );
        assert_eq!(DeviceError::NoDriver.exit(), Exit::Hardware);
    }

    #[test]
    fn with_a_driver_and_the_library_each_rank_has_a_gpu() {
        if !has_driver() || load_cuda().is_err() {
            eprintln!("skipped: this machine has no NVIDIA driver or no CUDA half of libtorch");
            return;
        }
        let chosen = choose(Choice::Cuda, Here { rank: 0, ranks: 1, lists_differ: false }, false).expect("a GPU");
        assert_eq!(chosen.device, Device::Cuda(0), "{}", chosen.reason);
        let sum = tch::Tensor::ones([1000], (tch::Kind::Float, chosen.device)).sum(tch::Kind::Float);
        assert_eq!(sum.double_value(&[]), 1000.0);
    }
}
