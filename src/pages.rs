//! Pages that the program keeps: what is freed is there for the next allocation, and the system need not clear it again.
//!
//! libtorch allocates and frees the same large pieces in each step. By glibc's own choice they go back to the system each
//! time, which hands them out again cleared and page by page: 4 to 7 % of a step (`docs/benchmarks.md`).

/// Has glibc's allocator keep what is freed, in each thread's arenas. To be called before the first thread is started.
/// Whoever has an opinion in the environment (`MALLOC_TRIM_THRESHOLD_` and its like) is left to it; without glibc
/// nothing happens.
pub fn keep() {
    let set = |name: &str| std::env::var_os(name).is_some();
    let tuned = std::env::var("GLIBC_TUNABLES").is_ok_and(|tunables| tunables.contains("glibc.malloc"));
    if !tuned && !OPINIONS.into_iter().any(set) {
        tell_allocator();
    }
}

/// What glibc reads from the environment about pages.
const OPINIONS: [&str; 4] = ["MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"];

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call of the C library")]
fn tell_allocator() {
    for (what, value) in [
        (libc::M_MMAP_MAX, 0),        // no piece is a mapping of its own
        (libc::M_TRIM_THRESHOLD, -1), // nothing goes back
        (libc::M_TOP_PAD, 256 << 20), // the heap grows in large strides; pages count when they are touched
    ] {
        // SAFETY: no other thread runs yet, and a value that glibc does not take changes nothing.
        unsafe { libc::mallopt(what, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn tell_allocator() {}
