//! Numbers that begin at a line of the cache, in huge pages where the system has them.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// The size of a huge page, and how the memory is aligned.
const PAGE: usize = 2 << 20;

/// Single-precision numbers; what they are after growing is not said.
#[derive(Debug)]
pub struct Lines {
    start: *mut f32,
    bytes: usize,
}

// SAFETY: the memory belongs to this alone.
unsafe impl Send for Lines {}
// SAFETY: who has a shared reference can only read.
unsafe impl Sync for Lines {}

impl Default for Lines {
    fn default() -> Self {
        Self { start: std::ptr::null_mut(), bytes: 0 }
    }
}

impl Lines {
    /// At least `count` numbers, finite ones where it grew.
    pub fn at_least(&mut self, count: usize) -> &mut [f32] {
        if self.bytes < count * size_of::<f32>() {
            self.release();
            let bytes = (count * size_of::<f32>()).next_multiple_of(PAGE);
            let layout = Self::layout(bytes);
            // SAFETY: the size is not zero. The advice changes nothing but speed, whatever comes of it.
            unsafe {
                self.start = alloc_zeroed(layout).cast();
                if self.start.is_null() {
                    handle_alloc_error(layout);
                }
                let _ = rustix::mm::madvise(self.start.cast(), bytes, rustix::mm::Advice::LinuxHugepage);
            }
            self.bytes = bytes;
        }
        // SAFETY: as many were allocated, as zeros, and are borrowed with `self`.
        unsafe { std::slice::from_raw_parts_mut(self.start, count) }
    }

    /// The first `count` numbers, which there are.
    pub fn first(&self, count: usize) -> &[f32] {
        assert!(count * size_of::<f32>() <= self.bytes, "as many were asked for before");
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.start, count) }
    }

    /// Where they begin.
    pub fn start(&mut self) -> *mut f32 {
        self.start
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, PAGE).expect("sizes of scratch memory are far from the limit")
    }

    fn release(&mut self) {
        if self.bytes > 0 {
            // SAFETY: allocated above with the same layout.
            unsafe { dealloc(self.start.cast(), Self::layout(self.bytes)) }
            self.bytes = 0;
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.release();
    }
}
