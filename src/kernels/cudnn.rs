//! Settings of cuDNN that libtorch's C interface leaves out.

unsafe extern "C" {
    safe fn skyforge_set_deterministic(deterministic: bool);
    safe fn skyforge_is_deterministic() -> bool;
}

/// Restricts cuDNN to algorithms that give the same bits each time, or lets it try which one is the fastest. Without a GPU it has no
/// effect.
pub fn set_deterministic(deterministic: bool) {
    skyforge_set_deterministic(deterministic);
}

/// Whether cuDNN is restricted to algorithms that give the same bits each time.
pub fn is_deterministic() -> bool {
    skyforge_is_deterministic()
}
