//! `submit` beside programs that answer as SLURM does at some sites.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A site whose sbatch answers what the test says, and its files.
struct Queue {
    place: TempDir,
}

impl Queue {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let queue = Self { place };
        fs::create_dir(queue.path("tools")).expect("the disk has room");
        fs::create_dir(queue.path("here")).expect("the disk has room");
        let at = queue.place.path().display().to_string();
        // What was known when the job was given, what is answered, and how it ends.
        queue.tool(
            "sbatch",
            &format!(
                "case $1 in --version | --test-only) exit 0 ;; esac\necho \"$@\" >> '{at}/given'\ncp \"$(dirname \"$2\")/../campaign.toml\" '{at}/seen' 2>/dev/null\n\
                 [ ! -e '{at}/runs' ] || env SLURM_JOB_ID=1 SLURM_JOB_NODELIST=n1 bash \"$2\" > '{at}/log' 2>&1\n\
                 cat '{at}/refused' >&2 2>/dev/null\ncat '{at}/answer'\n[ ! -e '{at}/refused' ]"
            ),
        );
        queue.tool(
            "squeue",
            &format!(
                "echo \"$@\" >> '{at}/asked'\ncase \"$*\" in *--name=*) cat '{at}/found' ;; *) cat '{at}/queue' ;; esac"
            ),
        );
        queue.tool("srun", "while [ \"${1#-}\" != \"$1\" ]; do shift; done\nexec \"$@\"");
        queue.tool("scontrol", "echo 'MaxArraySize            = 1001'");
        queue.tool("sacct", "exit 0");
        for file in ["given", "asked", "found", "queue", "answer"] {
            queue.set(file, "");
        }
        let job = "name = \"sky\"\n[[stage]]\nname = \"simulate\"\ncommand = \"simulate spectra --out $CAMPAIGN/spectra --count 4\"\n\
                   produces = \"$CAMPAIGN/spectra/manifest.toml\"\ntime = \"00:10:00\"\n";
        queue.set("job.toml", job);
        queue
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn tool(&self, name: &str, text: &str) {
        let path = self.path("tools").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).expect("the disk has room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the disk has room");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self, here: &Path, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyforge"));
        let tools = format!("{}:{}", self.path("tools").display(), std::env::var("PATH").expect("a PATH"));
        command.args(words).current_dir(here).env("PATH", tools).output().expect("it can be started")
    }

    /// Submits the job into `folder`: exit code, stdout, and the lines of stderr that are errors.
    fn submit(&self, folder: &str) -> (Option<i32>, String, String) {
        let job = self.path("job.toml");
        let job = job.to_str().expect("UTF-8");
        read(&self.command(&self.path("here"), &["submit", job, "--site", "generic", "--folder", folder]))
    }

    fn jobs_given(&self) -> usize {
        self.read("given").lines().count()
    }
}

fn read(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let errors = text(&output.stderr);
    let errors: Vec<&str> = errors.lines().filter(|line| line.starts_with("error: ")).collect();
    (output.status.code(), text(&output.stdout), errors.join("\n"))
}

#[test]
fn a_sites_banner_hides_no_job_and_its_cluster_is_asked_later() {
    let queue = Queue::new();
    queue.set("answer", "Welcome to Alpine\n\n1001;alpine\nYour project has 12 h left\n");
    let (code, told, error) = queue.submit("campaign");
    assert!(code == Some(0) && told.contains("submitted as 1001"), "{told} {error}");
    let record = queue.read("here/campaign/campaign.toml");
    assert!(record.contains("id = 1001\ncluster = \"alpine\"") && !record.contains("pending"), "{record}");
    queue.set("queue", "CLUSTER: alpine\n1001|N/A|PENDING|(Priority)|10:00\n");
    let (code, told, error) = queue.submit("campaign");
    assert!(code == Some(0) && told.contains("in the queue as 1001"), "{told} {error}");
    assert!(queue.read("asked").contains("--clusters=alpine"), "{}", queue.read("asked"));
    assert_eq!(queue.jobs_given(), 1);
}

