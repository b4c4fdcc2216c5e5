//! The machine that a rank is on, as Linux tells of it.

use std::fs;

/// Its name; empty where it has none.
pub fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// All its processors, whichever of them this process may use; 0 where that is not told.
pub fn processors() -> usize {
    cpuinfo().lines().filter(|line| line.starts_with("processor")).count()
}

/// Bytes of memory that can be had without taking them from anybody; 0 where that is not told.
pub fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.strip_suffix("kB"));
    line.and_then(|kib| kib.trim().parse().ok()).map_or(0, |kib: u64| kib << 10)
}

/// What its processors call themselves.
pub fn processor_name() -> String {
    let text = cpuinfo();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or("unknown").to_owned()
}

fn cpuinfo() -> String {
    fs::read_to_string("/proc/cpuinfo").unwrap_or_default()
}
