//! Our kernels as a differentiable function of libtorch's tensors.

use std::ffi::{CStr, c_char, c_void};
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::lines::Lines;
use super::tiles::{Form, Size};
use super::{Shape, TAPS, Vectors, thin, tiles};

/// The convolution of one layer, with its taps at the points, which are kept until its weights change.
#[derive(Debug)]
pub struct Layer(Arc<Kept>);

impl Default for Layer {
    /// With the widest vectors that the processor has.
    fn default() -> Self {
        Self::made_of(Vectors::of_this_processor().next())
    }
}

#[derive(Debug)]
struct Kept {
    vectors: Option<Vectors>,
    narrow: Mutex<Option<Evaluated>>,
    wide: Mutex<Option<Evaluated>>,
}

/// Taps at the points.
#[derive(Debug)]
struct Evaluated {
    taps: Lines,
    of: Origin,
}

/// What they were made of: the weights' address and version, and the size of tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Origin {
    weight: usize,
    version: u32,
    size: Size,
}

impl Layer {
    /// With these vectors; without any, or with such as the processor does not have, nothing fits.
    pub fn made_of(vectors: Option<Vectors>) -> Self {
        Self(Arc::new(Kept { vectors, narrow: Mutex::default(), wide: Mutex::default() }))
    }

    /// From the wide side to the narrow one: torch's `conv2d` with stride 2 and padding 2. `[b, wide, h, w]` and weights
    /// `[narrow, wide, 5, 5]` to `[b, narrow, h/2, w/2]`. Nothing where there is no kernel for it.
    pub fn to_narrow(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Option<Tensor> {
        let [batch, wide, height, width] = sizes(x)?;
        let shape = Shape { batch, height, width, wide, narrow: bias.numel() };
        self.convolve(shape, x, weight, bias, false)
    }

    /// From the narrow side to the wide one: torch's `conv_transpose2d` with stride 2, padding 2 and for each axis an output
    /// padding of 1, or of 0 where the wide side is odd. `[b, narrow, ceil(h/2), ceil(w/2)]` and weights
    /// `[narrow, wide, 5, 5]` to `[b, wide, h, w]`, with `[h, w]` the `wide_side`. Nothing where there is no kernel.
    pub fn to_wide(&self, y: &Tensor, weight: &Tensor, bias: &Tensor, wide_side: [i64; 2]) -> Option<Tensor> {
        let [batch, narrow, rows, columns] = sizes(y)?;
        let [height, width] = wide_side.map(|pixels| pixels as usize);
        let shape = Shape { batch, height, width, wide: bias.numel(), narrow };
        assert_eq!([rows, columns], [shape.rows(), shape.columns()], "the narrow side is half of the wide one");
        self.convolve(shape, y, weight, bias, true)
    }

    fn convolve(&self, shape: Shape, x: &Tensor, weight: &Tensor, bias: &Tensor, to_wide: bool) -> Option<Tensor> {
        let all = [x, weight, bias];
        if !all.iter().all(|tensor| tensor.device() == Device::Cpu && tensor.kind() == Kind::Float) {
            return None;
        }
        self.0.vectors.filter(|vectors| shape.fits(*vectors))?;
        assert_eq!(weight.size(), [shape.narrow as i64, shape.wide as i64, 5, 5], "weights of this convolution");
        assert!(weight.is_contiguous() && bias.is_contiguous(), "weights lie as they were made");
        let layer = Arc::as_ptr(&self.0).cast();
        let side = if to_wide { [shape.height, shape.width] } else { [shape.rows(), shape.columns()] };
        let [rows, columns] = side.map(|pixels| pixels as i64);
        // SAFETY: the tensors live during the call, the layer as long as a graph keeps it.
        unsafe {
            let [x, weight, bias] = all.map(|tensor| tensor.as_ptr().cast());
            Some(made(|fault| skyforge_strided(x, weight, bias, layer, to_wide, rows, columns, fault)))
        }
    }
}

/// max(x, slope x), in the memory of `x`. libtorch's own, which tch gives no slope.
pub fn leaky_relu(mut x: Tensor, slope: f64) -> Tensor {
    // SAFETY: the tensor lives during the call.
    unsafe { made(|fault| skyforge_leaky_relu(x.as_mut_ptr().cast(), slope, fault)) }
}

/// The tensor that `make` made; a panic with what it says where it made none, as tch does it.
unsafe fn made(make: impl FnOnce(*mut *mut c_char) -> *mut c_void) -> Tensor {
    let mut fault = std::ptr::null_mut();
    let tensor = make(&raw mut fault);
    // SAFETY: a new tensor is ours, and a fault is a C string.
    unsafe {
        assert!(!tensor.is_null(), "{}", CStr::from_ptr(fault).to_string_lossy());
        Tensor::from_ptr(tensor.cast())
    }
}

/// Tells libtorch, and the layers here, that the numbers of `tensor` have been written by somebody else.
pub fn changed(tensor: &Tensor) {
    // SAFETY: the tensor lives.
    unsafe { skyforge_changed(tensor.as_ptr().cast()) }
}

fn sizes(x: &Tensor) -> Option<[usize; 4]> {
    let sizes: Vec<usize> = x.size().into_iter().map(|size| size as usize).collect();
    sizes.try_into().ok()
}

impl Kept {
    /// What this layer's kernels are made of.
    fn vectors(&self) -> Vectors {
        self.vectors.expect("a convolution is made where there are vectors for it")
    }

