//! What all ranks see, judged: faults are what a run would fail of.

use std::collections::{BTreeMap, BTreeSet};

use indicatif::HumanBytes;

use super::facts::{Facts, Input};
use super::finding::Finding;
use super::plural::{NAMED, count, ranks, verb};
use super::wanted::Failure;
use crate::app::versions;
use crate::device as devices;
use crate::exit::{Ends, Exit};

/// Clocks of ranks may differ by this much, in seconds: metrics and logs are read side by side.
const SKEW: f64 = 2.0;
/// A dataset holds 128 files open; libraries, logs and connections to other ranks come on top.
const OPEN_FILES: u64 = 256;
/// What Linux gives by default, and libraries are built for.
const STACK_BYTES: u64 = 8 << 20;
/// Less cannot hold the pinned copy of a small network's gradient.
const LOCKED_BYTES: u64 = 64 << 20;
/// A file of a megabyte that takes longer, in seconds, makes each checkpoint a pause.
const SLOW_SYNC: f64 = 5.0;

/// Ranks for which something holds.
fn those(all: &[Facts], holds: impl Fn(&Facts) -> bool) -> Vec<usize> {
    all.iter().enumerate().filter(|(_, facts)| holds(facts)).map(|(rank, _)| rank).collect()
}

/// Ranks that have another value than most; of equally many, than the first.
fn odd<T: Ord>(values: impl Iterator<Item = T>) -> Vec<usize> {
    let values: Vec<T> = values.collect();
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for value in &values {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    let usual = values.iter().find(|value| counts[value] == most);
    values.iter().enumerate().filter(|(_, value)| Some(*value) != usual).map(|(rank, _)| rank).collect()
}

/// Where the ranks are.
pub(super) fn hosts(all: &[Facts]) -> Finding {
    let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
    for facts in all {
        *hosts.entry(&facts.host).or_default() += 1;
    }
    let named: Vec<String> = hosts.iter().take(2 * NAMED).map(|(host, ranks)| format!("{host} ({ranks})")).collect();
    let more =
        if hosts.len() > named.len() { format!(" and {} more", hosts.len() - named.len()) } else { String::new() };
    let (ranks, machines) = (count(all.len(), "rank"), count(hosts.len(), "host"));
    Finding::ok("hosts", format!("{ranks} on {machines}: {}{more}", named.join(", ")))
}

/// What the batch system gave, held against what the ranks see.
pub(super) fn allocation(all: &[Facts]) -> Finding {
    const CHECK: &str = "allocation";
    let first = &all[0].allocation;
    let Some(job) = &first.job else { return Finding::ok(CHECK, "no batch system") };
    let found = first.to_string();
    let numbered = those(all, |facts| facts.differences.is_some());
    if let Some(Some(differences)) = numbered.first().map(|&rank| &all[rank].differences) {
        let found = format!("{found}; {}: {differences}", ranks(&numbered));
        return Finding::warning(CHECK, found, "start the ranks with srun --mpi=pmix, or with the mpirun of this MPI");
    }
    let elsewhere = those(all, |facts| facts.allocation.job.as_ref() != Some(job));
    if !elsewhere.is_empty() {
        let found = format!("{found}; {} of another job, or of none", verb(&elsewhere, "is", "are"));
        return Finding::warning(
            CHECK,
            found,
            "have mpirun take its nodes from the job: leave out --host and --hostfile",
        );
    }
    let threads = all[0].threads;
    if let Some(asked) = first.cpus_per_task
        && let unused @ [_, ..] = those(all, |facts| facts.processors < asked).as_slice()
    {
        let found = format!("{found}; {} fewer processors than SLURM_CPUS_PER_TASK", verb(unused, "has", "have"));
        let remedy = format!("say it to srun too: srun --cpus-per-task={asked}, or export SRUN_CPUS_PER_TASK={asked}");
        return Finding::warning(CHECK, found, remedy);
    }
    if first.cpus_per_task.is_some_and(|asked| asked < threads) {
        let remedy = format!("ask for more, --cpus-per-task={threads}, or lower it");
        return Finding::fault(CHECK, Exit::Usage, format!("{found}; trainer.threads_per_rank = {threads}"), remedy);
    }
    let hosts: BTreeSet<&str> = all.iter().map(|facts| facts.host.as_str()).collect();
    if let Some(nodes) = first.nodes.filter(|nodes| *nodes > hosts.len()) {
        let found = format!("{found}; the ranks are on {} of {}", hosts.len(), count(nodes, "node"));
        return Finding::warning(CHECK, found, "ask for fewer nodes, or spread the ranks: --ntasks-per-node");
    }
    Finding::ok(CHECK, found)
}

/// The same program everywhere.
pub(super) fn binary(all: &[Facts]) -> Finding {
    let others = odd(all.iter().map(|facts| &facts.binary));
    if others.is_empty() {
        return Finding::ok("binary", format!("skyforge {}, {}", env!("CARGO_PKG_VERSION"), all[0].binary));
    }
    let found = format!("{} another binary than the rest", verb(&others, "runs", "run"));
    Finding::fault("binary", Exit::Hardware, found, "start the same file on all nodes, by its full path")
}

/// The same time everywhere.
pub(super) fn clocks(all: &[Facts]) -> Finding {
    let first = all[0].seconds;
    let (mut worst, mut rank) = (0.0, 0);
    for (at, facts) in all.iter().enumerate() {
        if (facts.seconds - first).abs() > worst {
            (worst, rank) = ((facts.seconds - first).abs(), at);
        }
    }
    if worst > SKEW {
        let found = format!("the clock of rank {rank} is {worst:.1} s from that of rank 0");
        return Finding::warning("clocks", found, format!("have the clock of {} set", all[rank].host));
    }
    Finding::ok("clocks", format!("within {worst:.3} s of each other"))
}

/// A processor for each thread.
pub(super) fn processors(all: &[Facts]) -> Finding {
    const CHECK: &str = "processors";
    let threads = all[0].threads;
    let short = those(all, |facts| facts.threads > facts.processors);
    if let Some(&rank) = short.first() {
        let (threads, may) = (all[rank].threads, count(all[rank].processors, "processor"));
        let found = format!("{} may use {may} for trainer.threads_per_rank = {threads}", ranks(&short));
        let remedy = format!(
            "set it to {} or give ranks more: srun --cpus-per-task={threads}, mpirun --map-by slot:PE={threads}",
            all[rank].processors
        );
        return Finding::fault(CHECK, Exit::Usage, found, remedy);
    }
    let mut hosts: BTreeMap<&str, (usize, BTreeSet<usize>)> = BTreeMap::new();
    for facts in all {
        let (threads, processors) = hosts.entry(&facts.host).or_default();
        *threads += facts.threads;
        processors.extend(&facts.bound_to);
    }
    let crowded = hosts.iter().find(|(_, (threads, processors))| threads > &processors.len() && !processors.is_empty());
    if let Some((host, (threads, processors))) = crowded {
        let found = format!("{threads} threads of all ranks on {host} share {}", count(processors.len(), "processor"));
        return Finding::warning(
            CHECK,
            found,
            "start fewer ranks a node, lower trainer.threads_per_rank, or bind wider",
        );
    }
    let bound = all.iter().filter(|facts| !facts.bound_to.is_empty() && facts.bound_to.len() < facts.machine).count();
    let binding = match bound {
        0 => "unbound".to_owned(),
        all_of_them if all_of_them == all.len() => "each bound".to_owned(),
        some => format!("{some} of them bound"),
    };
    let least = all.iter().map(|facts| facts.processors).min().unwrap_or(1);
    Finding::ok(
        CHECK,
        format!("{} a rank, which may use {} ({binding})", count(threads, "thread"), count(least, "processor")),
    )
}

/// What the system lets each process have.
pub(super) fn limits(all: &[Facts]) -> Finding {
    let least = |of: fn(&Facts) -> Option<u64>| all.iter().filter_map(of).min();
    let open_files = least(|facts| facts.limits.open_files);
    let stack = least(|facts| facts.limits.stack_bytes);
    let locked = least(|facts| facts.limits.locked_bytes);
    let size = |bytes: Option<u64>| bytes.map_or("without limit".to_owned(), |bytes| HumanBytes(bytes).to_string());
    let files = open_files.map_or("without limit".to_owned(), |files| files.to_string());
    let on_gpu = all.iter().any(|facts| facts.device.as_ref().is_ok_and(|place| place.is_gpu));
    let locked_too = if on_gpu { format!(", locked memory {}", size(locked)) } else { String::new() };
    let found = format!("open files {files}, stack {}{locked_too}", size(stack));
    let below = |have: Option<u64>, wanted: u64| have.is_some_and(|have| have < wanted);
    let mut remedies = Vec::new();
    if below(open_files, OPEN_FILES + all.len() as u64) {
        remedies.push(format!("ulimit -n {}", (OPEN_FILES + all.len() as u64).next_power_of_two()));
    }
    if below(stack, STACK_BYTES) {
        remedies.push(format!("ulimit -s {}", STACK_BYTES >> 10));
    }
    if on_gpu && below(locked, LOCKED_BYTES) {
        remedies.push("ulimit -l unlimited".to_owned());
    }
    if remedies.is_empty() {
        return Finding::ok("limits", found);
    }
    Finding::warning("limits", found, format!("in the job script: {}", remedies.join("; ")))
}

/// libtorch itself.
pub(super) fn libtorch(all: &[Facts]) -> Finding {
    let (threads, version) = (all[0].torch_threads, versions::LIBTORCH);
    let others = odd(all.iter().map(|facts| facts.torch_threads));
    if others.is_empty() {
        return Finding::ok("libtorch", format!("{version}, {} a rank", count(threads as usize, "thread")));
    }
    let found = format!("{version}, {} another number of threads than the rest", verb(&others, "has", "have"));
    Finding::fault("libtorch", Exit::Hardware, found, "give all ranks equally many processors: bits depend on threads")
}

/// Where each rank works.
pub(super) fn device(all: &[Facts]) -> Finding {
    const CHECK: &str = "device";
    if let Some((rank, failure)) = first_failure(all.iter().map(|facts| facts.device.as_ref().err())) {
        let remedy = "ask the queue for GPUs, or set trainer.device = \"cpu\"";
        return Finding::fault(CHECK, failure.exit(), format!("rank {rank}: {}", failure.message), remedy);
    }
    let places: Vec<_> = all.iter().filter_map(|facts| facts.device.as_ref().ok()).collect();
    let wrong = those(all, |facts| facts.device.as_ref().is_ok_and(|place| !place.counts));
    if !wrong.is_empty() {
        let found = format!("{} a product of ones wrong", verb(&wrong, "gets", "get"));
        return Finding::fault(CHECK, Exit::Hardware, found, format!("take {} out of the job", all[wrong[0]].host));
    }
    if let Err(error) = devices::alike(&places.iter().map(|place| place.is_gpu).collect::<Vec<bool>>()) {
        let remedy = "ask for nodes that are alike, or set trainer.device = \"cpu\"";
        return Finding::fault(CHECK, error.exit(), error.to_string(), remedy);
    }
    Finding::ok(CHECK, places[0].reason.clone())
}

/// Whether the folder takes files and keeps them.
pub(super) fn folder(all: &[Facts], place: &str) -> Finding {
    const CHECK: &str = "folder";
    let failed = those(all, |facts| facts.folder.is_err());
    if let Some(Err(message)) = failed.first().map(|&rank| &all[rank].folder) {
        let found = if failed.len() == all.len() { message.clone() } else { format!("{}: {message}", ranks(&failed)) };
        let remedy = "name a folder that all ranks may write to, on a file system with room";
        return Finding::fault(CHECK, Exit::FileSystem, found, remedy);
    }
    let slowest = all.iter().filter_map(|facts| facts.folder.as_ref().ok()).map(|w| w.seconds).fold(0.0, f64::max);
    let found = format!("{place}: 1 MiB written, synced and renamed in {:.1} ms", 1e3 * slowest);
    if slowest > SLOW_SYNC {
        return Finding::warning(CHECK, found, "name a folder on the parallel file system, not on home");
    }
    Finding::ok(CHECK, found)
}

/// A file that all ranks must read alike.
pub(super) fn input<'a>(
    check: &'static str,
    of: impl Iterator<Item = Option<&'a Result<Input, Failure>>>,
) -> Option<Finding> {
    let of: Option<Vec<_>> = of.collect();
    let of = of?;
    let failed: Vec<usize> = (0..of.len()).filter(|&rank| of[rank].is_err()).collect();
    if let Some((_, failure)) = first_failure(of.iter().map(|input| input.as_ref().err())) {
        let message = &failure.message;
        let found = if failed.len() == of.len() { message.clone() } else { format!("{}: {message}", ranks(&failed)) };
        let remedy =
            if failed.len() == of.len() { "mend it, or name another" } else { "name a path that all nodes share" };
        return Some(Finding::fault(check, failure.exit(), found, remedy));
    }
    let inputs: Vec<&Input> = of.iter().filter_map(|input| input.as_ref().ok()).collect();
    let others = odd(inputs.iter().map(|input| &input.checksum));
    if others.is_empty() {
        return Some(Finding::ok(check, format!("{} ({})", inputs[0].words, inputs[0].checksum)));
    }
    let usual = (0..inputs.len()).find(|rank| !others.contains(rank)).unwrap_or(0);
    let found =
        format!("{} another than {}: {}", verb(&others, "reads", "read"), ranks(&[usual]), inputs[others[0]].words);
    Some(Finding::fault(check, Exit::Data, found, "name a path on a file system that all nodes share"))
}

