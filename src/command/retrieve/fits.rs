//! The spectra that a retrieval makes of its objects, as a dataset.

use std::ops::Range;
use std::path::Path;

use super::table::Retrieved;
use crate::catalog::Facts;
use crate::command::session::Session;
use crate::command::{CommandError, shards};
use crate::data::{Channel, DataError, Dataset, Header, SpectralAxis, atmosphere};
use crate::inference::retrieval::Posterior;

/// Writes the best fit of each of `objects` with its medians as parameters and its id in `dataset`.
pub fn write(
    session: &Session,
    out: &Path,
    dataset: &Dataset,
    made: &[(&Posterior, &Retrieved)],
    about: &Facts,
) -> Result<(), CommandError> {
    let count = made.len() as u64;
    let header = dataset.manifest().header();
    let axis = header.axis.as_ref().expect("it holds spectra");
    let header = Header {
        count,
        shape: vec![1, axis.wavelength_um.len()],
        parameters: atmosphere::parameters(),
        splits: shards::splits(count, 1.0),
        axis: Some(SpectralAxis { channels: vec![Channel::Depth], wavelength_um: axis.wavelength_um.clone() }),
        source: toml::Table::try_from(about).expect("facts are a table without nulls"),
        ..header
    };
    shards::write(session, out, header, ["spectrum", "spectra"], |writer, shard, counter| {
        writer.write_blocks(shard, |records: Range<u64>, rows| {
            let made = &made[records.start as usize..records.end as usize];
            rows.ids = made.iter().map(|(_, retrieved)| retrieved.row.id).collect();
            rows.values = made.iter().flat_map(|(posterior, _)| posterior.best_depths.iter().copied()).collect();
            rows.parameters =
                made.iter().flat_map(|(_, retrieved)| retrieved.row.parameters.map(|known| known.median)).collect();
            counter.add(made.len() as u64);
            Ok::<(), DataError>(())
        })
    })?;
    Ok(())
}
