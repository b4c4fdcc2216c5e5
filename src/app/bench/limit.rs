//! What the processors of all ranks can do at most, measured here and now by all ranks at the same time.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use rayon::ThreadPool;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::comm::Communicator;

/// Tries of each measurement; the best is the limit.
const TRIES: usize = 5;
/// Beyond any cache.
const LARGE: usize = 64 << 20;

/// FLOP/s of all ranks in products of matrices, as 1x1 convolutions: the best of several shapes, with the threads that
/// libtorch has.
pub(super) fn products(comm: &dyn Communicator, kind: Kind) -> f64 {
    const RECORDS: i64 = 8;
    // Channels and side of about 1 GFLOP each: processors without instructions for half precision take long over them.
    let shapes = [(128, 64), (256, 32), (512, 16)];
    let best = shapes.map(|(channels, side)| {
        let options = (Kind::Float, Device::Cpu);
        let maps = Tensor::rand([RECORDS, channels, side, side], options).to_kind(kind);
        let weight = Tensor::rand([channels, channels, 1, 1], options).to_kind(kind);
        let multiply = || tch::no_grad(|| maps.conv2d(&weight, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1));
        drop(black_box(multiply()));
        let flops = 2.0 * (RECORDS * side * side * channels * channels) as f64;
        together(comm, flops, || drop(black_box(multiply())))
    });
    best.into_iter().fold(0.0, f64::max)
}

/// Bytes a second that all ranks copy from one place in memory to another, on `threads` threads each.
pub(super) fn copy(comm: &dyn Communicator, threads: usize) -> f64 {
    let from = vec![1_u8; LARGE];
    let mut to = vec![0_u8; LARGE];
    let piece = LARGE.div_ceil(threads);
    together(comm, LARGE as f64, || {
        to.par_chunks_mut(piece).zip(from.par_chunks(piece)).for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&to);
    })
}

/// Bytes a second that all ranks read of `values`, with the threads of `pool` each.
pub(super) fn read(comm: &dyn Communicator, values: &[f32], pool: &ThreadPool) -> f64 {
    let piece = values.len().div_ceil(pool.current_num_threads());
    together(comm, 4.0 * values.len() as f64, || {
        let largest = |some: &[f32]| some.iter().fold(0, |most, x| most.max(x.to_bits()));
        black_box(pool.install(|| values.par_chunks(piece).map(largest).max()));
    })
}

/// Bytes a second that all ranks read of the first `most` bytes of `files` with `pread`, in pieces of a MiB, on as many
/// threads as rayon has.
pub(super) fn pread(comm: &dyn Communicator, files: &[PathBuf], most: u64) -> std::io::Result<f64> {
    const PIECE: u64 = 1 << 20;
    let mut pieces = Vec::new();
    for path in files {
        let file = File::open(path)?;
        let length = file.metadata()?.len().min(most - PIECE * pieces.len() as u64);
        let file = std::sync::Arc::new(file);
        pieces.extend((0..length / PIECE).map(|piece| (std::sync::Arc::clone(&file), piece * PIECE)));
    }
    let fault = std::sync::Mutex::new(None);
    let rate = together(comm, (PIECE * pieces.len() as u64) as f64, || {
        pieces.par_iter().for_each_init(
            || vec![0_u8; PIECE as usize],
            |to, (file, place)| {
                if let Err(error) = file.read_exact_at(to, *place) {
                    *fault.lock().expect("nobody panics with it") = Some(error);
                }
            },
        );
    });
    fault.into_inner().expect("nobody panics with it").map_or(Ok(rate), Err)
}

/// `work`, of an `amount` on this rank, by all ranks at the same time: the best of the ranks' summed rates.
fn together(comm: &dyn Communicator, amount: f64, mut work: impl FnMut()) -> f64 {
    let tries = (0..TRIES).map(|_| {
        comm.gather(&[]);
        let begun = Instant::now();
        work();
        let rate = amount / begun.elapsed().as_secs_f64();
        super::of_all(comm, rate).into_iter().sum()
    });
    tries.fold(0.0, f64::max)
}
