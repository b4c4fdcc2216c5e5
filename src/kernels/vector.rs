//! Vectors of sixteen numbers, of AVX-512 or as a pair of AVX2's: the same arithmetic in the same order, so the same bits.

#![expect(clippy::inline_always, reason = "the processor's features are those of the function that they are part of")]

use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps,
    _mm256_stream_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps,
    _mm512_stream_ps,
};

/// Numbers of a vector.
pub const LANES: usize = 16;

/// What vectors are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// AVX-512F.
    Avx512,
    /// AVX2 and FMA.
    Avx2,
}

impl Vectors {
    /// Those of this processor, the widest first.
    pub fn of_this_processor() -> impl Iterator<Item = Self> {
        let here = [
            (Self::Avx512, is_x86_feature_detected!("avx512f")),
            (Self::Avx2, is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")),
        ];
        here.into_iter().filter_map(|(vectors, are_here)| are_here.then_some(vectors))
    }
}

/// Sixteen numbers. All functions want the processor's vectors, `load` and those that store also memory for them, which
/// need not be aligned but for `store_past_the_cache`.
pub trait Vector: Copy {
    /// Panels of a product that fit in registers beside a few of its rows.
    const PANELS: usize;
    /// The same number in all places.
    unsafe fn of(number: f32) -> Self;
    /// From memory.
    unsafe fn load(from: *const f32) -> Self;
    /// To memory.
    unsafe fn store(self, to: *mut f32);
    /// To memory that begins at a line of the cache, which it does not go through.
    unsafe fn store_past_the_cache(self, to: *mut f32);
    /// `self` + `other`.
    unsafe fn plus(self, other: Self) -> Self;
    /// `self` x `other`.
    unsafe fn times(self, other: Self) -> Self;
    /// `self` x `other` + `sum`, rounded once.
    unsafe fn times_plus(self, other: Self, sum: Self) -> Self;
}

// SAFETY of all that follows: what a function wants of the processor and of memory is its caller's, as the trait says.

impl Vector for __m512 {
    const PANELS: usize = 3;
    #[inline(always)]
    unsafe fn of(number: f32) -> Self {
        unsafe { _mm512_set1_ps(number) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn store_past_the_cache(self, to: *mut f32) {
        unsafe { _mm512_stream_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { _mm512_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { _mm512_mul_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, other: Self, sum: Self) -> Self {
        unsafe { _mm512_fmadd_ps(self, other, sum) }
    }
}

/// Twice eight numbers.
pub type Pair = [__m256; 2];

/// Numbers of one of a pair.
const HALF: usize = LANES / 2;

impl Vector for Pair {
    const PANELS: usize = 1;
    #[inline(always)]
    unsafe fn of(number: f32) -> Self {
        unsafe { [_mm256_set1_ps(number); 2] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(HALF))] }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self[0]);
            _mm256_storeu_ps(to.add(HALF), self[1]);
        }
    }
    #[inline(always)]
    unsafe fn store_past_the_cache(self, to: *mut f32) {
        unsafe {
            _mm256_stream_ps(to, self[0]);
            _mm256_stream_ps(to.add(HALF), self[1]);
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { [_mm256_add_ps(self[0], other[0]), _mm256_add_ps(self[1], other[1])] }
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { [_mm256_mul_ps(self[0], other[0]), _mm256_mul_ps(self[1], other[1])] }
    }
    #[inline(always)]
    unsafe fn times_plus(self, other: Self, sum: Self) -> Self {
        unsafe { [_mm256_fmadd_ps(self[0], other[0], sum[0]), _mm256_fmadd_ps(self[1], other[1], sum[1])] }
    }
}
