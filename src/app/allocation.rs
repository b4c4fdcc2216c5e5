//! What the launcher and the batch system say of this process, beside what MPI says: the rank is MPI's word, the others
//! must not contradict it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::CommandError;
use crate::config::ConfigError;

/// What the environment tells; nothing where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Tasks that a launcher of the MPI started, by its own word, and which of them this is.
    pub launched: Option<usize>,
    pub launched_rank: Option<usize>,
    /// Its rank by the word of a launcher that says nothing else: PMIx alone, or Cray's.
    pub wired_rank: Option<usize>,
    /// And which of those on its machine.
    pub launched_rank_here: Option<usize>,
    pub job: Option<String>,
    pub step: Option<String>,
    /// Of the step.
    pub nodes: Option<usize>,
    pub tasks: Option<usize>,
    pub task: Option<usize>,
    pub local_task: Option<usize>,
    pub cpus_per_task: Option<usize>,
    pub gpus_per_task: Option<String>,
    pub gpus_on_node: Option<String>,
    /// When the job ends, in seconds since 1970.
    pub end: Option<u64>,
    /// How often the job was started again.
    pub restarts: Option<u64>,
    /// How the tasks find each other.
    pub wiring: Option<String>,
}

/// Where MPI puts this rank: its rank, all ranks, its rank among those of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    pub rank: usize,
    pub ranks: usize,
    pub rank_here: usize,
}

