//! `skyforge simulate maps`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::{check_shares, settings, write};
use crate::app::session::Session;
use crate::app::{CommandError, shards};
use crate::data::{Field, Header, Modality};
use crate::exit::Exit;
use crate::simulate::MassMaps;

/// Weak-lensing convergence maps: lognormal or Gaussian fields of a chosen angular power spectrum.
///
/// The same seed gives the same map number i, and the same bytes on disk, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192 --seed 1

Keys of --set: field (lognormal, gaussian), side, pixel_arcmin, side_deg, oversize, source_redshift, shift, table,
cosmology.omega_m, cosmology.omega_b, cosmology.sigma_8, cosmology.n_s, cosmology.h")]
pub struct Arguments {
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// How many maps
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the maps in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the maps in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, allow_negative_numbers = true)]
    test: f64,
    /// Sets a value, as in side=64, field=gaussian, source_redshift=1; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl Arguments {
    /// What `run` would refuse.
    pub(super) fn check_ahead(&self) -> Result<(), CommandError> {
        check_shares(self.validation, self.test)?;
        MassMaps::new(&settings(&self.sets)?)?;
        Ok(())
    }
}

/// Simulates this rank's shards of a dataset of maps.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    check_shares(arguments.validation, arguments.test)?;
    let maps = session.agree(settings(&arguments.sets).and_then(|settings| Ok(MassMaps::new(&settings)?)))?;
    let header = header(session, arguments, &maps);
    let begun = Instant::now();
    let dataset = write(session, &arguments.out, header, ["map", "maps"], |writer, shard, counter| {
        let mut workspace = maps.workspace();
        writer.write_shard(shard, |record, map| {
            maps.map(arguments.seed, record, &mut workspace, map);
            counter.add(1);
        })
    })?;
    log::info!(
        "{} maps of {} px in {:.1} s: {}, checksum {}",
        arguments.count,
        maps.side(),
        begun.elapsed().as_secs_f64(),
        arguments.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

fn header(session: &Session, arguments: &Arguments, maps: &MassMaps) -> Header {
    let mut source = maps.describe();
    source.insert("made_by".into(), "simulate maps".into());
    source.insert("seed".into(), (arguments.seed as i64).into());
    let pixel_arcmin = maps.grid().pixel_rad.to_degrees() * 60.0;
    let field = Field { side_deg: pixel_arcmin * maps.side() as f64 / 60.0, pixel_arcmin };
    let shape = [1, maps.side(), maps.side()];
    Header {
        count: arguments.count,
        modalities: vec![Modality::maps(shape, "1", maps.default_transform(), Some(field))],
        labels: Vec::new(),
        splits: shards::splits(session, arguments.count, arguments.validation, arguments.test),
        source,
    }
}
