//! The strided convolution by tiles: both sides and the taps are evaluated at points, multiplied there as matrices over
//! channels, and interpolated.
//!
//! Letters: T = tiles of a block, C and N = channels of the wide and the narrow side, p = point (two axes), s = slot: a
//! pair of values of samples, of which a point has up to four (even and odd samples along each axis).
//!
//! | what | where it lies |
//! | --- | --- |
//! | samples of the wide side | `[s][C/16][T][16]` |
//! | taps for `to_narrow`, and gradients of taps | `[s][N/16][C][16]` |
//! | taps for `to_wide` | `[s][C/16][N][16]` |
//! | products on the narrow side | `[p][N/16][T][16]` |
//!
//! Slots and points lie a line more apart than they are long, so that those of a tile do not meet in the cache.

use std::arch::x86_64::{__m512, _mm_sfence};
use std::marker::PhantomData;

use super::lines::Lines;
use super::product::{Left, Product, ROWS, Right, Target};
use super::toom_cook::{ByFour, ByTwo, LONGEST, Square, Tiling};
use super::vector::{LANES, Pair, Vector, Vectors};
use super::{PADDING, SIDE, Shape, TAPS};

/// How large a tile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 2 x 2 pixels of the narrow side.
    Two,
    /// 4 x 4.
    Four,
}

/// What it costs to bring taps to the points and back, in tiles that could be multiplied instead: measured.
const TAPS_IN_TILES: usize = 48;

impl Size {
    /// The one that takes less time.
    pub fn of(shape: &Shape) -> Self {
        let cost = |side: usize| {
            let tiles = shape.batch * shape.rows().div_ceil(side) * shape.columns().div_ceil(side);
            (tiles + TAPS_IN_TILES) * (2 * side + 3).pow(2)
        };
        if cost(4) < cost(2) { Size::Four } else { Size::Two }
    }
}

/// Tiles that are worked on at once: what is in flight stays in the cache.
const BLOCK: usize = 128;

/// Kernels whose values at the points go to memory, or come from there, together: a slot's lines then lie side by side.
const BURST: usize = 4;

/// Taps at the points that take more bytes than this would not stay in the cache until they are used.
const TOO_LARGE_TO_STAY: usize = 20 << 20;

/// Values at all points of a few kernels, sixteen channels each.
type Burst<V> = [[V; BURST]; LONGEST * LONGEST];

/// Memory that is used again.
#[derive(Debug, Default)]
pub struct Scratch {
    samples: Lines,
    products: Lines,
    taps: Lines,
}

/// Which slots there are: for each pair of values of samples its slot, and for each point its first.
struct Slots {
    of: [[usize; LONGEST]; LONGEST],
    first: [usize; 37],
}

const fn slots(points: usize, odd: &[usize]) -> Slots {
    let mut slots = Slots { of: [[0; LONGEST]; LONGEST], first: [0; 37] };
    let mut next = 0;
    let mut point = 0;
    while point < points * points {
        slots.first[point] = next;
        // Along each axis: the even samples' value at this point, and the odd ones' if they have it.
        let (rows, columns) = (values_at(point / points, points, odd), values_at(point % points, points, odd));
        let mut i = 0;
        while i < rows.1 {
            let mut j = 0;
            while j < columns.1 {
                slots.of[rows.0[i]][columns.0[j]] = next;
                next += 1;
                j += 1;
            }
            i += 1;
        }
        point += 1;
    }
    slots.first[point] = next;
    slots
}

/// The values of samples at a point of an axis, and how many they are.
const fn values_at(point: usize, points: usize, odd: &[usize]) -> ([usize; 2], usize) {
    let mut i = 0;
    while i < odd.len() {
        if odd[i] == point {
            return ([point, points + i], 2);
        }
        i += 1;
    }
    ([point, 0], 1)
}

/// A convolution of a given shape with tiles of a given size.
pub struct Tiled<T, V> {
    shape: Shape,
    made_of: PhantomData<(T, V)>,
}

