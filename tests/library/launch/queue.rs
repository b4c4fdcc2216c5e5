//! SLURM's answers, as it writes them.

use skyforge::launch::campaign::Submitted;
use skyforge::launch::slurm::{JobId, read_ends, read_found, read_queue, read_submitted};
use skyforge::launch::{Campaign, campaign};

use crate::launch::own_job;

#[test]
fn a_queue_is_read_with_arrays_that_wait_in_one_line() {
    let queue = read_queue(
        "12|N/A|RUNNING|n[1-2]|7:58:02\n13|N/A|PENDING|(Dependency)|8:00:00\n14|3-99%50|PENDING|(JobArrayTaskLimit)|8:00:00\n\
         14|0|RUNNING|n1|59:10\n14|2|RUNNING|n2|59:12\nnonsense\n",
    );
    assert_eq!(queue.keys().copied().collect::<Vec<u64>>(), [12, 13, 14]);
    assert_eq!((queue[&12].states["RUNNING"], queue[&12].places[0].as_str()), (1, "n[1-2]"));
    assert_eq!((queue[&14].states["PENDING"], queue[&14].states["RUNNING"]), (97, 2));
    assert_eq!(queue[&14].places, ["(JobArrayTaskLimit)", "n1", "n2"]);
}

#[test]
fn the_number_of_a_job_is_the_last_line_that_is_one() {
    let job = |number, cluster: Option<&str>| Some(JobId { number, cluster: cluster.map(str::to_owned) });
    for (said, wanted) in [
        ("1001\n", job(1001, None)),
        ("1001;alpine\n", job(1001, Some("alpine"))),
        ("Welcome to the cluster\n2026: maintenance on 3 December\n\n1001\n", job(1001, None)),
        ("1001\r\n", job(1001, None)),
        ("7\n1001;alpine\nYour project has 12 h left\n", job(1001, Some("alpine"))),
        ("Submitted batch job 1001\n", None),
        ("1001;\n", None),
        ("+1001\n", None),
        ("0\n", None),
        ("99999999999999999999999\n", None),
        ("", None),
    ] {
        assert_eq!(read_submitted(said), wanted, "{said:?}");
    }
}

#[test]
fn a_job_without_a_number_is_found_by_its_script() {
    let said = "CLUSTER: alpine\n1001|/a/slurm/train.sbatch 1\n1002|/b/slurm/train.sbatch 1\n1003|(null)\n1001|/a/slurm/train.sbatch 1\n";
    assert_eq!(read_found(said, std::path::Path::new("/a/slurm/train.sbatch")), [1001, 1003]);
}

#[test]
fn of_an_arrays_tasks_the_worst_end_counts() {
    let ends = read_ends("12|COMPLETED\n13|CANCELLED by 1000\n14_0|COMPLETED\n14_1|NODE_FAIL\n14_2|COMPLETED\n");
    let ends: Vec<(u64, &str)> = ends.iter().map(|(job, state)| (*job, state.as_str())).collect();
    assert_eq!(ends, [(12, "COMPLETED"), (13, "CANCELLED"), (14, "NODE_FAIL")]);
}

#[test]
fn a_campaign_keeps_all_jobs_and_knows_the_last_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(Campaign::read(folder.path()).expect("nothing there"), None);
    let submitted = |id, submission, stage: &str, link| Submitted {
        id,
        cluster: None,
        submission,
        stage: stage.into(),
        link,
        tasks: 0,
    };
    let mut kept = Campaign {
        site: "sandbox".into(),
        working_directory: "/home/me".into(),
        job: own_job("exogan_campaign.toml"),
        jobs: vec![submitted(1, 1, "train", 1), submitted(2, 1, "train", 2), submitted(3, 1, "merge", 1)],
        pending: None,
    };
    kept.jobs.extend([submitted(4, 2, "train", 1), submitted(5, 2, "train", 2)]);
    kept.write(folder.path()).expect("written");
    let read = Campaign::read(folder.path()).expect("readable").expect("there");
    assert_eq!(read, kept);
    let last = |stage: &str| read.last_of(stage).iter().map(|job| job.id).collect::<Vec<u64>>();
    assert_eq!((last("train"), last("merge"), last("report")), (vec![4, 5], vec![3], vec![]));
    assert_eq!(read.next_submission(), 3);
    std::fs::write(folder.path().join(campaign::FILE_NAME), "name = 1").expect("written");
    assert!(Campaign::read(folder.path()).expect_err("damaged").to_string().contains("campaign.toml: "));
}
