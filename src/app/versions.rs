//! Versions of the program and of the libraries that it runs with: `skyforge --version`, `RUN/provenance.toml`.

use crate::comm;

/// Version of the program and its git revision, as results tell of it.
pub const PROGRAM: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("SKYFORGE_GIT_REVISION"));

/// Version of the program.
pub const SKYFORGE: &str = env!("CARGO_PKG_VERSION");

/// Git revision that the program was built from; it ends in `-dirty` where files differed from that revision.
pub const GIT_REVISION: &str = env!("SKYFORGE_GIT_REVISION");

/// Version of libtorch that the program is linked with.
pub const LIBTORCH: &str = env!("SKYFORGE_LIBTORCH");

/// Version of the HDF5 library, as it says itself.
pub fn hdf5() -> String {
    let (major, minor, patch) = hdf5::library_version();
    format!("{major}.{minor}.{patch}")
}

/// Name and version of the MPI library, as it says itself.
pub fn mpi() -> String {
    comm::mpi_version().unwrap_or_else(|| "none (built without the feature `mpi`)".into())
}

/// What `skyforge --version` prints: a line for the program, then one for its revision and for each library.
pub fn listed() -> String {
    let mpi = mpi();
    format!(
        "skyforge {SKYFORGE}\n\
         git revision  {GIT_REVISION}\n\
         libtorch      {LIBTORCH}\n\
         MPI           {mpi}\n\
         HDF5          {}",
        hdf5()
    )
}