/// Calls a method of `Tiled` with these vectors, and tiles of `size`.
macro_rules! with_tiles {
    ($vectors:expr, $size:expr, $shape:expr, $tiled:ident => $call:expr) => {
        match ($vectors, $size) {
            (Vectors::Avx512, Size::Two) => with_tiles!(ByTwo, __m512, $shape, $tiled, $call),
            (Vectors::Avx512, Size::Four) => with_tiles!(ByFour, __m512, $shape, $tiled, $call),
            (Vectors::Avx2, Size::Two) => with_tiles!(ByTwo, Pair, $shape, $tiled, $call),
            (Vectors::Avx2, Size::Four) => with_tiles!(ByFour, Pair, $shape, $tiled, $call),
        }
    };
    ($tiling:ty, $vector:ty, $shape:expr, $tiled:ident, $call:expr) => {{
        let $tiled = Tiled::<$tiling, $vector>::new($shape);
        $call
    }};
}

/// Which of the two forms of taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For `to_narrow`.
    Narrow,
    /// For `to_wide`.
    Wide,
}

/// Brings `weight`, `[N, C, 5, 5]`, to the points.
pub fn evaluate_taps(vectors: Vectors, size: Size, shape: Shape, form: Form, weight: &[f32], taps: &mut Lines) {
    assert!(shape.fits(vectors) && weight.len() == shape.narrow * shape.wide * TAPS, "the caller has looked");
    // SAFETY: the processor has these vectors, and the sizes are right.
    with_tiles!(vectors, size, shape, tiled => unsafe { tiled.evaluate_taps(form, weight, taps) });
}

/// The narrow side `y` of the wide side `x`.
pub fn to_narrow(
    vectors: Vectors,
    size: Size,
    shape: Shape,
    x: &[f32],
    taps: &Lines,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    assert!(shape.fits(vectors) && x.len() == shape.wide_numbers(), "the caller has looked");
    assert_eq!(y.len(), shape.narrow_numbers(), "the caller has looked");
    // SAFETY: the processor has these vectors, and the sizes are right.
    with_tiles!(vectors, size, shape, tiled => unsafe { tiled.to_narrow(x, taps, bias, y) });
}

/// The wide side of the narrow side `y`, added to what is in `x`.
pub fn to_wide(vectors: Vectors, size: Size, shape: Shape, y: &[f32], taps: &Lines, x: &mut [f32]) {
    assert!(shape.fits(vectors) && y.len() == shape.narrow_numbers(), "the caller has looked");
    assert_eq!(x.len(), shape.wide_numbers(), "the caller has looked");
    // SAFETY: the processor has these vectors, and the sizes are right.
    with_tiles!(vectors, size, shape, tiled => unsafe { tiled.to_wide(y, taps, x) });
}

/// The gradient `[N, C, 5, 5]` of the taps, given both sides.
pub fn to_taps(vectors: Vectors, size: Size, shape: Shape, x: &[f32], y: &[f32], weight: &mut [f32]) {
    assert!(shape.fits(vectors) && weight.len() == shape.narrow * shape.wide * TAPS, "the caller has looked");
    assert!(x.len() == shape.wide_numbers() && y.len() == shape.narrow_numbers(), "the caller has looked");
    // SAFETY: the processor has these vectors, and the sizes are right.
    with_tiles!(vectors, size, shape, tiled => unsafe { tiled.to_taps(x, y, weight) });
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
}

impl<T: Tiling, V> Tiled<T, V> {
    const SLOTS: Slots = slots(T::POINTS, T::ODD_POINTS);
    const COUNT: usize = Self::SLOTS.first[T::POINTS * T::POINTS];

    fn new(shape: Shape) -> Self {
        Self { shape, made_of: PhantomData }
    }

    fn tiles_down(&self) -> usize {
        self.shape.rows().div_ceil(T::RESULTS)
    }

    fn tiles_across(&self) -> usize {
        self.shape.columns().div_ceil(T::RESULTS)
    }

    /// Tiles in all, and in a block.
    fn tiles(&self) -> (usize, usize) {
        let all = self.shape.batch * self.tiles_down() * self.tiles_across();
        (all, all.min(BLOCK).next_multiple_of(ROWS))
    }

    /// From a slot of samples to the next.
    fn next_samples(&self) -> usize {
        self.tiles().1 * self.shape.wide + LANES
    }

    /// From a point's products to the next.
    fn next_products(&self) -> usize {
        self.tiles().1 * self.shape.narrow + LANES
    }

    /// From a slot of taps to the next.
    fn next_taps(&self) -> usize {
        self.shape.wide * self.shape.narrow + LANES
    }

