//! Job and site files, and the scripts that come of them: as text, as shell, and as what a launcher's exit codes make of them.

mod files;
mod protocol;
mod queue;
mod quote;
mod snapshots;

use std::path::Path;

use skyforge::launch::{Job, Planned, Site, script};

/// A job out of its text.
fn job(text: &str) -> Result<Job, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("job.toml");
    std::fs::write(&path, text).expect("the disk has room");
    Job::load(&path)
        .map_err(|error| error.to_string().rsplit_once("job.toml: ").expect("it names the file").1.to_owned())
}

/// The repository's own job of that name.
fn own_job(name: &str) -> Job {
    Job::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs").join(name)).expect("our own job is fine")
}

/// The script of a stage, in places that are the same on every machine.
fn rendered(job: &Job, stage: &str, site: &str, folder: &str) -> String {
    let site = Site::load(site).expect("a known site");
    let planned = Planned::new(job.stage(stage).expect("a stage"), &site, None).expect("it fits");
    script::render(&planned, &site, &job.name, Path::new(folder), Path::new("/home/me/sky"))
}