    /// Calls `work` with the taps in the form wanted.
    fn with_taps(&self, form: Form, size: Size, shape: Shape, weight: &[f32], version: u32, work: impl FnOnce(&Lines)) {
        let kept = if form == Form::Narrow { &self.narrow } else { &self.wide };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let of = Origin { weight: weight.as_ptr() as usize, version, size };
        if kept.as_ref().is_none_or(|kept| kept.of != of) {
            let mut taps = kept.take().map(|kept| kept.taps).unwrap_or_default();
            tiles::evaluate_taps(self.vectors(), size, shape, form, weight, &mut taps);
            *kept = Some(Evaluated { taps, of });
        }
        work(&kept.as_ref().expect("it was just made").taps);
    }
}

/// Images for each of libtorch's threads.
fn images_a_thread(shape: Shape) -> usize {
    shape.batch.div_ceil(tch::get_num_threads().max(1) as usize)
}

/// Calls `work` with the images of each thread, of `from` and `to`.
fn share_out(shape: Shape, from: &[f32], to: &mut [f32], work: impl Fn(Shape, &[f32], &mut [f32]) + Sync) {
    let images = images_a_thread(shape);
    if images == shape.batch {
        return work(shape, from, to);
    }
    let (from_image, to_image) = (from.len() / shape.batch, to.len() / shape.batch);
    from.par_chunks(images * from_image).zip(to.par_chunks_mut(images * to_image)).for_each(|(from, to)| {
        work(Shape { batch: from.len() / from_image, ..shape }, from, to);
    });
}

// What layer.cpp calls; it hands over the memory of tensors of the sizes that `shape` says.

#[repr(C)]
#[derive(Clone, Copy)]
struct Sizes {
    batch: i64,
    height: i64,
    width: i64,
    wide: i64,
    narrow: i64,
}

impl From<Sizes> for Shape {
    fn from(sizes: Sizes) -> Self {
        let Sizes { batch, height, width, wide, narrow } = sizes;
        let [batch, height, width, wide, narrow] = [batch, height, width, wide, narrow].map(|size| size as usize);
        Self { batch, height, width, wide, narrow }
    }
}

unsafe extern "C" {
    fn skyforge_strided(
        x: *const c_void,
        weight: *const c_void,
        bias: *const c_void,
        layer: *const c_void,
        to_wide: bool,
        rows: i64,
        columns: i64,
        fault: *mut *mut c_char,
    ) -> *mut c_void;
    fn skyforge_leaky_relu(x: *mut c_void, slope: f64, fault: *mut *mut c_char) -> *mut c_void;
    fn skyforge_changed(tensor: *const c_void);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn skyforge_keep(layer: *const c_void) {
    // SAFETY: it is the address of a layer that lives.
    unsafe { Arc::increment_strong_count(layer.cast::<Kept>()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn skyforge_drop(layer: *const c_void) {
    // SAFETY: it was kept once.
    unsafe { Arc::decrement_strong_count(layer.cast::<Kept>()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn skyforge_to_narrow(
    layer: *const c_void,
    sizes: Sizes,
    x: *const f32,
    weight: *const f32,
    version: u32,
    bias: *const f32,
    y: *mut f32,
) {
    let shape = Shape::from(sizes);
    // SAFETY: the caller's.
    let (layer, x, weight, bias, y) = unsafe {
        let bias = (!bias.is_null()).then(|| from_raw_parts(bias, shape.narrow));
        let weight = from_raw_parts(weight, shape.narrow * shape.wide * TAPS);
        let x = from_raw_parts(x, shape.wide_numbers());
        (&*layer.cast::<Kept>(), x, weight, bias, from_raw_parts_mut(y, shape.narrow_numbers()))
    };
    if shape.wide == 1 {
        share_out(shape, x, y, |shape, x, y| thin::to_narrow(layer.vectors(), shape, x, weight, bias, y));
    } else {
        let size = Size::of(&shape);
        layer.with_taps(Form::Narrow, size, shape, weight, version, |taps| {
            share_out(shape, x, y, |shape, x, y| tiles::to_narrow(layer.vectors(), size, shape, x, taps, bias, y));
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn skyforge_to_wide(
    layer: *const c_void,
    sizes: Sizes,
    y: *const f32,
    weight: *const f32,
    version: u32,
    bias: *const f32,
    x: *mut f32,
) {
    let shape = Shape::from(sizes);
    // SAFETY: the caller's; zeros are written to what is new memory before it is looked at.
    let (layer, y, weight, x) = unsafe {
        x.write_bytes(0, shape.wide_numbers());
        let x = from_raw_parts_mut(x, shape.wide_numbers());
        if !bias.is_null() {
            let bias = from_raw_parts(bias, shape.wide);
            for pixel in x.chunks_exact_mut(shape.wide) {
                pixel.copy_from_slice(bias);
            }
        }
        let weight = from_raw_parts(weight, shape.narrow * shape.wide * TAPS);
        (&*layer.cast::<Kept>(), from_raw_parts(y, shape.narrow_numbers()), weight, x)
    };
    if shape.wide == 1 {
        share_out(shape, y, x, |shape, y, x| thin::to_wide(layer.vectors(), shape, y, weight, x));
    } else {
        let size = Size::of(&shape);
        layer.with_taps(Form::Wide, size, shape, weight, version, |taps| {
            share_out(shape, y, x, |shape, y, x| tiles::to_wide(layer.vectors(), size, shape, y, taps, x));
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn skyforge_to_taps(
    layer: *const c_void,
    sizes: Sizes,
    x: *const f32,
    y: *const f32,
    weight: *mut f32,
) {
    let shape = Shape::from(sizes);
    // SAFETY: the caller's; zeros are written to what is new memory before it is looked at.
    let (vectors, x, y, weight) = unsafe {
        let vectors = (*layer.cast::<Kept>()).vectors();
        let count = shape.narrow * shape.wide * TAPS;
        weight.write_bytes(0, count);
        let y = from_raw_parts(y, shape.narrow_numbers());
        (vectors, from_raw_parts(x, shape.wide_numbers()), y, from_raw_parts_mut(weight, count))
    };
    let size = Size::of(&shape);
    let gradient = |shape: Shape, x: &[f32], y: &[f32], weight: &mut [f32]| {
        if shape.wide == 1 {
            thin::to_taps(vectors, shape, x, y, weight);
        } else {
            tiles::to_taps(vectors, size, shape, x, y, weight);
        }
    };
    let images = images_a_thread(shape);
    if images == shape.batch {
        return gradient(shape, x, y, weight);
    }
    let (x_image, y_image) = (x.len() / shape.batch, y.len() / shape.batch);
    let parts: Vec<Vec<f32>> = x
        .par_chunks(images * x_image)
        .zip(y.par_chunks(images * y_image))
        .map(|(x, y)| {
            let mut part = vec![0.0; weight.len()];
            gradient(Shape { batch: x.len() / x_image, ..shape }, x, y, &mut part);
            part
        })
        .collect();
    for part in &parts {
        for (sum, value) in weight.iter_mut().zip(part) {
            *sum += value;
        }
    }
}