    /// Image, row and column of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (down, across) = (self.tiles_down(), self.tiles_across());
        (tile / (down * across), tile / across % down, tile % across)
    }

    /// Calls `work` with each block: its first tile and how many it has.
    fn blocks(&self, mut work: impl FnMut(usize, usize)) {
        let (all, block) = self.tiles();
        for first in (0..all).step_by(block) {
            work(first, block.min(all - first));
        }
    }

    fn with_scratch(&self, work: impl FnOnce(&mut Scratch)) {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.samples.at_least(Self::COUNT * self.next_samples());
            scratch.products.at_least(T::POINTS * T::POINTS * self.next_products());
            work(scratch);
        });
    }
}

macro_rules! tiled {
    ($vector:ty, $features:literal) => {
        impl<T: Tiling> Tiled<T, $vector> {
            #[target_feature(enable = $features)]
            unsafe fn to_narrow(&self, x: &[f32], taps: &Lines, bias: Option<&[f32]>, y: &mut [f32]) {
                let taps = taps.first(Self::COUNT * self.next_taps());
                self.with_scratch(|Scratch { samples, products, .. }| {
                    self.blocks(|first, count| {
                        // SAFETY: the caller's.
                        unsafe {
                            let (samples, products) = (samples.start(), products.start());
                            self.evaluate_samples(x.as_ptr(), first, count, samples);
                            self.multiply_to_narrow(samples, taps.as_ptr(), count, products);
                            self.interpolate(products, first, count, bias, y.as_mut_ptr());
                        }
                    });
                });
            }

            #[target_feature(enable = $features)]
            unsafe fn to_wide(&self, y: &[f32], taps: &Lines, x: &mut [f32]) {
                let taps = taps.first(Self::COUNT * self.next_taps());
                self.with_scratch(|Scratch { samples, products, .. }| {
                    self.blocks(|first, count| {
                        // SAFETY: the caller's.
                        unsafe {
                            let (samples, products) = (samples.start(), products.start());
                            self.interpolate_back(y.as_ptr(), first, count, products);
                            self.multiply_to_wide(products, taps.as_ptr(), count, samples);
                            self.evaluate_samples_back(samples, first, count, x.as_mut_ptr());
                        }
                    });
                });
            }

            #[target_feature(enable = $features)]
            unsafe fn to_taps(&self, x: &[f32], y: &[f32], weight: &mut [f32]) {
                self.with_scratch(|Scratch { samples, products, taps }| {
                    let taps = taps.at_least(Self::COUNT * self.next_taps()).as_mut_ptr();
                    self.blocks(|first, count| {
                        // SAFETY: the caller's.
                        unsafe {
                            let (samples, products) = (samples.start(), products.start());
                            self.evaluate_samples(x.as_ptr(), first, count, samples);
                            self.interpolate_back(y.as_ptr(), first, count, products);
                            self.multiply_to_taps(samples, products, count, taps, first > 0);
                        }
                    });
                    // SAFETY: the caller's.
                    unsafe { self.evaluate_taps_back(taps, weight) };
                });
            }

            #[target_feature(enable = $features)]
            unsafe fn evaluate_taps(&self, form: Form, weight: &[f32], taps: &mut Lines) {
                // SAFETY: a vector of each tap, and lines of slots lie within `taps`. Zeros are numbers.
                unsafe {
                    let Shape { wide, narrow, .. } = self.shape;
                    let to = taps.at_least(Self::COUNT * self.next_taps()).as_mut_ptr();
                    let (vectors, others) = if form == Form::Narrow { (narrow, wide) } else { (wide, narrow) };
                    let past_the_cache = Self::COUNT * self.next_taps() * size_of::<f32>() > TOO_LARGE_TO_STAY;
                    let mut burst: Burst<$vector> = std::mem::zeroed();
                    for vector in (0..vectors).step_by(LANES) {
                        for first in (0..others).step_by(BURST) {
                            for (nth, other) in (first..first + BURST).enumerate() {
                                let kernel_of = |lane: usize| match form {
                                    Form::Narrow => (vector + lane) * wide + other,
                                    Form::Wide => other * wide + vector + lane,
                                };
                                let mut kernels = [[0.0_f32; LANES]; TAPS];
                                for lane in 0..LANES {
                                    for (tap, value) in weight[kernel_of(lane) * TAPS..][..TAPS].iter().enumerate() {
                                        kernels[tap][lane] = *value;
                                    }
                                }
                                let mut half: Square<$vector> = [[<$vector>::of(0.0); LONGEST]; LONGEST];
                                for (row, half) in half[..SIDE].iter_mut().enumerate() {
                                    let load = |i: usize| <$vector>::load(kernels[row * SIDE + i].as_ptr());
                                    T::taps(load, |i, value| half[i] = value);
                                }
                                for column in 0..T::SAMPLES {
                                    T::taps(
                                        |i| half[i][column],
                                        |i, value| burst[Self::SLOTS.of[i][column]][nth] = value,
                                    );
                                }
                            }
                            for (slot, lines) in burst[..Self::COUNT].iter().enumerate() {
                                let to = to.add(slot * self.next_taps() + vector * others + first * LANES);
                                for (nth, line) in lines.iter().enumerate() {
                                    let to = to.add(nth * LANES);
                                    if past_the_cache { line.store_past_the_cache(to) } else { line.store(to) }
                                }
                            }
                        }
                    }
                    _mm_sfence();
                }
            }

            /// The adjoint of `evaluate_taps` in the narrow form.
            #[target_feature(enable = $features)]
            unsafe fn evaluate_taps_back(&self, from: *const f32, weight: &mut [f32]) {
                // SAFETY: as for `evaluate_taps`.
                unsafe {
                    let Shape { wide, narrow, .. } = self.shape;
                    let mut burst: Burst<$vector> = std::mem::zeroed();
                    for n in (0..narrow).step_by(LANES) {
                        for first in (0..wide).step_by(BURST) {
                            for (slot, lines) in burst[..Self::COUNT].iter_mut().enumerate() {
                                let from = from.add(slot * self.next_taps() + n * wide + first * LANES);
                                for (nth, line) in lines.iter_mut().enumerate() {
                                    *line = <$vector>::load(from.add(nth * LANES));
                                }
                            }
                            for (nth, c) in (first..first + BURST).enumerate() {
                                let mut half: Square<$vector> = [[<$vector>::of(0.0); LONGEST]; LONGEST];
                                for column in 0..T::SAMPLES {
                                    let load = |i: usize| burst[Self::SLOTS.of[i][column]][nth];
                                    T::taps_back(load, |i, value| half[i][column] = value);
                                }
                                let mut kernels = [[0.0_f32; LANES]; TAPS];
                                for (row, half) in half[..SIDE].iter().enumerate() {
                                    let store = |i: usize, value: $vector| {
                                        value.store(kernels[row * SIDE + i].as_mut_ptr());
                                    };
                                    T::taps_back(|i| half[i], store);
                                }
                                for lane in 0..LANES {
                                    let kernel = &mut weight[((n + lane) * wide + c) * TAPS..][..TAPS];
                                    for (tap, value) in kernel.iter_mut().enumerate() {
                                        *value = kernels[tap][lane];
                                    }
                                }
                            }
                        }
                    }
                }
            }

            /// Tiles `first .. first + count` of `x` to the points; zeros for those that fill up the last rows.
            #[target_feature(enable = $features)]
            unsafe fn evaluate_samples(&self, x: *const f32, first: usize, count: usize, to: *mut f32) {
                // SAFETY: pixels outside the image are not looked at; a tile's values lie within the scratch memory.
                unsafe {
                    let Shape { height, width, wide, .. } = self.shape;
                    let zero = <$vector>::of(0.0);
                    for t in 0..count.next_multiple_of(ROWS) {
                        let (image, down, across) = self.place(first + t);
                        for c in (0..wide).step_by(LANES) {
                            let mut half: Square<$vector> = [[zero; LONGEST]; LONGEST];
                            for (row, half) in half[..T::SAMPLES].iter_mut().enumerate().filter(|_| t < count) {
                                let Some(y) = inside(2 * T::RESULTS * down + row, height) else { continue };
                                let line = x.add((image * height + y) * width * wide + c);
                                let load = |i: usize| {
                                    let x = inside(2 * T::RESULTS * across + i, width);
                                    x.map_or(zero, |x| <$vector>::load(line.add(x * wide)))
                                };
                                T::samples(load, |i, value| half[i] = value);
                            }
                            let to = to.add(c * self.tiles().1 + t * LANES);
                            for column in 0..T::SAMPLES {
                                let slot = |i: usize| to.add(Self::SLOTS.of[i][column] * self.next_samples());
                                T::samples(|i| half[i][column], |i, value| value.store(slot(i)));
                            }
                        }
                    }
                }
            }

            /// The adjoint of `evaluate_samples`, added to `x`.
            #[target_feature(enable = $features)]
            unsafe fn evaluate_samples_back(&self, from: *const f32, first: usize, count: usize, x: *mut f32) {
                // SAFETY: as for `evaluate_samples`.
                unsafe {
                    let Shape { height, width, wide, .. } = self.shape;
                    for t in 0..count {
                        let (image, down, across) = self.place(first + t);
                        for c in (0..wide).step_by(LANES) {
                            let mut half: Square<$vector> = [[<$vector>::of(0.0); LONGEST]; LONGEST];
                            let from = from.add(c * self.tiles().1 + t * LANES);
                            for column in 0..T::SAMPLES {
                                let slot = |i: usize| from.add(Self::SLOTS.of[i][column] * self.next_samples());
                                T::samples_back(|i| <$vector>::load(slot(i)), |i, value| half[i][column] = value);
                            }
                            for (row, half) in half[..T::SAMPLES].iter().enumerate() {
                                let Some(y) = inside(2 * T::RESULTS * down + row, height) else { continue };
                                let line = x.add((image * height + y) * width * wide + c);
                                let add = |i: usize, value: $vector| {
                                    if let Some(x) = inside(2 * T::RESULTS * across + i, width) {
                                        let to = line.add(x * wide);
                                        <$vector>::load(to).plus(value).store(to);
                                    }
                                };
                                T::samples_back(|i| half[i], add);
                            }
                        }
                    }
                }
            }

            /// Products at the points to pixels of `y`.
            #[target_feature(enable = $features)]
            unsafe fn interpolate(
                &self,
                from: *const f32,
                first: usize,
                count: usize,
                bias: Option<&[f32]>,
                y: *mut f32,
            ) {
                // SAFETY: as for `evaluate_samples`.
                unsafe {
                    let (rows, columns, narrow) = (self.shape.rows(), self.shape.columns(), self.shape.narrow);
                    for t in 0..count {
                        let (image, down, across) = self.place(first + t);
                        for n in (0..narrow).step_by(LANES) {
                            let mut half: Square<$vector> = [[<$vector>::of(0.0); LONGEST]; LONGEST];
                            let bias =
                                bias.map_or(<$vector>::of(0.0), |bias| <$vector>::load(bias[n..][..LANES].as_ptr()));
                            let from = from.add(n * self.tiles().1 + t * LANES);
                            for column in 0..T::POINTS {
                                let point = |i: usize| from.add((i * T::POINTS + column) * self.next_products());
                                T::results(|i| <$vector>::load(point(i)), |i, value| half[i][column] = value);
                            }
                            for (row, half) in half[..T::RESULTS].iter().enumerate() {
                                let row = down * T::RESULTS + row;
                                let line = y.add((image * rows + row.min(rows - 1)) * columns * narrow + n);
                                let store = |i: usize, value: $vector| {
                                    let column = across * T::RESULTS + i;
                                    if row < rows && column < columns {
                                        value.plus(bias).store(line.add(column * narrow));
                                    }
                                };
                                T::results(|i| half[i], store);
                            }
                        }
                    }
                }
            }

            /// The adjoint of `interpolate`; zeros for the tiles that fill up the last rows.
            #[target_feature(enable = $features)]
            unsafe fn interpolate_back(&self, y: *const f32, first: usize, count: usize, to: *mut f32) {
                // SAFETY: as for `evaluate_samples`.
                unsafe {
                    let (rows, columns, narrow) = (self.shape.rows(), self.shape.columns(), self.shape.narrow);
                    let zero = <$vector>::of(0.0);
                    for t in 0..count.next_multiple_of(ROWS) {
                        let (image, down, across) = self.place(first + t);
                        for n in (0..narrow).step_by(LANES) {
                            let mut half: Square<$vector> = [[zero; LONGEST]; LONGEST];
                            for (row, half) in half[..T::RESULTS].iter_mut().enumerate().filter(|_| t < count) {
                                let row = down * T::RESULTS + row;
                                if row >= rows {
                                    continue;
                                }
                                let line = y.add((image * rows + row) * columns * narrow + n);
                                let load = |i: usize| {
                                    let column = across * T::RESULTS + i;
                                    if column < columns { <$vector>::load(line.add(column * narrow)) } else { zero }
                                };
                                T::results_back(load, |i, value| half[i] = value);
                            }
                            let to = to.add(n * self.tiles().1 + t * LANES);
                            for column in 0..T::POINTS {
                                let point = |i: usize| to.add((i * T::POINTS + column) * self.next_products());
                                T::results_back(|i| half[i][column], |i, value| value.store(point(i)));
                            }
                        }
                    }
                }
            }

            /// At each point the sum over its slots and the wide side's channels.
            #[target_feature(enable = $features)]
            unsafe fn multiply_to_narrow(&self, samples: *const f32, taps: *const f32, count: usize, to: *mut f32) {
                let Shape { wide, narrow, .. } = self.shape;
                let panel = self.tiles().1 * LANES;
                for point in 0..T::POINTS * T::POINTS {
                    let slots = Self::SLOTS.first[point]..Self::SLOTS.first[point + 1];
                    // SAFETY: slots and points lie within what was asked for.
                    unsafe {
                        let left = Left {
                            from: samples.add(slots.start * self.next_samples()),
                            row: LANES,
                            column: 1,
                            columns: LANES,
                            chunk: panel,
                            chunks: wide / LANES,
                            segment: self.next_samples(),
                            segments: slots.len(),
                        };
                        let right = Right {
                            from: taps.add(slots.start * self.next_taps()),
                            panel: wide * LANES,
                            panels: narrow / LANES,
                            segment: self.next_taps(),
                        };
                        let target = Target { to: to.add(point * self.next_products()), panel, add: false };
                        <$vector>::product(left, count.next_multiple_of(ROWS), right, target);
                    }
                }
            }

            /// In each slot the sum over the narrow side's channels.
            #[target_feature(enable = $features)]
            unsafe fn multiply_to_wide(&self, products: *const f32, taps: *const f32, count: usize, to: *mut f32) {
                let Shape { wide, narrow, .. } = self.shape;
                let panel = self.tiles().1 * LANES;
                for point in 0..T::POINTS * T::POINTS {
                    for slot in Self::SLOTS.first[point]..Self::SLOTS.first[point + 1] {
                        // SAFETY: slots and points lie within what was asked for.
                        unsafe {
                            let left = Left {
                                from: products.add(point * self.next_products()),
                                row: LANES,
                                column: 1,
                                columns: LANES,
                                chunk: panel,
                                chunks: narrow / LANES,
                                segment: 0,
                                segments: 1,
                            };
                            let from = taps.add(slot * self.next_taps());
                            let right = Right { from, panel: narrow * LANES, panels: wide / LANES, segment: 0 };
                            let target = Target { to: to.add(slot * self.next_samples()), panel, add: false };
                            <$vector>::product(left, count.next_multiple_of(ROWS), right, target);
                        }
                    }
                }
            }

            /// In each slot the sum over tiles.
            #[target_feature(enable = $features)]
            unsafe fn multiply_to_taps(
                &self,
                samples: *const f32,
                products: *const f32,
                count: usize,
                to: *mut f32,
                add: bool,
            ) {
                let Shape { wide, narrow, .. } = self.shape;
                let panel = self.tiles().1 * LANES;
                for point in 0..T::POINTS * T::POINTS {
                    for slot in Self::SLOTS.first[point]..Self::SLOTS.first[point + 1] {
                        for c in (0..wide).step_by(LANES) {
                            // SAFETY: slots and points lie within what was asked for.
                            unsafe {
                                let left = Left {
                                    from: samples.add(slot * self.next_samples() + c / LANES * panel),
                                    row: 1,
                                    column: LANES,
                                    columns: count.next_multiple_of(ROWS),
                                    chunk: 0,
                                    chunks: 1,
                                    segment: 0,
                                    segments: 1,
                                };
                                let from = products.add(point * self.next_products());
                                let right = Right { from, panel, panels: narrow / LANES, segment: 0 };
                                let to = to.add(slot * self.next_taps() + c * LANES);
                                <$vector>::product(left, LANES, right, Target { to, panel: wide * LANES, add });
                            }
                        }
                    }
                }
            }
        }
    };
}
tiled!(__m512, "avx512f");
tiled!(Pair, "avx2,fma");

/// The pixel at `padded`, counted from the edge of the padding, if it is one of the image's `count`.
#[inline]
fn inside(padded: usize, count: usize) -> Option<usize> {
    padded.checked_sub(PADDING).filter(|at| *at < count)
}
