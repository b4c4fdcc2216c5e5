//! The batch script of a stage: a template with the stage's words and the site's in it.

use std::path::Path;

use super::job::FOLDER;
use super::{Kind, Planned, Site};

const TASK: &str = include_str!("../../slurm/task.sbatch");
const TRAINING: &str = include_str!("../../slurm/training.sbatch");
const CHAIN: &str = include_str!("../../slurm/chain.sbatch");
const ARRAY: &str = include_str!("../../slurm/array.sbatch");

/// The script of `planned` in a campaign called `name` with that folder, seen from `here`.
pub fn render(planned: &Planned, site: &Site, name: &str, folder: &Path, here: &Path) -> String {
    let Planned { stage, kind, .. } = planned;
    let template = match kind {
        Kind::Task => TASK,
        Kind::Training => TRAINING,
        Kind::Chain => CHAIN,
        Kind::Array => ARRAY,
    };
    let values = [
        ("stage", stage.name.clone()),
        ("name", name.to_owned()),
        ("job", format!("{name}-{}", stage.name)),
        ("here", here.display().to_string()),
        ("folder", folder.display().to_string()),
        ("resources", resources(planned, site)),
        ("setup", setup(site)),
        ("step", step(planned, site)),
        ("produces", stage.produces.clone()),
        ("signal", (stage.stop_ahead().seconds / 2).max(1).to_string()),
        ("starts", stage.max_starts.to_string()),
        ("links", stage.chain_length.to_string()),
    ];
    let mut script = template.to_owned();
    for (key, value) in values {
        script = script.replace(&format!("{{{{{key}}}}}"), &value);
    }
    assert!(!script.contains("{{"), "every placeholder has a value: {script}");
    script
}

/// What is asked of the queue. The array's size is said when it is submitted, since it may be cut in parts.
fn resources(planned: &Planned, site: &Site) -> String {
    let Planned { stage, queue, cpus_per_rank, .. } = planned;
    let named = [("partition", &queue.partition), ("account", &queue.account), ("qos", &queue.qos)];
    let mut options: Vec<String> =
        named.iter().filter_map(|(key, value)| Some(format!("--{key}={}", value.as_ref()?))).collect();
    options.extend([
        format!("--nodes={}", stage.nodes),
        format!("--ntasks-per-node={}", stage.ranks_per_node),
        format!("--cpus-per-task={cpus_per_rank}"),
    ]);
    if stage.gpus_per_node > 0 {
        options.push(site.gpu_request.replace("{{gpus}}", &stage.gpus_per_node.to_string()));
    }
    options.extend(stage.memory.map(|memory| format!("--mem={memory}")));
    options.push(format!("--time={}", stage.time));
    options.extend(queue.sbatch_options.iter().cloned());
    options.iter().map(|option| format!("#SBATCH {option}")).collect::<Vec<_>>().join("\n")
}

fn setup(site: &Site) -> String {
    let modules = (!site.modules.is_empty()).then(|| format!("module load {}", site.modules.join(" ")));
    let lines: Vec<String> = modules.into_iter().chain(site.setup.iter().cloned()).collect();
    if lines.is_empty() { "# The site needs no modules.".into() } else { lines.join("\n") }
}

/// The line that starts the ranks.
fn step(planned: &Planned, site: &Site) -> String {
    let Planned { stage, kind, .. } = planned;
    let mut launcher = vec![site.launcher.clone()];
    if site.launcher.split_whitespace().next() == Some("srun") {
        // srun does not take --cpus-per-task over from sbatch since 22.05. A rank that dies takes the others along. Ranks see all GPUs of
        // their node, since those that see one only cannot reach each other's.
        launcher.push(format!("--cpus-per-task={} --kill-on-bad-exit=1", planned.cpus_per_rank));
        if stage.gpus_per_node > 0 {
            launcher.push("--gpu-bind=none".into());
        }
    }
    let program = site.program.as_deref().unwrap_or("skyforge");
    let mut words: Vec<String> = stage.command.split_whitespace().map(quoted).collect();
    if *kind != Kind::Task && !words.iter().any(|word| word.starts_with("--max-wall")) {
        let seconds = stage.time.seconds - stage.stop_ahead().seconds;
        words.push(format!("--max-wall {}", seconds as f64 / 60.0));
    }
    format!("{} \\\n    {} {}", launcher.join(" "), quoted(program), words.join(" "))
}

/// A word as the shell takes it for one, in which the campaign's folder is still a variable.
fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./=:,+%@".contains(sign);
    if word.chars().all(plain) { word.to_owned() } else { format!("\"{}\"", word.replace(FOLDER, "$CAMPAIGN")) }
}
