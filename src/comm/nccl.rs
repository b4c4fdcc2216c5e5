//! Sums over the GPUs of all ranks without a detour through the host: NCCL, found at run time, started over whatever
//! joins the ranks already.
//!
//! Only what is used is declared, with the signatures of `nccl.h` (2.x) and `cuda_runtime_api.h`. NCCL adds in an order
//! of its own, so the bits of a sum depend on the number of ranks, which those of the tree do not.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tch::{Device, Kind, Tensor};

use super::{Communicator, DeviceSum, agree};
use crate::exit::{Ends, Exit};
use crate::machine;

/// Ranks joined by NCCL, each with a GPU of its own.
pub struct Nccl {
    library: Functions,
    joined: *mut c_void,
    device: usize,
    ranks: usize,
}

/// Why a rank cannot take part.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(String);

impl Ends for Fault {
    fn exit(&self) -> Exit {
        Exit::Hardware
    }
}

/// How long the first sums may take before they are given up: connections are made on the way.
const PATIENCE: Duration = Duration::from_mins(2);

impl Nccl {
    /// Joins the ranks of `comm`, each of which uses GPU `device`, and tries it out. All ranks get the same answer, or
    /// one line each that says why there is none.
    pub fn start(comm: &dyn Communicator, device: usize) -> Result<Self, String> {
        let together = |result: Result<Self, Fault>| agree(comm, result).map_err(|fault| fault.to_string());
        let at_hand = Functions::load().and_then(|library| {
            library.set_device(device)?;
            let place = library.bus(device)?;
            Ok((library, place))
        });
        // Whoever is not ready must say so before the others wait for it inside NCCL.
        let (library, place) = agree(comm, at_hand).map_err(|fault| fault.to_string())?;
        let places = comm.gather(format!("{}\0{place}", machine::host()).as_bytes());
        if let Some((one, other)) = twins(&places) {
            return Err(format!("ranks {one} and {other} share a GPU, expected one each for NCCL"));
        }
        let drawn = if comm.rank() == 0 { library.unique_id() } else { Ok(UniqueId([0; UniqueId::BYTES])) };
        let drawn = agree(comm, drawn).map_err(|fault| fault.to_string())?;
        let id = UniqueId::read(&comm.broadcast(&drawn.bytes()));
        let joined = library.join(comm.ranks(), id, comm.rank());
        let nccl = together(joined.map(|joined| Self { library, joined, device, ranks: comm.ranks() }))?;
        let tried = [2, 1 << 20].into_iter().try_for_each(|count| nccl.try_out(comm.rank(), count));
        together(tried.map(|()| nccl))
    }

    /// Which NCCL it is: 22304 for 2.23.4.
    pub fn version(&self) -> i32 {
        self.library.version
    }

    fn sum(&self, values: &mut Tensor, patience: Option<Duration>) -> Result<(), Fault> {
        let fits =
            values.device() == Device::Cuda(self.device) && values.kind() == Kind::Float && values.is_contiguous();
        assert!(fits, "what NCCL sums is flat f32 on the rank's own GPU");
        self.library.set_device(self.device)?;
        self.library.all_reduce(values, self.joined)?;
        self.wait(patience)
    }

