//! The batch script of a stage: a template with the stage's words and the site's in it.

use std::path::Path;

use super::{Kind, Planned, Site, Stage, quote};

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
    let (here, folder) = (here.display().to_string(), folder.display().to_string());
    let values = [
        ("stage", stage.name.clone()),
        ("name", name.to_owned()),
        ("job", job_name(name, &stage.name)),
        ("here", quote::option(&here)),
        ("log", log(&folder, stage)),
        ("folder", quote::word(&folder)),
        ("resources", resources(planned, site)),
        ("setup", setup(site)),
        ("step", step(planned, site)),
        ("produces", quote::in_double_quotes(&stage.produces)),
        ("signal", (stage.stop_ahead().seconds / 2).max(1).to_string()),
        ("starts", stage.max_starts.to_string()),
        ("links", stage.chain_length.to_string()),
    ];
    // In one go over the template, since a value may look like a placeholder.
    let mut parts = template.split("{{");
    let mut script = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (key, text) = part.split_once("}}").expect("a placeholder ends");
        let (_, value) = values.iter().find(|(known, _)| *known == key).expect("every placeholder has a value");
        script.push_str(value);
        script.push_str(text);
    }
    script
}

/// The logs of a stage's jobs, as a pattern of sbatch.
fn log(folder: &str, stage: &Stage) -> String {
    let task = if stage.array > 0 { "-%a" } else { "" };
    quote::option(&format!("{}/log/{}{task}.log", quote::in_pattern(folder), stage.name))
}

/// The name of the jobs of a stage, in a campaign called `name`.
pub fn job_name(name: &str, stage: &str) -> String {
    format!("{name}-{stage}")
}

/// What is asked of the queue. The array's size is said when it is submitted, since it may be cut in parts.
fn resources(planned: &Planned, site: &Site) -> String {
    let Planned { stage, queue, cpus_per_rank, .. } = planned;
    let named = [("partition", &queue.partition), ("account", &queue.account), ("qos", &queue.qos)];
    let mut options: Vec<String> =
        named.iter().filter_map(|(key, value)| Some(format!("--{key}={}", quote::option(value.as_ref()?)))).collect();
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
    let program = program(site.program.as_deref().unwrap_or("skyforge"));
    let mut words: Vec<String> = stage.command.split_whitespace().map(argument).collect();
    if *kind != Kind::Task && !words.iter().any(|word| word.starts_with("--max-wall")) {
        let seconds = stage.time.seconds - stage.stop_ahead().seconds;
        words.push(format!("--max-wall {}", seconds as f64 / 60.0));
    }
    format!("{} \\\n    {} {}", launcher.join(" "), program, words.join(" "))
}

/// The program as a word of the shell, in which a variable that it begins with stays one, as in `$HOME/bin/skyforge`.
fn program(path: &str) -> String {
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    match path.strip_prefix('$').map(|rest| rest.split_at(rest.find(|sign| !is_name(sign)).unwrap_or(rest.len()))) {
        Some((variable, rest)) if !variable.is_empty() => {
            format!("\"${{{variable}}}\"{}", if rest.is_empty() { String::new() } else { quote::word(rest) })
        }
        _ => quote::word(path),
    }
}

/// A word of a stage as the shell takes it for one, in which the campaign's folder is still a variable.
fn argument(word: &str) -> String {
    if quote::word(word) == word { word.to_owned() } else { format!("\"{}\"", quote::in_double_quotes(word)) }
}
