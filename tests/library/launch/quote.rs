//! Values with characters that mean something to a shell, to sbatch or to the templates: scripts are run by bash as they would be submitted.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use skyforge::launch::{Planned, Site, quote, script};

use crate::launch::own_job;

/// Printable characters of ASCII that a folder's name may hold, and the tab.
fn signs() -> impl Iterator<Item = char> {
    (b' '..=b'~').map(char::from).chain(['\t']).filter(|sign| *sign != '/')
}

/// The arguments with which a script starts `program` (a file that is made there), its log, and its text.
fn started(
    stage: &str,
    chain_length: u32,
    folder: &Path,
    here: &Path,
    program: &Path,
) -> (Vec<PathBuf>, String, String) {
    let mut job = own_job("exogan_campaign.toml");
    let planned_stage = job.stages.iter_mut().find(|wanted| wanted.name == stage).expect("a stage");
    planned_stage.chain_length = chain_length;
    for part in ["log", "failed"] {
        fs::create_dir_all(folder.join(part)).expect("the disk has room");
    }
    fs::create_dir_all(here).expect("the disk has room");
    fs::create_dir_all(program.parent().expect("a folder")).expect("the disk has room");
    fs::write(program, "#!/usr/bin/env bash\nprintf '%s\\0' \"$@\" > \"${0%/*}/arguments\"\nexit 64\n").expect("room");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut site = Site::load("generic").expect("a known site");
    site.launcher = "command".into();
    site.program = Some(program.to_str().expect("UTF-8").to_owned());
    let planned = Planned::new(job.stage(stage).expect("a stage"), &site, None).expect("it fits");
    let text = script::render(&planned, &site, &job.name, folder, here);
    let path = folder.join("stage.sbatch");
    fs::write(&path, &text).expect("the disk has room");
    let mut bash = Command::new("bash");
    bash.arg(&path).arg("1").current_dir(here).env("SLURM_JOB_ID", "12").env("SLURM_JOB_NODELIST", "n1");
    let output =
        bash.envs([("SLURM_ARRAY_JOB_ID", "12"), ("SLURM_ARRAY_TASK_ID", "3")]).output().expect("bash is there");
    assert_eq!(output.status.code(), Some(64), "{output:?} of {text}");
    assert!(output.stderr.is_empty(), "{output:?} of {text}");
    // The code that the program ended with, in the folder that was meant.
    let failed = fs::read_to_string(folder.join("failed").join(stage)).expect("the script says why it failed");
    assert!(failed.starts_with("exit code 64, "), "{failed}");
    let bytes = fs::read(program.parent().expect("a folder").join("arguments")).expect("the program was started");
    let arguments = bytes.split(|byte| *byte == 0).map(|word| PathBuf::from(OsStr::from_bytes(word))).collect();
    (arguments, String::from_utf8(output.stdout).expect("UTF-8"), text)
}

/// The value of an option as sbatch reads it out of an `#SBATCH` line (`_get_argument` of sbatch's opt.c).
fn read_option(script: &str, option: &str) -> String {
    let start = format!("#SBATCH --{option}=");
    let line = script.lines().find_map(|line| line.strip_prefix(start.as_str())).expect("the option is there");
    let (mut value, mut quote, mut signs) = (String::new(), None, line.chars());
    while let Some(sign) = signs.next() {
        match sign {
            ' ' | '\t' if quote.is_none() => panic!("{line} is two arguments"),
            '\\' => value.push(signs.next().expect("a character is escaped")),
            '"' | '\'' if quote.is_none() => quote = Some(sign),
            _ if quote == Some(sign) => quote = None,
            '#' if quote.is_none() => panic!("{line} ends in a comment"),
            _ => value.push(sign),
        }
    }
    assert!(quote.is_none(), "{line} ends its quotes");
    value
}

