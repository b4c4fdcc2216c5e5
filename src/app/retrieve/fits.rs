//! The spectra that a retrieval makes of its objects, as a dataset.

use std::ops::Range;

use super::table::Retrieved;
use crate::app::output_dataset::OutputDataset;
use crate::app::session::Session;
use crate::app::{CommandError, fit_spectra, shards};
use crate::catalog::Metadata;
use crate::data::{DataError, Dataset, Header, split};
use crate::family::spectra_gan::retrieval::Posterior;

/// Writes the best fit of each of `objects` with its medians as labels and its id in `dataset`.
pub fn write(
    session: &Session,
    out: &OutputDataset,
    dataset: &Dataset,
    made: &[(&Posterior, &Retrieved)],
    metadata: &Metadata,
) -> Result<(), CommandError> {
    let count = made.len() as u64;
    let header = Header {
        count,
        splits: split::by_shares(count, 0.0, 1.0),
        source: source(metadata),
        ..fit_spectra::whole(dataset.manifest().header())
    };
    shards::write(session, out, header, ["spectrum", "spectra"], |writer, shard, counter| {
        writer.write_blocks(shard, |records: Range<u64>, rows| {
            let made = &made[records.start as usize..records.end as usize];
            rows.ids = made.iter().map(|(_, retrieved)| retrieved.row.id).collect();
            rows.values[0] = made.iter().flat_map(|(posterior, _)| posterior.best_depths.iter().copied()).collect();
            rows.labels =
                made.iter().flat_map(|(_, retrieved)| retrieved.row.parameters.map(|known| known.median)).collect();
            counter.add(made.len() as u64);
            Ok::<(), DataError>(())
        })
    })?;
    Ok(())
}

/// What the dataset says of how it was made: what the table says, and by which command.
fn source(metadata: &Metadata) -> toml::Table {
    let mut source = toml::Table::try_from(metadata).expect("metadata are a table without nulls");
    source.insert("made_by".into(), "retrieve".into());
    source
}