fn first_failure<'a>(of: impl Iterator<Item = Option<&'a Failure>>) -> Option<(usize, &'a Failure)> {
    of.enumerate().find_map(|(rank, failure)| Some((rank, failure?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::allocation::Allocation;
    use crate::app::doctor::facts::{Limits, Place};
    use crate::app::doctor::finding::Verdict;
    use crate::app::doctor::folder::Written;

    fn facts(host: &str, processors: &[usize]) -> Facts {
        Facts {
            host: host.into(),
            allocation: Allocation {
                job: Some("7".into()),
                nodes: Some(2),
                tasks: Some(4),
                cpus_per_task: Some(1),
                ..Allocation::default()
            },
            differences: None,
            seconds: 1e9,
            binary: "same".into(),
            threads: 1,
            processors: processors.len(),
            bound_to: processors.iter().copied().collect(),
            machine: 4,
            limits: Limits { open_files: Some(4096), stack_bytes: Some(8 << 20), locked_bytes: Some(1 << 16) },
            torch_threads: 1,
            device: Ok(Place { reason: "the CPU".into(), is_gpu: false, counts: true }),
            folder: Ok(Written { seconds: 0.01, free_bytes: 1 << 40 }),
            config: Some(Ok(Input { checksum: "a".into(), words: "a.toml".into() })),
            data: None,
        }
    }

    fn world() -> Vec<Facts> {
        (0..4).map(|rank| facts(["n1", "n2"][rank / 2], &[rank % 2])).collect()
    }

    /// What a check says of a world in which rank 2 was changed, and which it finds well otherwise.
    fn of(check: impl Fn(&[Facts]) -> Finding, change: impl Fn(&mut Facts)) -> (Verdict, String) {
        let mut world = world();
        assert_eq!(check(&world).verdict, Verdict::Ok, "{:?}", check(&world));
        change(&mut world[2]);
        let found = check(&world);
        assert!(!found.remedy.is_empty(), "{found:?}");
        (found.verdict, found.found)
    }

    #[test]
    fn the_odd_rank_is_named_whatever_is_odd_about_it() {
        let place =
            |change: fn(&mut Place)| move |facts: &mut Facts| change(facts.device.as_mut().expect("it has one"));
        let config =
            |all: &[Facts]| input("config", all.iter().map(|facts| facts.config.as_ref())).expect("it is named");
        let other = Input { checksum: "b".into(), words: "a.toml".into() };
        let fault = |found: &str| (Verdict::Fault, found.to_owned());
        let warning = |found: &str| (Verdict::Warning, found.to_owned());
        assert_eq!(of(binary, |facts| facts.binary = "b".into()), fault("rank 2 runs another binary than the rest"));
        assert_eq!(
            of(clocks, |facts| facts.seconds += 3.0),
            warning("the clock of rank 2 is 3.0 s from that of rank 0")
        );
        assert_eq!(
            of(processors, |facts| facts.threads = 2),
            fault("rank 2 may use 1 processor for trainer.threads_per_rank = 2")
        );
        assert_eq!(
            of(processors, |facts| facts.bound_to = [1].into()),
            warning("2 threads of all ranks on n2 share 1 processor")
        );
        assert_eq!(of(limits, |facts| facts.limits.open_files = Some(64)), warning("open files 64, stack 8.00 MiB"));
        assert_eq!(of(limits, |facts| facts.limits.stack_bytes = Some(1)), warning("open files 4096, stack 1 B"));
        assert_eq!(of(libtorch, |facts| facts.torch_threads = 2).0, Verdict::Fault);
        assert_eq!(of(device, place(|place| place.counts = false)), fault("rank 2 gets a product of ones wrong"));
        let (verdict, found) = of(device, place(|place| place.is_gpu = true));
        assert!(verdict == Verdict::Fault && found.contains("rank 2"), "{found}");
        assert_eq!(of(|all| folder(all, "x"), |facts| facts.folder = Err("x: full".into())), fault("rank 2: x: full"));
        let slow = Written { seconds: 9.0, free_bytes: 1 };
        assert_eq!(of(|all| folder(all, "x"), |facts| facts.folder = Ok(slow.clone())).0, Verdict::Warning);
        assert_eq!(
            of(config, |facts| facts.config = Some(Ok(other.clone()))),
            fault("rank 2 reads another than rank 0: a.toml")
        );
    }

    #[test]
    fn what_a_batch_system_gave_and_ranks_do_not_see_is_named() {
        let warned = |change: fn(&mut Facts), end: &str| {
            let (verdict, found) = of(allocation, change);
            assert!(verdict == Verdict::Warning && found.ends_with(end), "{found}");
            assert!(found.starts_with("job 7, 2 nodes, 4 tasks, SLURM_CPUS_PER_TASK 1"), "{found}");
        };
        warned(|facts| facts.differences = Some("SLURM_PROCID is 1".into()), "; rank 2: SLURM_PROCID is 1");
        warned(|facts| facts.allocation.job = None, "; rank 2 is of another job, or of none");
        warned(|facts| facts.processors = 0, "; rank 2 has fewer processors than SLURM_CPUS_PER_TASK");
        let mut world = world();
        for facts in &mut world {
            facts.host = "n1".into();
        }
        assert!(allocation(&world).found.ends_with("; the ranks are on 1 of 2 nodes"), "{:?}", allocation(&world));
        for facts in &mut world {
            facts.threads = 2;
        }
        assert_eq!(allocation(&world).verdict, Verdict::Fault);
        world[0].allocation = Allocation::default();
        assert_eq!(allocation(&world), Finding::ok("allocation", "no batch system"));
    }

    #[test]
    fn locked_memory_matters_to_gpus_alone() {
        let mut world = world();
        assert_eq!(limits(&world).verdict, Verdict::Ok);
        world[1].device = Ok(Place { reason: "GPU 0".into(), is_gpu: true, counts: true });
        assert_eq!(limits(&world).verdict, Verdict::Warning);
    }

    #[test]
    fn the_minority_is_odd_and_of_equals_the_later_ones() {
        assert_eq!(odd([1, 2, 2].iter()), [0]);
        assert_eq!(odd([1, 2].iter()), [1]);
        assert_eq!(odd([3, 3].iter()), [0; 0]);
    }
}
