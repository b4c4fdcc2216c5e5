//! The report of a run whose network makes maps.

use std::fs;

use serde_json::json;
use skyforge::data::{DatasetWriter, Header, Modality, Splits, Transform};
use skyforge::family::maps_gan::report::Findings;
use skyforge::family::{AssessError, FamilySettings, RunFolder};
use skyforge::report::{FamilyReport, ReportInputs, render};
use skyforge::statistics::{Comparison, ComparisonSettings, Maps, compare};

use super::made::{SIDE, examples, full, sky, target};
use crate::report::made::{metrics, trained};
use crate::report::page::{assert_balanced, keep, without_pictures};

const SECTIONS: [&str; 9] =
    ["maps", "spectrum", "histogram", "tests", "pixels", "distances", "training", "timings", "record"];

fn page(findings: Findings) -> String {
    render(&ReportInputs { family: findings.report(), ..trained() })
}

#[test]
fn a_full_run_has_every_section_and_nothing_missing() {
    let page = page(full());
    keep("report_full.html", &page);
    assert_balanced(&page);
    for id in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "no section {id}");
    }
    assert!(!page.contains("class=\"missing\""));
    let text = without_pictures(&page);
    assert!(!text.contains("NaN") && !text.contains("undefined"));
    for shown in [
        "small_mass_maps",
        "discriminator loss",
        "of 248 modes",
        "xxh3:9f2c6f01b6d1e8aa",
        "microbatches = 4",
        "2,400 steps",
    ] {
        assert!(page.contains(shown), "{shown} is not shown");
    }
}

#[test]
fn nothing_is_fetched_and_nothing_is_run() {
    let page = page(full());
    for foreign in ["http:", "https:", "//", "<script", "<link", "@import", "url(", "<iframe"] {
        assert!(!without_pictures(&page).contains(foreign), "{foreign} is in the page");
    }
    assert_eq!(page.matches("src=").count(), page.matches("src=\"data:image/png;base64,").count());
}

#[test]
fn what_is_missing_of_maps_is_said() {
    let page = page(Findings::default());
    keep("report_unmeasured_maps.html", &page);
    assert_balanced(&page);
    for line in ["No comparison with held-back maps", "No example maps are in this run", "have not been compared"] {
        assert!(page.contains(line), "{line}");
    }
}

#[test]
fn a_hostile_unit_is_shown_and_not_obeyed() {
    let hostile = "</title><script>alert(1)</script>&\"'";
    let mut findings = full();
    let sets = findings.sets.as_mut().expect("a full run is compared");
    sets.unit = hostile.into();
    sets.split = hostile.into();
    sets.reference = hostile.into();
    let page = page(findings);
    assert_balanced(&page);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
}

#[test]
fn numbers_that_are_none_leave_gaps_and_are_called_undefined() {
    let constant = vec![1.5; 4 * SIDE * SIDE];
    let maps = Maps::new(&constant, SIDE).expect("whole maps");
    let mut findings = full();
    findings.comparison =
        Some(compare(maps, maps, maps, &ComparisonSettings::default()).expect("sets that can be compared"));
    findings.generated = Some(examples(&[f32::NAN; SIDE * SIDE]));
    findings.reference = Some(examples(&[f32::INFINITY; 3]));
    let mut rows = metrics(30);
    rows[4].insert("generator_loss".into(), serde_json::Value::Null);
    rows[5].insert("generator_loss".into(), "none".into());
    rows[6].remove("step");
    rows.push(serde_json::Map::new());
    let page = render(&ReportInputs { metrics: rows, family: findings.report(), ..trained() });
    keep("report_undefined.html", &page);
    assert_balanced(&page);
    assert!(page.contains("cannot be judged"));
    let text = without_pictures(&page);
    assert!(!text.contains("NaN") && !text.contains("inf "));
}

/// `statistics.json` may have been cut or edited by hand.
#[test]
fn a_comparison_whose_arrays_do_not_fit_is_said_to_be_damaged() {
    let spoil: [fn(&mut Comparison); 4] = [
        |found| found.generated.pixel_shares.clear(),
        |found| found.floor_distance.spectrum_ratio.truncate(3),
        |found| found.reference.pixels.mean.truncate(3),
        |found| found.pixel_bins.bins = usize::MAX,
    ];
    for spoil in spoil {
        let mut findings = full();
        spoil(findings.comparison.as_mut().expect("a full run is compared"));
        let page = self::page(findings);
        assert_balanced(&page);
        assert!(page.contains("The comparison in this run is damaged"));
    }
}

/// The report of a full run whose spectrum errors are these.
fn judged(worst: f64, floor: f64, asked: Option<f64>) -> FamilyReport {
    let mut findings = full();
    let found = findings.comparison.as_mut().expect("a full run is compared");
    found.generated_distance.spectrum_worst = worst;
    found.floor_distance.spectrum_worst = floor;
    findings.spectrum_target = asked.and_then(target);
    findings.report()
}

/// The sentence at the top follows the numbers.
#[test]
fn the_verdict_is_computed() {
    let verdict = |worst: f64, floor: f64| judged(worst, floor, Some(0.2)).verdict;
    let good = verdict(0.153, 0.031);
    assert!(
        good.contains("inside the 20\u{a0}% asked for") && good.contains("15.3\u{a0}%") && good.contains("3.1\u{a0}%")
    );
    assert!(verdict(0.21, 0.031).contains("more than the 20\u{a0}% asked for"));
    assert!(verdict(0.02, 0.031).contains("no worse than the 3.1\u{a0}%"));
    assert!(verdict(f64::NAN, 0.031).contains("cannot be judged"));
}