#[test]
fn a_job_without_a_number_is_written_down_and_not_submitted_again_in_silence() {
    let queue = Queue::new();
    queue.set("answer", "Welcome to Alpine\nSubmitted batch job 1001\n");
    let (code, _, error) = queue.submit("campaign");
    assert_eq!(code, Some(69), "{error}");
    let wanted = "stage `simulate`: sbatch: `Welcome to Alpine, Submitted batch job 1001` has no line NUMBER or NUMBER;CLUSTER, \
                  but a job may have been submitted: find it with `squeue --me --name=sky-simulate` and end it with `scancel NUMBER`";
    assert!(error.contains(wanted) && error.lines().count() == 1, "{error}");
    let pending = "[pending]\nstage = \"simulate\"\nlink = 1\njob_name = \"sky-simulate\"";
    assert!(queue.read("here/campaign/campaign.toml").contains(pending));
    assert!(queue.read("seen").contains(pending), "it is written down before sbatch is asked: {}", queue.read("seen"));

    let script = queue.path("here").join("campaign/slurm/simulate.sbatch");
    queue.set("found", &format!("1000|/elsewhere/slurm/simulate.sbatch 1\n1001|{} 1\n", script.display()));
    let (code, _, error) = queue.submit("campaign");
    assert!(code == Some(64) && error.contains("expected `scancel 1001` before it is submitted again"), "{error}");
    assert_eq!(queue.jobs_given(), 1);
    let status = read(&queue.command(&queue.path("here"), &["status", "campaign"]));
    assert!(status.1.contains("may have been submitted without a number"), "{status:?}");

    // It is gone.
    queue.set("found", "");
    queue.set("answer", "1002\n");
    let (code, told, error) = queue.submit("campaign");
    assert!(code == Some(0) && told.contains("no job of it without one is in the queue"), "{told} {error}");
    let record = queue.read("here/campaign/campaign.toml");
    assert!(record.contains("id = 1002") && !record.contains("pending"), "{record}");
}

#[test]
fn what_sbatch_refuses_is_not_pending_and_what_it_cannot_tell_is() {
    let queue = Queue::new();
    queue.set("refused", "sbatch: error: Invalid account\n");
    let (code, _, error) = queue.submit("campaign");
    assert!(code == Some(64) && error.contains("Invalid account"), "{error}");
    assert!(!queue.read("here/campaign/campaign.toml").contains("pending"));
    queue.set("refused", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n");
    let (code, _, error) = queue.submit("campaign");
    assert!(code == Some(69) && error.contains("Socket timed out"), "{error}");
    assert!(queue.read("here/campaign/campaign.toml").contains("[pending]"));
}

#[test]
fn a_stage_runs_in_a_folder_with_characters_of_the_shell() {
    let queue = Queue::new();
    queue.set("runs", "");
    queue.set("answer", "1001\n");
    let folder = "R&D; it's\t(5%) \"$x\" `y` #1 {{step}}";
    let (code, told, error) = queue.submit(folder);
    assert!(code == Some(0) && told.contains("submitted as 1001"), "{told} {error}");
    let made = queue.path("here").join(folder).join("spectra/manifest.toml");
    assert!(made.is_file(), "{}", queue.read("log"));
}

#[test]
fn what_slurm_cannot_take_is_refused_at_submit() {
    let queue = Queue::new();
    for (folder, wanted) in [
        ("a\\b", "a\\\\b\", expected a path in UTF-8 without backslashes, which SLURM drops from the names of logs"),
        ("a\nb", "a\\nb\", expected a path in UTF-8 without line ends and control characters"),
    ] {
        let (code, _, error) = queue.submit(folder);
        assert!(code == Some(64) && error.starts_with("error: --folder is ") && error.ends_with(wanted), "{error}");
    }
    let here = queue.path("a\rb");
    fs::create_dir(&here).expect("the disk has room");
    let (job, folder) = (queue.path("job.toml"), queue.path("campaign"));
    let words =
        ["submit", job.to_str().expect("UTF-8"), "--site", "generic", "--folder", folder.to_str().expect("UTF-8")];
    let (code, _, error) = read(&queue.command(&here, &words));
    assert!(code == Some(64) && error.starts_with("error: the working directory is "), "{error}");
    assert!(queue.jobs_given() == 0 && !folder.exists());
}
