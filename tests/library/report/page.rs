use std::path::Path;

use skyforge::report::{ExampleMaps, ReportInputs, render};
use skyforge::statistics::{Comparison, ComparisonSettings, Maps, compare};

use crate::report::synthetic::{SIDE, full, metrics};

const SECTIONS: [&str; 9] =
    ["maps", "spectrum", "histogram", "tests", "pixels", "distances", "training", "timings", "record"];

/// Elements that HTML does not close.
const VOID: [&str; 5] = ["meta", "img", "br", "!DOCTYPE", "link"];

/// Every element is closed in the order it was opened.
pub fn assert_balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().expect("a split has a first part");
        let name = tag.split_whitespace().next().expect("an element has a name");
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

/// Base64 may spell anything.
fn without_pictures(page: &str) -> String {
    page.split("base64,").map(|part| part.split_once('"').map_or(part, |(_, rest)| rest)).collect()
}

pub fn keep(name: &str, page: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(name), page).expect("the target folder can be written");
}

#[test]
fn a_full_run_has_every_section_and_nothing_missing() {
    let page = render(&full());
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
    let page = render(&full());
    for foreign in ["http:", "https:", "//", "<script", "<link", "@import", "url(", "<iframe"] {
        assert!(!without_pictures(&page).contains(foreign), "{foreign} is in the page");
    }
    assert_eq!(page.matches("src=").count(), page.matches("src=\"data:image/png;base64,").count());
}

#[test]
fn an_empty_run_is_a_page_that_says_what_is_missing() {
    let page = render(&ReportInputs { run: "nothing".into(), ..ReportInputs::default() });
    keep("report_empty.html", &page);
    assert_balanced(&page);
    for line in [
        "No comparison with held-back maps",
        "No example maps are in this run",
        "have not been compared",
        "No metrics are in this run",
        "No timings are in this run",
        "No provenance is in this run",
        "No configuration is in this run",
        "has not said how it ended",
    ] {
        assert!(page.contains(line), "{line}");
    }
}

#[test]
fn a_hostile_name_is_shown_and_not_obeyed() {
    let hostile = "</title><script>alert(1)</script>&\"'";
    let mut inputs = full();
    inputs.run = hostile.into();
    inputs.unit = hostile.into();
    inputs.config = hostile.into();
    inputs.subject = hostile.into();
    inputs.outcome = hostile.into();
    inputs.provenance = vec![(hostile.into(), hostile.into())];
    inputs.timings = vec![(hostile.into(), hostile.into())];
    let mut rows = metrics(2);
    for row in &mut rows {
        row.insert(hostile.into(), 1.0.into());
    }
    inputs.metrics = rows;
    let page = render(&inputs);
    assert_balanced(&page);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn numbers_that_are_none_leave_gaps_and_are_called_undefined() {
    let constant = vec![1.5; 4 * SIDE * SIDE];
    let maps = Maps::new(&constant, SIDE).expect("whole maps");
    let mut inputs = full();
    inputs.comparison =
        Some(compare(maps, maps, maps, &ComparisonSettings::default()).expect("sets that can be compared"));
    inputs.generated = Some(ExampleMaps { pixels: vec![f32::NAN; SIDE * SIDE], side: SIDE });
    inputs.reference = Some(ExampleMaps { pixels: vec![f32::INFINITY; 3], side: SIDE });
    let mut rows = metrics(30);
    rows[4].insert("generator_loss".into(), serde_json::Value::Null);
    rows[5].insert("generator_loss".into(), "none".into());
    rows[6].remove("step");
    rows.push(serde_json::Map::new());
    inputs.metrics = rows;
    let page = render(&inputs);
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
        let mut inputs = full();
        spoil(inputs.comparison.as_mut().expect("a full run is compared"));
        let page = render(&inputs);
        assert_balanced(&page);
        assert!(page.contains("The comparison in this run is damaged"));
    }
}

/// The sentence at the top follows the numbers.
#[test]
fn the_verdict_is_computed() {
    let verdict = |worst: f64, floor: f64| {
        let mut inputs = full();
        let found = inputs.comparison.as_mut().expect("a full run is compared");
        found.generated_distance.spectrum_worst = worst;
        found.floor_distance.spectrum_worst = floor;
        render(&inputs)
    };
    let good = verdict(0.153, 0.031);
    assert!(
        good.contains("inside the 20\u{a0}% asked for") && good.contains("15.3\u{a0}%") && good.contains("3.1\u{a0}%")
    );
    assert!(verdict(0.21, 0.031).contains("more than the 20\u{a0}% asked for"));
    assert!(verdict(0.02, 0.031).contains("no worse than the 3.1\u{a0}%"));
    assert!(verdict(f64::NAN, 0.031).contains("cannot be judged"));
}
