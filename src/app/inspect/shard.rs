//! A single HDF5 file: what is in it, and, where it is a shard, whether its blocks are whole.

use std::path::Path;

use serde_json::{Value, json};

use super::Found;
use super::dataset::{first_maps, see};
use crate::app::CommandError;
use crate::data::manifest::FILE_NAME;
use crate::data::shard::Shard;
use crate::data::{Block, Manifest};

/// Looks at all of it.
pub(super) fn look(path: &Path, all: bool) -> Result<Found, CommandError> {
    let wrong = |error: hdf5::Error| {
        let fault = error.to_string().lines().next().unwrap_or_default().to_owned();
        CommandError::Wrong { path: path.to_owned(), fault }
    };
    let (is_shard, datasets) = contents(path).map_err(wrong)?;
    let bytes = std::fs::metadata(path).map_err(CommandError::io(path))?.len();
    if !is_shard {
        let told = json!({ "what": "HDF5 file, but no shard", "whole": true, "bytes": bytes, "datasets": datasets });
        return Ok(Found { told, damaged: Vec::new(), maps: None });
    }
    let shard = Shard::open(path)?;
    let file = shard.file()?;
    let blocks = shard.rows().div_ceil(shard.block_rows());
    let read = |index: u64, block: &mut Block| shard.read_block(&file, index, block);
    let lengths: Vec<usize> = shard.modalities().iter().map(|(_, shape)| shape.iter().product()).collect();
    let seen = see(blocks, all, &lengths, &vec![0; shard.labels()], read)?;
    let mut damaged = seen.damaged;
    damaged.extend(not_as_listed(path, &shard));
    let modalities = shard.modalities().iter().zip(&seen.ranges.modalities).map(|((name, shape), range)| {
        let mut told = range.tell();
        (told["name"], told["shape"]) = (json!(name), json!(shape));
        told
    });
    let told = json!({
        "what": "shard", "whole": true, "rows": shard.rows(), "bytes": bytes,
        "checksum": shard.checksum(), "blocks": blocks, "blocks_in_range": seen.sampled,
        "modalities": modalities.collect::<Vec<Value>>(), "datasets": datasets,
    });
    let mut block = Block::default();
    let maps =
        shard.read_block(&file, 0, &mut block).ok().and_then(|()| first_maps(&block, 0, &shard.modalities()[0].1));
    Ok(Found { told, damaged, maps })
}

/// Whether it says that it is a shard, and each dataset with shape and type.
fn contents(path: &Path) -> hdf5::Result<(bool, Vec<Value>)> {
    let file = hdf5::File::with_options().with_fapl(|access| access.file_locking(false)).open(path)?;
    let tell = |dataset: &hdf5::Dataset| {
        let name = dataset.name();
        let kind =
            dataset.dtype().and_then(|kind| kind.to_descriptor()).map_or("unknown".into(), |kind| kind.to_string());
        json!({ "name": name.trim_start_matches('/'), "shape": dataset.shape(), "type": kind })
    };
    let datasets = file.datasets()?.iter().map(tell).collect();
    Ok((file.attr("format").is_ok() && file.link_exists("block_checksums"), datasets))
}

/// What the manifest beside it, if there is one, says that it is not.
fn not_as_listed(path: &Path, shard: &Shard) -> Option<String> {
    let folder = path.parent().filter(|folder| folder.join(FILE_NAME).is_file())?;
    let manifest = Manifest::read(folder).ok()?;
    let entry = manifest.shards.iter().find(|entry| entry.file == shard.name())?;
    let differs = entry.checksum != shard.checksum() || entry.rows != shard.rows();
    differs.then(|| {
        let (have, rows) = (shard.checksum(), shard.rows());
        format!("has checksum {have} and {rows} rows, expected {} and {} from {FILE_NAME}", entry.checksum, entry.rows)
    })
}