    /// Waits for the default stream, which is the one libtorch works on, and meanwhile listens for ranks that are gone.
    fn wait(&self, patience: Option<Duration>) -> Result<(), Fault> {
        let begun = Instant::now();
        while !self.library.stream_is_idle()? {
            self.library.health(self.joined)?;
            if patience.is_some_and(|patience| begun.elapsed() > patience) {
                return Err(Fault(format!("no sum after {} s", begun.elapsed().as_secs())));
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        Ok(())
    }

    /// Sums `count` known numbers.
    fn try_out(&self, rank: usize, count: i64) -> Result<(), Fault> {
        let torch = |error: tch::TchError| Fault(first_line(&error.to_string()));
        let ramp = Tensor::f_arange(count, (Kind::Float, Device::Cuda(self.device))).map_err(torch)?;
        let ramp = ramp.f_remainder(7.0).map_err(torch)?; // small whole numbers: sums are exact in any order
        let mut values = ramp.f_add_scalar(rank as f64).map_err(torch)?;
        self.sum(&mut values, Some(PATIENCE))?;
        let ranks = self.ranks as f64;
        let expected = ramp.f_mul_scalar(ranks).and_then(|sum| sum.f_add_scalar(ranks * (ranks - 1.0) / 2.0));
        if values.f_equal(&expected.map_err(torch)?).map_err(torch)? {
            Ok(())
        } else {
            Err(Fault(format!("a sum of {count} known numbers came out wrong")))
        }
    }
}

impl DeviceSum for Nccl {
    fn all_reduce(&self, values: &mut Tensor) -> Result<(), String> {
        self.sum(values, None).map_err(|fault| format!("NCCL: {fault}"))
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        // Not `destroy`, which waits for the other ranks: they may be gone.
        self.library.abort(self.joined);
    }
}

/// The first two ranks whose GPU is the same.
fn twins(places: &[Vec<u8>]) -> Option<(usize, usize)> {
    let pairs = (0..places.len()).flat_map(|other| (0..other).map(move |one| (one, other)));
    pairs.into_iter().find(|(one, other)| places[*one] == places[*other])
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What ranks recognise each other by; passed to NCCL by value.
#[repr(C)]
#[derive(Clone, Copy)]
struct UniqueId([c_char; UniqueId::BYTES]);

impl UniqueId {
    const BYTES: usize = 128;

    fn bytes(&self) -> [u8; Self::BYTES] {
        self.0.map(|byte| byte as u8)
    }

    fn read(bytes: &[u8]) -> Self {
        let mut id = Self([0; Self::BYTES]);
        for (slot, byte) in id.0.iter_mut().zip(bytes) {
            *slot = *byte as c_char;
        }
        id
    }
}

type Joined = *mut c_void;
type Stream = *mut c_void;

/// The default stream.
const DEFAULT: Stream = null_mut();
const FLOAT: c_int = 7; // ncclFloat32
const SUM: c_int = 0; // ncclSum
const NOT_READY: c_int = 600; // cudaErrorNotReady
const IN_PROGRESS: c_int = 7; // ncclInProgress

/// The few functions that are used, out of libraries that stay loaded as long as this does.
struct Functions {
    version: i32,
    get_unique_id: unsafe extern "C" fn(*mut UniqueId) -> c_int,
    comm_init_rank: unsafe extern "C" fn(*mut Joined, c_int, UniqueId, c_int) -> c_int,
    comm_abort: unsafe extern "C" fn(Joined) -> c_int,
    comm_get_async_error: unsafe extern "C" fn(Joined, *mut c_int) -> c_int,
    all_reduce: unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, c_int, Joined, Stream) -> c_int,
    get_error_string: unsafe extern "C" fn(c_int) -> *const c_char,
    cuda_set_device: unsafe extern "C" fn(c_int) -> c_int,
    cuda_stream_query: unsafe extern "C" fn(Stream) -> c_int,
    cuda_get_error_string: unsafe extern "C" fn(c_int) -> *const c_char,
    cuda_device_get_pci_bus_id: unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int,
    _libraries: [Library; 2],
}

#[expect(unsafe_code, reason = "NCCL and the CUDA runtime are C libraries")]
impl Functions {
    fn load() -> Result<Self, Fault> {
        // By name alone: libtorch's CUDA half has loaded both, and the loader gives what is there already. One process
        // must not have two of either.
        let nccl = open(&["libnccl.so.2"])?;
        let cuda = open(&["libcudart.so.13", "libcudart.so.12"])?;
        // SAFETY: the types are those of the headers, and `Functions` keeps both libraries loaded.
        unsafe {
            let get_version: unsafe extern "C" fn(*mut c_int) -> c_int = *symbol(&nccl, c"ncclGetVersion")?;
            let mut version = 0;
            if get_version(&raw mut version) != 0 {
                return Err(Fault("NCCL does not say its version".into()));
            }
            Ok(Self {
                version,
                get_unique_id: *symbol(&nccl, c"ncclGetUniqueId")?,
                comm_init_rank: *symbol(&nccl, c"ncclCommInitRank")?,
                comm_abort: *symbol(&nccl, c"ncclCommAbort")?,
                comm_get_async_error: *symbol(&nccl, c"ncclCommGetAsyncError")?,
                all_reduce: *symbol(&nccl, c"ncclAllReduce")?,
                get_error_string: *symbol(&nccl, c"ncclGetErrorString")?,
                cuda_set_device: *symbol(&cuda, c"cudaSetDevice")?,
                cuda_stream_query: *symbol(&cuda, c"cudaStreamQuery")?,
                cuda_get_error_string: *symbol(&cuda, c"cudaGetErrorString")?,
                cuda_device_get_pci_bus_id: *symbol(&cuda, c"cudaDeviceGetPCIBusId")?,
                _libraries: [nccl, cuda],
            })
        }
    }

    fn nccl(&self, what: &str, code: c_int) -> Result<(), Fault> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: NCCL answers any code with a text that is never freed.
        let text = unsafe { CStr::from_ptr((self.get_error_string)(code)) };
        Err(Fault(format!("{what}: {}", first_line(&text.to_string_lossy()))))
    }

    fn cuda(&self, what: &str, code: c_int) -> Result<(), Fault> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: CUDA answers any code with a text that is never freed.
        let text = unsafe { CStr::from_ptr((self.cuda_get_error_string)(code)) };
        Err(Fault(format!("{what}: {}", first_line(&text.to_string_lossy()))))
    }

    fn set_device(&self, device: usize) -> Result<(), Fault> {
        // SAFETY: a plain number goes in.
        self.cuda("cudaSetDevice", unsafe { (self.cuda_set_device)(device as c_int) })
    }

