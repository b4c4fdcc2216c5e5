//! `skyforge simulate spectra`: the same bytes on any ranks and after a kill, and one line for what cannot be.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use skyforge::atmosphere;
use skyforge::data::Dataset;

use crate::program::{arg, bytes, must, refused, run, spawn};

fn simulate<'a>(out: &'a Path, count: &'a str, sets: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["simulate", "spectra", "--out", arg(out), "--count", count, "--seed", "5"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", *set]));
    arguments
}

#[test]
fn simulated_spectra_have_the_same_bytes_on_any_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = |ranks: usize, sets: &[&str]| {
        let out = folder.path().join(format!("{ranks}-{}", sets.len()));
        must(ranks, &simulate(&out, "1200", sets));
        bytes(&out)
    };
    for sets in [&["sampling=binned"][..], &["sampling=binned", "order=continuous", "noise_ppm=30", "grid=exogan-362"]]
    {
        let alone = made(1, sets);
        assert!(alone.len() > 2, "several shards to share");
        for ranks in if cfg!(feature = "mpi") { vec![2, 3] } else { Vec::new() } {
            assert!(made(ranks, sets) == alone, "{ranks} ranks");
        }
    }
}

#[test]
fn a_killed_simulation_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    must(1, &simulate(&whole, "800", &[]));
    let shards = || {
        let names = fs::read_dir(&killed).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".h5")).count()
    };
    let mut child = spawn(1, &simulate(&killed, "800", &[]));
    while shards() == 0 {
        sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let kept = shards();
    assert!(kept < bytes(&whole).len() - 1 && !killed.join("manifest.toml").exists(), "it was cut off");
    let end = run(1, &simulate(&killed, "800", &[]));
    assert!(end.status.success());
    let story = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!(story.matches("is whole from an earlier attempt, kept").count(), kept, "{story}");
    assert!(bytes(&killed) == bytes(&whole));
}

#[test]
fn shards_of_other_settings_or_damaged_ones_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fresh, again) = (folder.path().join("fresh"), folder.path().join("again"));
    must(1, &simulate(&fresh, "1200", &["sampling=binned"]));
    must(1, &simulate(&again, "1200", &["sampling=binned", "star_radius=0.9"]));
    fs::remove_file(again.join("manifest.toml")).expect("removed");
    // One of the right settings, but with a flipped bit.
    let name = "shard-00001.h5";
    let mut shard = fs::read(fresh.join(name)).expect("there");
    let middle = shard.len() / 2;
    shard[middle] ^= 1;
    fs::write(again.join(name), shard).expect("written");
    let end = run(1, &simulate(&again, "1200", &["sampling=binned"]));
    assert!(end.status.success() && !String::from_utf8_lossy(&end.stderr).contains("kept"));
    assert!(bytes(&again) == bytes(&fresh));
}

#[test]
fn tables_are_known_by_what_they_hold_and_not_by_their_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, moved, out) = (folder.path().join("a.txt"), folder.path().join("b.txt"), folder.path().join("out"));
    let write = |path: &Path, temperature: u32| {
        let row = format!("-3 -4 -5 -6 1 1.1 {temperature}\n").repeat(1200);
        let names = "log10_h2o log10_co2 log10_co log10_ch4 planet_mass planet_radius temperature\n";
        fs::write(path, names.to_owned() + &row).expect("written");
    };
    let made = |path: &Path| {
        let said = format!("parameter_table={}", path.display());
        let end = run(1, &simulate(&out, "1200", &["sampling=binned", "order=table", &said]));
        assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
        let all = bytes(&out);
        fs::remove_file(out.join("manifest.toml")).expect("removed");
        (all, String::from_utf8_lossy(&end.stderr).contains("kept"))
    };
    write(&table, 1200);
    write(&moved, 1200);
    let (first, _) = made(&table);
    let (second, kept) = made(&moved);
    assert!(kept && first == second, "the same rows elsewhere");
    write(&moved, 1300);
    let (third, kept) = made(&moved);
    assert!(!kept && third != first, "other rows");
}

#[test]
fn records_say_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("noisy");
    must(1, &simulate(&out, "50", &["noise_ppm=100", "log10_h2o=[-4,-4]", "cloud_top_pa=1000"]));
    let dataset = Dataset::open(&out).expect("whole");
    let manifest = dataset.manifest();
    let modality = manifest.modality();
    assert_eq!((modality.kind.name(), &modality.shape[..]), ("spectrum", &[4, 515][..]));
    assert_eq!(manifest.labels, atmosphere::labels());
    assert_eq!(manifest.source["absorbers"]["H2O"].as_str(), Some("built-in bands (Edwards 1976)"));
    let values = dataset.read(0, 0..50).expect("read");
    for record in values.chunks_exact(4 * 515) {
        assert!(
            record[515..3 * 515].iter().all(|error| *error == 1e-4)
                && record[3 * 515..].iter().all(|seen| *seen == 1.0)
        );
    }
    assert!(must(1, &["inspect", arg(&out)]).contains("spectra"));
}

#[test]
fn what_cannot_be_simulated_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let nowhere = format!("opacities={}", folder.path().join("nowhere").display());
    let empty = format!("opacities={}", folder.path().display());
    for (set, code, wanted) in [
        ("grid=nope", 64, "`grid` is nope, expected exogan, exogan-362, or a text file of wavelengths in um"),
        (
            "temperature=[2000,1000]",
            64,
            "`temperature` is [2000, 1000], expected least and greatest value between 10 and 10000",
        ),
        ("log10_h2o=[-1,-0.1]", 64, "`log10_h2o` is [-1, -0.1], expected"),
        ("layers=1", 64, "`layers` is 1, expected 2 to 1000"),
        ("first=9999999", 64, "`count` is 10, expected at most 1 records from `first` = 9999999 on"),
        ("cloud_top_pa=1e7", 64, "`cloud_top_pa` is 10000000, expected 1e-5 to 1e6, the pressures of the atmosphere"),
        ("noise_ppm=-3", 64, "`noise_ppm` is -3, expected more than 0"),
        ("planet_mass=[0.001,0.001]", 64, "expected a planet that holds its atmosphere, which this one loses at"),
        ("oder=grid", 64, "unknown key `oder`, did you mean `order`"),
        (&nowhere, 74, "is not there, expected a folder of opacities, or built-in"),
        (&empty, 65, "holds no table of H2O, CO2, CO or CH4"),
    ] {
        let (got, line) = refused(&simulate(&out, "10", &[set]));
        assert!(got == code && line.contains(wanted), "{set}: {got} {line}");
        assert!(!out.join("manifest.toml").exists());
    }
}
