//! `skyforge simulate maps`.

use std::time::Instant;

use super::{Request, check_shares, settings, write};
use crate::app::session::Session;
use crate::app::{CommandError, shards};
use crate::data::{Field, Header, Modality};
use crate::exit::Exit;
use crate::simulate::MassMaps;

/// Checks what `run` would refuse.
pub(super) fn check_ahead(request: &Request) -> Result<(), CommandError> {
    check_shares(request.validation, request.test)?;
    MassMaps::new(&settings(&request.sets)?)?;
    Ok(())
}

/// Simulates this rank's shards of a dataset of maps.
pub(super) fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    check_shares(request.validation, request.test)?;
    let maps = session.agree(settings(&request.sets).and_then(|settings| Ok(MassMaps::new(&settings)?)))?;
    let header = header(session, request, &maps);
    let begun = Instant::now();
    let dataset = write(session, &request.out, header, ["map", "maps"], |writer, shard, counter| {
        let mut workspace = maps.workspace();
        writer.write_shard(shard, |record, map| {
            maps.map(request.seed, record, &mut workspace, map);
            counter.add(1);
        })
    })?;
    log::info!(
        "{} maps of {} px in {:.1} s: {}, checksum {}",
        request.count,
        maps.side(),
        begun.elapsed().as_secs_f64(),
        request.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

fn header(session: &Session, request: &Request, maps: &MassMaps) -> Header {
    let mut source = maps.describe();
    source.insert("made_by".into(), "simulate maps".into());
    source.insert("seed".into(), (request.seed as i64).into());
    let pixel_arcmin = maps.grid().pixel_rad.to_degrees() * 60.0;
    let field = Field { side_deg: pixel_arcmin * maps.side() as f64 / 60.0, pixel_arcmin };
    let shape = [1, maps.side(), maps.side()];
    Header {
        count: request.count,
        modalities: vec![Modality::maps(shape, "1", maps.default_transform(), Some(field))],
        labels: Vec::new(),
        splits: shards::splits(session, request.count, request.validation, request.test),
        source,
    }
}