    /// The GPU's place in this machine, the same whatever a process sees of it.
    fn bus(&self, device: usize) -> Result<String, Fault> {
        let mut text = [0 as c_char; 64];
        // SAFETY: the length that is passed is that of `text`, and what comes back ends with a zero.
        let code = unsafe { (self.cuda_device_get_pci_bus_id)(text.as_mut_ptr(), 64, device as c_int) };
        self.cuda("cudaDeviceGetPCIBusId", code)?;
        Ok(text.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte as u8)).collect())
    }

    fn unique_id(&self) -> Result<UniqueId, Fault> {
        let mut id = UniqueId([0; UniqueId::BYTES]);
        // SAFETY: `id` has the size that NCCL writes.
        self.nccl("ncclGetUniqueId", unsafe { (self.get_unique_id)(&raw mut id) })?;
        Ok(id)
    }

    /// Waits for all ranks.
    fn join(&self, ranks: usize, id: UniqueId, rank: usize) -> Result<Joined, Fault> {
        let mut joined = null_mut();
        // SAFETY: every rank comes here with the same id and its own number, its device set.
        let code = unsafe { (self.comm_init_rank)(&raw mut joined, ranks as c_int, id, rank as c_int) };
        self.nccl("ncclCommInitRank", code)?;
        Ok(joined)
    }

    fn all_reduce(&self, values: &mut Tensor, joined: Joined) -> Result<(), Fault> {
        let at = values.data_ptr();
        // SAFETY: `values` is contiguous f32 on this rank's GPU and is borrowed until the stream is idle.
        let code = unsafe { (self.all_reduce)(at, at, values.numel(), FLOAT, SUM, joined, DEFAULT) };
        self.nccl("ncclAllReduce", code)
    }

    fn stream_is_idle(&self) -> Result<bool, Fault> {
        // SAFETY: the default stream is always there.
        match unsafe { (self.cuda_stream_query)(DEFAULT) } {
            NOT_READY => Ok(false),
            code => self.cuda("cudaStreamQuery", code).map(|()| true),
        }
    }

    fn health(&self, joined: Joined) -> Result<(), Fault> {
        let mut code = 0;
        // SAFETY: `joined` came from `join` and was not given up.
        self.nccl("ncclCommGetAsyncError", unsafe { (self.comm_get_async_error)(joined, &raw mut code) })?;
        if code == IN_PROGRESS { Ok(()) } else { self.nccl("NCCL", code) }
    }

    fn abort(&self, joined: Joined) {
        // SAFETY: `joined` came from `join` and nobody uses it afterwards.
        let _ = unsafe { (self.comm_abort)(joined) };
    }
}

/// The first of `names` that can be loaded; else why the first cannot.
#[expect(unsafe_code, reason = "the loader runs the library's own start")]
fn open(names: &[&str]) -> Result<Library, Fault> {
    // SAFETY: NVIDIA's libraries are made to be loaded into a running process.
    let load = |name: &&str| unsafe { Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) };
    let mut fault = None;
    for name in names {
        match load(name) {
            Ok(library) => return Ok(library),
            Err(error) => fault = fault.or_else(|| Some(Fault(first_line(&error.to_string())))),
        }
    }
    Err(fault.expect("there is a name to try"))
}

/// # Safety
/// `T` must be the type that the headers give to `name`.
#[expect(unsafe_code, reason = "a symbol has no type")]
unsafe fn symbol<T>(library: &Library, name: &CStr) -> Result<libloading::os::unix::Symbol<T>, Fault> {
    // SAFETY: the caller's promise.
    unsafe { library.get(name.to_bytes_with_nul()) }.map_err(|error| Fault(first_line(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::Threads;
    use crate::device;

    #[test]
    fn without_nccl_every_rank_gets_the_same_kind_of_no_in_one_line() {
        let answers = Threads::run(2, |comm| Nccl::start(comm, comm.rank()).map(|nccl| nccl.version()));
        if answers.iter().all(Result::is_ok) {
            eprintln!("skipped: NCCL {answers:?} works here");
            return;
        }
        for answer in answers {
            let reason = answer.expect_err("ranks fall back together");
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
    }

    #[test]
    fn a_single_gpu_sums_to_itself() {
        if let Err(reason) =
            device::choose(device::Choice::Cuda, device::Here { rank: 0, ranks: 1, lists_differ: false }, false)
        {
            eprintln!("skipped: {reason}");
            return;
        }
        let nccl = Nccl::start(&crate::comm::Solo, 0).expect("NCCL came with libtorch's CUDA half");
        let mut values = Tensor::from_slice(&[1.0_f32, 2.0, 3.0]).to_device(Device::Cuda(0));
        nccl.all_reduce(&mut values).expect("a sum");
        assert_eq!(Vec::<f32>::try_from(&values).expect("numbers"), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn two_ranks_on_one_gpu_are_noticed() {
        let places = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(twins(&places(&["a:0", "a:1", "b:0", "b:1"])), None);
        assert_eq!(twins(&places(&["a:0", "a:1", "b:0", "a:1"])), Some((1, 3)));
    }
}