#[test]
fn folders_and_the_program_may_have_any_printable_character() {
    let place = tempfile::tempdir().expect("a folder");
    for (number, sign) in signs().filter(|sign| *sign != '\\').enumerate() {
        let name = format!("a{sign}b{sign}");
        let at = place.path().join(number.to_string());
        let (folder, here, program) =
            (at.join(&name), at.join("here").join(&name), at.join(&name).join("bin").join(&name));
        let (arguments, _, text) = started("simulate", 1, &folder, &here, &program);
        let wanted = [Path::new("simulate"), Path::new("spectra"), Path::new("--out"), &folder.join("spectra")];
        assert_eq!(arguments[..4], wanted, "{sign:?}: {text}");
        assert_eq!(read_option(&text, "chdir"), here.to_str().expect("UTF-8"), "{sign:?}");
        let log = folder.join("log/simulate.log").display().to_string().replace('%', "%%");
        assert_eq!(read_option(&text, "output"), log, "{sign:?}");
    }
}

#[test]
fn every_template_takes_all_of_them_at_once() {
    let all: String = signs().filter(|sign| *sign != '\\').collect();
    for (stage, links, word) in [("simulate", 1, 3), ("train", 1, 3), ("train", 3, 3), ("retrieve", 1, 1)] {
        let place = tempfile::tempdir().expect("a folder");
        let (folder, here) = (place.path().join(format!("{all}{{{{step}}}}")), place.path().join(format!("{all}\\")));
        let (arguments, log, text) = started(stage, links, &folder, &here, &place.path().join("$(bin)\\").join(&all));
        assert!(arguments[word].starts_with(&folder), "{stage}: {arguments:?} by {text}");
        assert!(log.contains(&format!("== {stage}, ")), "{log}");
        assert_eq!(read_option(&text, "chdir"), here.to_str().expect("UTF-8"));
        let task = if stage == "retrieve" { "-%a" } else { "" };
        let wanted = format!("{}/log/{stage}{task}.log", folder.display().to_string().replace('%', "%%"));
        assert_eq!(read_option(&text, "output"), wanted);
    }
}

#[test]
fn a_campaigns_folder_is_a_variable_with_an_end() {
    assert_eq!(quote::in_double_quotes("$CAMPAIGN/run"), "$CAMPAIGN/run");
    assert_eq!(quote::in_double_quotes("a=$CAMPAIGN_2,$CAMPAIGN"), "a=${CAMPAIGN}_2,$CAMPAIGN");
    assert_eq!(quote::in_double_quotes("$HOME \"`\\"), "\\$HOME \\\"\\`\\\\");
}

#[test]
fn what_slurm_cannot_take_is_known() {
    assert_eq!(signs().filter(|sign| quote::refused_folder(&format!("/a{sign}")).is_some()).count(), 0);
    let refused = |sign: &char| quote::refused_in_pattern(&format!("/a{sign}")).is_some();
    assert_eq!(signs().filter(refused).collect::<String>(), "\\");
    for sign in ['\n', '\r', '\u{7f}', '\u{1b}'] {
        assert!(quote::refused_folder(&format!("/a{sign}")).is_some() && refused(&sign), "{sign:?}");
    }
}

#[test]
fn a_sites_program_may_begin_with_a_variable() {
    let job = own_job("exogan_campaign.toml");
    let mut site = Site::load("generic").expect("a known site");
    for (program, wanted) in [
        ("skyforge", "    skyforge simulate"),
        ("$HOME/my bin/skyforge", "    \"${HOME}\"'/my bin/skyforge' simulate"),
        ("$SKYFORGE", "    \"${SKYFORGE}\" simulate"),
        ("/opt/$a/it's", r"    '/opt/$a/it'\''s' simulate"),
    ] {
        site.program = Some(program.into());
        let planned = Planned::new(job.stage("simulate").expect("a stage"), &site, None).expect("it fits");
        let text = script::render(&planned, &site, &job.name, Path::new("/a"), Path::new("/b"));
        assert!(text.contains(wanted), "{program}: {text}");
    }
}