#[test]
fn a_target_that_is_met_or_missed_or_absent_changes_the_verdict() {
    let told = |asked: Option<f64>| {
        let report = judged(0.153, 0.031, asked);
        let page = render(&ReportInputs { family: report.clone(), ..trained() });
        (report.verdict, report.cards[0].beside.clone(), page)
    };
    let (verdict, beside, page) = told(Some(0.2));
    assert!(
        verdict.contains("stays within 15.3\u{a0}%") && beside.ends_with("target 20\u{a0}%: met"),
        "{verdict} {beside}"
    );
    assert!(page.contains("zone target") && page.contains("(shaded, \u{b1}20\u{a0}%)"));
    let (verdict, beside, page) = told(Some(0.125));
    assert!(
        verdict.contains("more than the 12.5\u{a0}% asked for") && beside.ends_with("12.5\u{a0}%: missed"),
        "{beside}"
    );
    assert!(page.contains("\u{b1}12.5\u{a0}%"));
    let (verdict, beside, page) = told(None);
    assert!(verdict.contains("departs by up to 15.3\u{a0}%") && !verdict.contains("asked for"), "{verdict}");
    assert!(beside == "floor 3.1\u{a0}%" && !page.contains("zone target") && !page.contains("shaded"), "{beside}");
}

#[test]
fn a_target_of_the_variance_has_a_figure_of_its_own() {
    let mut findings = full();
    findings.variance_target = target(1e-9);
    let cards = findings.report().cards;
    let card = cards.last().expect("there are figures");
    assert!(card.name.contains("Variance") && card.beside.ends_with(": missed"), "{card:?}");
    assert_eq!(cards.len(), full().report().cards.len() + 1);
}

#[test]
fn axes_have_the_unit_of_the_manifest() {
    let page = page(full());
    assert!(page.contains("mK; one scale for both") && page.contains("power, mK\u{b2} px\u{b2}"));
    let of_unit = |unit: &str| {
        let mut findings = full();
        findings.sets.as_mut().expect("a full run is compared").unit = unit.into();
        self::page(findings)
    };
    let plain = of_unit("1");
    assert!(plain.contains("pixel value; one scale for both") && plain.contains("power, px\u{b2}"));
    assert!(!without_pictures(&plain).contains("mK"));
    // Statistics of an older version have no unit: then the example maps tell it.
    assert!(of_unit("").contains("mK; one scale for both"));
}

/// A folder of a run whose example maps, and statistics, are those of a dataset in this unit.
#[test]
fn the_folder_of_a_run_tells_unit_and_targets() {
    let folder = tempfile::tempdir().expect("a folder");
    let modality = Modality::maps([1, SIDE, SIDE], "mK", Transform::Identity {}, None);
    let header = Header {
        count: 2,
        modalities: vec![modality],
        labels: Vec::new(),
        splits: Splits::new(),
        source: toml::Table::new(),
    };
    let within = folder.path().join("examples/reference");
    fs::create_dir_all(&within).expect("the disk has room");
    let (writer, maps) = (DatasetWriter::create(&within, header).expect("the disk has room"), sky(2, 5, 0.4));
    let fill =
        |record: u64, map: &mut [f32]| map.copy_from_slice(&maps[record as usize * SIDE * SIDE..][..SIDE * SIDE]);
    let shards = (0..writer.shards()).map(|shard| writer.write_shard(shard, fill));
    let shards = shards.collect::<Result<_, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
    let config = toml::toml! { validation = { targets = { spectrum_error = 0.25 } } };
    let run = RunFolder::new(folder.path(), "maps_gan", &config);
    let told = |run: &RunFolder| FamilySettings::report("maps_gan", run).expect("the kind is there");
    let page = |report: FamilyReport| render(&ReportInputs { family: report, ..trained() });
    assert!(page(told(&run).expect("it can be read")).contains("mK; one scale for both"));

    // As an older version wrote them, then with tag, unit and kind of records.
    let findings = full();
    let mut statistics = serde_json::to_value(findings.comparison.as_ref().expect("compared")).expect("JSON");
    let file = folder.path().join("statistics.json");
    let write = |statistics: &serde_json::Value| fs::write(&file, statistics.to_string()).expect("the disk has room");
    statistics["sets"] = json!({ "generated": "a", "reference": "b", "split": "all" });
    write(&statistics);
    let old = told(&run).expect("it can be read");
    assert!(
        old.verdict.contains("all maps of the reference") && old.verdict.contains("25\u{a0}% asked for"),
        "{}",
        old.verdict
    );
    assert!(page(old).contains("power, mK\u{b2}"));
    statistics["sets"] = serde_json::to_value(findings.sets).expect("JSON");
    statistics["family"] = "maps_gan".into();
    write(&statistics);
    assert!(told(&run).expect("it can be read").verdict.contains("held-back maps"));
    statistics["family"] = "spectra_gan".into();
    write(&statistics);
    let error = told(&run).expect_err("of another family");
    let wanted = "`family` is \"spectra_gan\", expected \"maps_gan\"";
    assert!(matches!(&error, AssessError::Wrong { fault, .. } if fault == wanted), "{error}");
}
