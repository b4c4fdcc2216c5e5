//! What was planned and submitted, in a table or as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::{Request, Standing, ids};
use crate::app::CommandError;
use crate::app::output::say;
use crate::launch::{Planned, Site};

#[expect(clippy::too_many_arguments, reason = "it tells all of what submit knows")]
pub(super) fn tell(
    request: &Request,
    site: &Site,
    folder: &Path,
    planned: &[Planned],
    standings: &[Standing],
    given: &BTreeMap<&str, Vec<u64>>,
    free: u64,
    told: &[String],
) -> Result<(), CommandError> {
    let rows: Vec<(&Planned, &Standing)> = planned.iter().zip(standings).collect();
    if request.json {
        let stages: Vec<Value> =
            rows.iter().map(|(planned, standing)| object(planned, standing, given, folder)).collect();
        let plan = json!({
            "folder": folder, "site": site.name, "free_bytes": free, "submitted": !request.dry_run, "stages": stages,
            "told": told,
        });
        return say(&plan.to_string());
    }
    let head = ["stage", "kind", "nodes x ranks", "gpus", "jobs", "time", "makes", "state"].map(str::to_owned);
    let mut table = vec![head];
    table.extend(rows.iter().map(|(planned, standing)| row(planned, standing, given)));
    let widths: Vec<usize> =
        (0..table[0].len()).map(|at| table.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![format!("{}, {} free, site {}", folder.display(), HumanBytes(free), site.name)];
    lines.extend(table.iter().map(line));
    let wanted = rows.iter().filter(|(_, standing)| **standing == Standing::Wanted);
    let hours: f64 = wanted.map(|(planned, _)| planned.node_hours()).sum();
    lines.push(format!(
        "at most {hours:.1} node-hours if nothing is done again; scripts are in {}",
        folder.join("slurm").display()
    ));
    lines.extend(told.iter().cloned());
    if request.dry_run {
        lines.push("nothing is submitted, since this is a dry run".into());
    } else if given.is_empty() {
        lines.push("nothing is submitted, since nothing is left to do or all is in the queue".into());
    }
    say(&lines.join("\n"))
}

fn jobs(planned: &Planned, standing: &Standing, given: &BTreeMap<&str, Vec<u64>>) -> Vec<u64> {
    match standing {
        Standing::Queued(jobs) => jobs.clone(),
        Standing::Done | Standing::Wanted | Standing::Left => {
            given.get(planned.stage.name.as_str()).cloned().unwrap_or_default()
        }
    }
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Done => "done",
        Standing::Queued(_) => "in the queue",
        Standing::Wanted => "to do",
        Standing::Left => "left",
    }
}

fn row(planned: &Planned, standing: &Standing, given: &BTreeMap<&str, Vec<u64>>) -> [String; 8] {
    let stage = planned.stage;
    let jobs = jobs(planned, standing, given);
    let state = match (standing, jobs.is_empty()) {
        (_, true) => word(standing).to_owned(),
        (Standing::Wanted, false) => format!("submitted as {}", ids(&jobs, ", ")),
        (_, false) => format!("{} as {}", word(standing), ids(&jobs, ", ")),
    };
    [
        stage.name.clone(),
        planned.kind.word().into(),
        format!("{} x {}", stage.nodes, stage.ranks_per_node),
        stage.gpus_per_node.to_string(),
        (stage.chain_length * stage.array.max(1)).to_string(),
        stage.time.to_string(),
        stage.produces.trim_start_matches("$CAMPAIGN/").to_owned(),
        state,
    ]
}

fn object(planned: &Planned, standing: &Standing, given: &BTreeMap<&str, Vec<u64>>, folder: &Path) -> Value {
    let stage = planned.stage;
    json!({
        "stage": stage.name, "kind": planned.kind.word(), "nodes": stage.nodes, "ranks_per_node": stage.ranks_per_node,
        "cpus_per_rank": planned.cpus_per_rank, "gpus_per_node": stage.gpus_per_node, "array": stage.array,
        "chain_length": stage.chain_length, "seconds": stage.time.seconds, "produces": planned.proof(folder), "state": word(standing),
        "jobs": jobs(planned, standing, given),
    })
}