impl Allocation {
    /// What this process was told.
    pub fn of_process() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    /// What an environment tells.
    pub fn read(of: impl Fn(&str) -> Option<String>) -> Self {
        let word = |name: &str| of(name).filter(|word| !word.is_empty());
        let number = |names: &[&str]| names.iter().find_map(|name| word(name)?.parse().ok());
        let wirings = [("PMIX_RANK", "pmix"), ("PMI_FD", "pmi2"), ("PALS_RANKID", "cray")];
        let wiring = wirings.iter().find(|(name, _)| of(name).is_some()).map(|(_, wiring)| (*wiring).to_owned());
        Self {
            launched: number(&["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]),
            launched_rank: number(&["OMPI_COMM_WORLD_RANK", "PMI_RANK"]),
            wired_rank: number(&["PMIX_RANK", "PALS_RANKID"]),
            launched_rank_here: number(&["OMPI_COMM_WORLD_LOCAL_RANK"]),
            job: word("SLURM_JOB_ID"),
            step: word("SLURM_STEP_ID"),
            nodes: number(&["SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES"]),
            tasks: number(&["SLURM_STEP_NUM_TASKS"]),
            task: number(&["SLURM_PROCID"]),
            local_task: number(&["SLURM_LOCALID"]),
            cpus_per_task: number(&["SLURM_CPUS_PER_TASK"]),
            gpus_per_task: word("SLURM_GPUS_PER_TASK"),
            gpus_on_node: word("SLURM_GPUS_ON_NODE"),
            end: number(&["SLURM_JOB_END_TIME"]).map(|seconds| seconds as u64),
            restarts: number(&["SLURM_RESTART_COUNT"]).map(|count| count as u64),
            wiring,
        }
    }

    /// The step that started this process itself. Under `mpirun` in a job the variables are those of the daemon that it
    /// has started on each node.
    fn own_step(&self) -> Option<usize> {
        self.tasks.filter(|_| self.launched.is_none_or(|launched| self.tasks == Some(launched)))
    }

    /// The launcher's number of this process, whatever the ranks know of each other.
    pub fn number(&self) -> usize {
        self.launched_rank.or(self.task).or(self.wired_rank).unwrap_or(0)
    }

    /// Whether the launcher started no task before this one, or there is no launcher.
    pub fn is_first(&self) -> bool {
        self.number() == 0
    }

    /// The launcher's number of this process on its machine, if it gave one.
    pub fn number_here(&self) -> Option<usize> {
        self.launched_rank_here.or(self.local_task)
    }

    /// Refuses a world that has not all tasks of the launcher: each part would do the whole work, in the same place.
    pub fn check(&self, ranks: usize) -> Result<(), CommandError> {
        match self.launched.or(self.own_step()) {
            Some(tasks) if tasks > ranks => Err(CommandError::Alone { tasks, ranks }),
            _ => Ok(()),
        }
    }

    /// Where the batch system numbers this rank otherwise than MPI does, in words.
    pub fn differences(&self, world: World) -> Option<String> {
        let World { rank, ranks, rank_here } = world;
        if self.own_step() != Some(ranks) || self.launched_rank.is_some_and(|launched| self.task != Some(launched)) {
            return None; // nobody's numbers, or those of daemons
        }
        let told = |name: &str, slurm: Option<usize>, mpi: usize| {
            let slurm = slurm.filter(|slurm| *slurm != mpi)?;
            Some(format!("{name} is {slurm}, MPI says {mpi}"))
        };
        let all = [told("SLURM_PROCID", self.task, rank), told("SLURM_LOCALID", self.local_task, rank_here)];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Whether a rank has a processor for each of its `threads`, of those that it may use and that a task was given.
    pub fn check_threads(&self, threads: usize, processors: usize) -> Result<(), ConfigError> {
        let refused = |wanted: String| {
            Err(ConfigError::Value { key: "trainer.threads_per_rank".into(), value: threads.to_string(), wanted })
        };
        match self.cpus_per_task {
            Some(asked) if threads > asked => {
                refused(format!("at most SLURM_CPUS_PER_TASK: {asked} (sbatch and srun --cpus-per-task={threads})"))
            }
            // srun does not take it over from sbatch since 22.05.
            Some(asked) if threads > processors => refused(format!(
                "at most the processors that this rank is bound to: {processors} (the job asked for {asked} a task, \
                 and srun wants it said again: srun --cpus-per-task={asked})"
            )),
            None if threads > processors => {
                refused(format!("at most the processors that this rank may use: {processors}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Seconds until the job ends.
    pub fn seconds_left(&self) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Some(self.end?.saturating_sub(now))
    }

    /// Which life of which job this is, where the batch system has started it again.
    pub fn life(&self) -> Option<String> {
        let restarts = self.restarts.filter(|restarts| *restarts > 0)?;
        Some(format!("restart {restarts} of job {}", self.job.as_deref().unwrap_or("unknown")))
    }
}

/// The allocation in a line.
impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let count = |n: Option<usize>, what: &str| {
            n.map(|n| format!("{n} {what}{}", if n == 1 { "" } else { "s" })).unwrap_or_default()
        };
        let parts = [
            self.job.as_ref().map(|job| format!("job {job}")).unwrap_or_default(),
            self.step.as_ref().map(|step| format!("step {step}")).unwrap_or_default(),
            count(self.nodes, "node"),
            count(self.tasks, "task"),
            self.cpus_per_task.map(|cpus| format!("SLURM_CPUS_PER_TASK {cpus}")).unwrap_or_default(),
            self.gpus_per_task.as_ref().map(|gpus| format!("GPUs a task {gpus}")).unwrap_or_default(),
            self.gpus_on_node.as_ref().map(|gpus| format!("GPUs of a node {gpus}")).unwrap_or_default(),
            self.wiring.as_ref().map(|wiring| format!("wired by {wiring}")).unwrap_or_default(),
            self.life().unwrap_or_default(),
            self.seconds_left()
                .map(|left| format!("ends in {} h {} m", left / 3600, left / 60 % 60))
                .unwrap_or_default(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Allocation {
        Allocation::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, word)| (*word).to_owned()))
    }

    /// Task 5 of 8 on the second of 2 nodes, as srun tells.
    const SRUN: [(&str, &str); 9] = [
        ("SLURM_JOB_ID", "77"),
        ("SLURM_STEP_ID", "0"),
        ("SLURM_STEP_NUM_NODES", "2"),
        ("SLURM_STEP_NUM_TASKS", "8"),
        ("SLURM_PROCID", "5"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_CPUS_PER_TASK", "4"),
        ("SLURM_JOB_END_TIME", "0"),
        ("PMIX_RANK", "5"),
    ];

    fn world(rank: usize, ranks: usize, rank_here: usize) -> World {
        World { rank, ranks, rank_here }
    }

    #[test]
    fn tasks_that_are_all_in_the_world_are_well() {
        assert!(told(&SRUN).check(8).is_ok());
        assert_eq!(told(&SRUN).differences(world(5, 8, 1)), None);
        assert!(told(&[]).check(1).is_ok());
        assert_eq!(told(&[]).differences(world(0, 1, 0)), None);
    }

    #[test]
    fn tasks_that_do_not_know_of_all_others_are_refused_with_the_remedy() {
        for ranks in [1, 4] {
            let error = told(&SRUN).check(ranks).expect_err("8 tasks are no smaller world").to_string();
            assert!(error.starts_with("the launcher started 8 tasks, but "), "{error}");
            assert!(error.contains("srun: --mpi=pmix"), "{error}");
        }
        assert!(told(&[("OMPI_COMM_WORLD_SIZE", "2")]).check(1).is_err());
        assert!(told(&[("PMI_SIZE", "2")]).check(1).is_err());
    }

    #[test]
    fn numbers_that_differ_are_named() {
        let differences = told(&SRUN).differences(world(4, 8, 0)).expect("they differ");
        assert_eq!(differences, "SLURM_PROCID is 5, MPI says 4, SLURM_LOCALID is 1, MPI says 0");
        assert_eq!(told(&SRUN).differences(world(5, 8, 0)).expect("one does"), "SLURM_LOCALID is 1, MPI says 0");
    }

    #[test]
    fn under_mpirun_the_daemons_of_a_job_are_no_ranks() {
        // Rank 3 of 4 by mpirun's daemon on the second node, which is task 0 of 1 for SLURM; and with as many daemons.
        for tasks in ["1", "4"] {
            let launched = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "3")];
            let daemon = [("SLURM_STEP_NUM_TASKS", tasks), ("SLURM_PROCID", "0"), ("SLURM_LOCALID", "0")];
            let allocation = told(&[launched.as_slice(), &daemon].concat());
            assert!(allocation.check(4).is_ok());
            assert_eq!(allocation.differences(world(3, 4, 1)), None);
            assert_eq!(allocation.number(), 3);
        }
    }

    #[test]
    fn threads_are_held_against_what_a_task_has() {
        let refused = |allocation: &Allocation, threads, processors| {
            allocation.check_threads(threads, processors).expect_err("too many").to_string()
        };
        assert!(told(&[]).check_threads(2, 2).is_ok());
        assert!(refused(&told(&[]), 3, 2).ends_with("expected at most the processors that this rank may use: 2"));
        let srun = told(&SRUN);
        assert!(srun.check_threads(4, 4).is_ok());
        assert!(refused(&srun, 5, 64).contains("at most SLURM_CPUS_PER_TASK: 4 "), "though the mask is wide");
        assert!(refused(&srun, 4, 1).ends_with("srun wants it said again: srun --cpus-per-task=4)"));
    }

    #[test]
    fn a_job_that_was_started_again_says_so() {
        assert_eq!(told(&SRUN).life(), None);
        let again = told(&[("SLURM_JOB_ID", "77"), ("SLURM_RESTART_COUNT", "2")]);
        assert_eq!(again.life().as_deref(), Some("restart 2 of job 77"));
    }

    #[test]
    fn an_allocation_is_told_in_a_line() {
        let line = told(&SRUN).to_string();
        let wanted = "job 77, step 0, 2 nodes, 8 tasks, SLURM_CPUS_PER_TASK 4, wired by pmix, ends in 0 h 0 m";
        assert_eq!(line, wanted);
        assert_eq!(told(&[]).to_string(), "");
    }
}
