//! Commands and snippets of README and `docs/python.md`, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::launcher;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A page of the repository.
fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).expect("the page is there")
}

/// Runs a line of a page in `folder`, with skyforge on the path; gives what it wrote to stdout and stderr.
fn run(folder: &Path, line: &str) -> String {
    command(folder, "bash", &["-c", line])
}

fn command(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_skyforge")).parent().expect("it lies in a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("PATH", path).env("OMPI_MCA_rmaps_base_oversubscribe", "1");
    command.envs(launcher().get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("OMP_NUM_THREADS", "1"); // pyarrow's threads can abort Python at its end (apache/arrow#34314, #50482)
    let output = command.output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {text}", arguments.join(" "));
    text
}

/// A folder from which the files that commands name can be reached.
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(Path::new(ROOT).join("configs"), folder.path().join("configs")).expect("a link");
    folder
}

/// The blocks of a page between fences, those of one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("a fence ends")).collect()
}

/// A line with numbers and checksums left out, and one blank where there are many.
fn shape(line: &str) -> String {
    let is_number = |word: &str| {
        let hexadecimal = word.len() == 16 && word.chars().all(|sign| sign.is_ascii_hexdigit());
        hexadecimal || word.chars().all(|sign| sign.is_ascii_digit() || sign == '.')
    };
    let mut words = line.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '.').collect::<Vec<_>>();
    words.retain(|word| !word.is_empty());
    words.iter().map(|word| if is_number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_line_keeps_its_shape_whatever_its_numbers() {
    let shapes = [
        "8192 maps of 64 px in 4.2 s: demo/maps, checksum 9884fe09c3c8233e",
        "12 maps of  64 px in 0.03 s: demo/maps, checksum 0123456789abcdef",
    ]
    .map(shape);
    assert_eq!(shapes[0], "# maps of # px in # s demo maps checksum #");
    assert_eq!(shapes[0], shapes[1]);
    assert_ne!(shape("64 maps"), shape("64 spectra"));
}

/// What the full commands of README become here, so that they end in seconds.
const SHORTER: [(&str, &str); 4] = [
    ("--count 8192", "--count 512"),
    ("--count 1024", "--count 64"),
    (
        "configs/demo_mass_maps.toml",
        "configs/demo_mass_maps.toml --set trainer.steps=20 --set trainer.checkpoint_every=20",
    ),
    (
        "configs/small_mass_maps.toml",
        "configs/small_mass_maps.toml --set trainer.steps=10 --set trainer.checkpoint_every=10 --set validation.every=10 \
         --set validation.records=64",
    ),
];

#[test]
fn the_commands_of_readme_run_and_print_what_it_says() {
    let page = page("README.md");
    let folder = clone();
    let noise: Vec<u8> =
        (0..256 * 256_u32).flat_map(|at| (at.wrapping_mul(2_654_435_761) as f32 * 1e-11).to_be_bytes()).collect();
    let cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                  -32",
        "NAXIS   =                    2",
        "NAXIS1  =                  256",
        "NAXIS2  =                  256",
        "END",
    ];
    let mut fits = cards.map(|card| format!("{card:<80}")).concat().into_bytes();
    fits.resize(2880, b' ');
    fits.extend(noise);
    fits.resize(fits.len().next_multiple_of(2880), 0);
    fs::write(folder.path().join("kappa.fits"), fits).expect("the disk has room");

    let mut used = [false; SHORTER.len()];
    let mut commands = 0;
    for block in blocks(&page, "console") {
        let mut printed = String::new();
        for line in block.lines() {
            let Some(full) = line.strip_prefix("$ ") else {
                let there = printed.lines().any(|printed| shape(printed) == shape(line));
                assert!(there, "README says `{line}`, the program said\n{printed}");
                continue;
            };
            let mut short = full.to_owned();
            for ((long, shorter), used) in SHORTER.iter().zip(&mut used) {
                *used |= short.contains(long);
                short = short.replace(long, shorter);
            }
            printed = run(folder.path(), &short);
            commands += 1;
        }
    }
    assert!(commands >= 10 && used == [true; SHORTER.len()], "{commands} commands, shorter by {used:?}");
    for report in ["demo/run/report.html", "runs/kappa/report.html"] {
        assert!(folder.path().join(report).is_file(), "{report}");
    }
}

/// `.ci/run` runs the demo, so these commands are also run in full.
#[test]
fn the_demo_runs_the_commands_of_readme() {
    let (page, demo) = (page("README.md"), page("scripts/demo"));
    let block = blocks(&page, "console")[0];
    let commands: Vec<&str> =
        block.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|line| line.contains("skyforge ")).collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for command in commands {
        assert!(demo.contains(&format!("run {command}\n")), "scripts/demo does not run `{command}`");
    }
}

#[test]
fn the_snippets_for_python_run() {
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let the snippets fetch Python packages");
        return;
    }
    let page = page("docs/python.md");
    let folder = clone();
    let (introduction, _) = page.split_once("\n## ").expect("the page has sections");
    let commands: Vec<&str> = introduction.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.len() >= 4 && commands.iter().all(|line| line.starts_with("skyforge ")), "{commands:?}");
    for line in commands {
        run(folder.path(), line);
    }
    let interpreter = |environment: &str| {
        let script = Command::new(format!("{ROOT}/scripts/peers/{environment}")).output().expect("it can be started");
        assert!(script.status.success(), "{environment}: {}", String::from_utf8_lossy(&script.stderr));
        String::from_utf8(script.stdout).expect("a path").trim().to_owned()
    };
    let snippets = blocks(&page, "python");
    assert_eq!(snippets.len(), page.matches("\n## ").count(), "a snippet a section");
    for snippet in snippets {
        let environment = if snippet.contains("torch") { "torch_environment" } else { "readers" };
        let printed = command(folder.path(), &interpreter(environment), &["-c", snippet]);
        let silent = snippet.contains("print(") && printed.trim().is_empty();
        assert!(!silent && !printed.contains("Warning"), "{snippet}: {printed}");
    }
    for made in ["data/mine/manifest.toml", "data/observed/manifest.toml", "runs/maps/report.html"] {
        assert!(folder.path().join(made).is_file(), "{made}");
    }
}
