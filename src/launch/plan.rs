//! What a stage becomes at a site: which jobs, of what size, and whether they fit.

use std::path::Path;

use super::site::Queue;
use super::{LaunchError, Site, Stage};

/// What goes on where one job cannot finish a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: one step that is done when it ends.
    Task,
    /// The same job again, requeued.
    Training,
    /// The next job of a chain.
    Chain,
    /// Any worker of an array.
    Array,
}

impl Kind {
    /// Its word, that of its template.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Task => "task",
            Kind::Training => "training",
            Kind::Chain => "chain",
            Kind::Array => "array",
        }
    }
}

/// A stage at a site.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// What is wanted.
    pub stage: &'a Stage,
    /// Where it goes.
    pub queue: &'a Queue,
    /// How it goes on.
    pub kind: Kind,
    /// Processors of each rank.
    pub cpus_per_rank: u32,
}

impl<'a> Planned<'a> {
    /// Stage at site; `threads` are those that a rank of it runs, where its configuration says so.
    pub fn new(stage: &'a Stage, site: &'a Site, threads: Option<u32>) -> Result<Self, LaunchError> {
        let wrong = |fault: String| LaunchError::Stage { stage: stage.name.clone(), fault };
        let Some(queue) = site.queue(stage.gpus_per_node) else {
            return Err(wrong(format!("asks for GPUs, expected a site with some: {} has no [gpu]", site.name)));
        };
        let kind = match stage.command.split_whitespace().next() {
            _ if stage.array > 0 => Kind::Array,
            Some("train") if stage.chain_length > 1 => Kind::Chain,
            Some("train") => Kind::Training,
            _ if stage.chain_length > 1 => {
                return Err(wrong(format!(
                    "`chain_length` is {}, expected 1 for what neither trains nor is an array",
                    stage.chain_length
                )));
            }
            _ => Kind::Task,
        };
        let threads = threads.unwrap_or(1);
        let cpus_per_rank = stage.cpus_per_rank.unwrap_or(threads);
        if cpus_per_rank < threads {
            return Err(wrong(format!(
                "`cpus_per_rank` is {cpus_per_rank}, expected those of `trainer.threads_per_rank`: {threads}"
            )));
        }
        let planned = Self { stage, queue, kind, cpus_per_rank };
        planned.fits().map_err(wrong)?;
        Ok(planned)
    }

    /// Whether a job of it fits on the site's nodes.
    fn fits(&self) -> Result<(), String> {
        let Self { stage, queue, .. } = self;
        let processors = stage.ranks_per_node * self.cpus_per_rank;
        if let Some(have) = queue.cpus_per_node.filter(|&have| processors > have) {
            return Err(format!(
                "asks for {processors} processors a node, expected at most those of the site's nodes: {have}"
            ));
        }
        if stage.gpus_per_node > queue.gpus_per_node {
            let (asked, have) = (stage.gpus_per_node, queue.gpus_per_node);
            return Err(format!("asks for {asked} GPUs a node, expected at most those of the site's nodes: {have}"));
        }
        if stage.gpus_per_node > 0 && stage.ranks_per_node > stage.gpus_per_node {
            let (ranks, gpus) = (stage.ranks_per_node, stage.gpus_per_node);
            return Err(format!(
                "`ranks_per_node` is {ranks}, expected at most a rank for each of `gpus_per_node`: {gpus}"
            ));
        }
        if let (Some(asked), Some(have)) = (stage.memory, queue.memory_per_node)
            && asked > have
        {
            return Err(format!("`memory` is {asked}, expected at most that of the site's nodes: {have}"));
        }
        if let Some(longest) = queue.max_time.filter(|longest| stage.time > *longest) {
            return Err(format!(
                "`time` is {}, expected at most the site's {longest}: more `chain_length` or `max_starts` make it longer",
                stage.time
            ));
        }
        Ok(())
    }

    /// How many tasks each of its arrays has, where SLURM takes indices below `limit`; one 0 for what is no array.
    pub fn arrays(&self, limit: u32) -> Vec<u32> {
        let (array, limit) = (self.stage.array, limit.max(1));
        if array == 0 {
            return vec![0];
        }
        let arrays = array.div_ceil(limit);
        (0..arrays).map(|number| limit.min(array - number * limit)).collect()
    }

    /// Node-hours that it may take if nothing is done again.
    pub fn node_hours(&self) -> f64 {
        let jobs = self.stage.chain_length * self.stage.array.max(1);
        f64::from(jobs * self.stage.nodes) * self.stage.time.hours()
    }

    /// The file that proves it done.
    pub fn proof(&self, folder: &Path) -> std::path::PathBuf {
        super::job::in_folder(&self.stage.produces, folder).into()
    }
}
