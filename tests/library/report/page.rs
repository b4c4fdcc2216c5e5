//! The page and its blocks, whatever the family.

use std::path::Path;

use skyforge::family::{FamilySettings, RunFolder};
use skyforge::report::corner::{Quantity, Sample};
use skyforge::report::{
    Axis, Block, Card, Column, Corner, FamilyReport, Figure, ImageGrid, ImagePanel, Mark, Panel, RankHistogram,
    RankHistograms, ReportInputs, Scale, Section, Table, Text, Tint, render,
};

use super::made::{metrics, trained};

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
pub fn without_pictures(page: &str) -> String {
    page.split("base64,").map(|part| part.split_once('"').map_or(part, |(_, rest)| rest)).collect()
}

pub fn keep(name: &str, page: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(name), page).expect("the target folder can be written");
}

#[test]
fn an_empty_run_is_a_page_that_says_what_is_missing() {
    let page = render(&ReportInputs { run: "nothing".into(), ..ReportInputs::default() });
    keep("report_empty.html", &page);
    assert_balanced(&page);
    for line in [
        "No metrics are in this run",
        "No timings are in this run",
        "No provenance is in this run",
        "No configuration is in this run",
        "has not said how it ended",
    ] {
        assert!(page.contains(line), "{line}");
    }
}

/// The sections of a page, by their anchors.
fn sections(page: &str) -> Vec<&str> {
    page.split("<section id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_family_that_gives_nothing_has_the_sections_of_every_run_alone() {
    let page = render(&ReportInputs { family: FamilyReport::unmeasured(), ..trained() });
    assert_balanced(&page);
    assert_eq!(sections(&page), ["training", "timings", "record"]);
    assert!(page.contains("Nothing was measured") && !page.contains("class=\"missing\""));
    for kind in FamilySettings::KINDS {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunFolder::new(folder.path(), kind, &toml::Table::new());
        let family = FamilySettings::report(kind, &run).expect("it is of the list").expect("nothing is damaged");
        assert!(!family.verdict.is_empty() && family.cards.is_empty(), "{kind}");
    }
}

fn of_blocks(blocks: Vec<Block>) -> String {
    let sections = vec![Section::new("own", "Own", blocks)];
    let family = FamilyReport { verdict: "It works.".into(), sections, ..FamilyReport::default() };
    render(&ReportInputs { family, ..ReportInputs::default() })
}

/// Every kind of block with `word` wherever a word may stand.
fn every_block(word: &str) -> Vec<Block> {
    let text = Text::from(word).plain(word).strong(word).stressed(word).muted(word).code(word).wide_only(word);
    let tints = [Tint::Generated, Tint::Reference, Tint::Floor, Tint::Target, Tint::C, Tint::D, Tint::E, Tint::F];
    let (x, y) = (vec![1.0, 2.0, 3.0], vec![0.5, f64::NAN, 0.7]);
    let marks = vec![
        Mark::Zone { tint: Tint::Target, ends: [1.0, 2.0, 0.4, 0.6] },
        Mark::Band { tint: Tint::C, x: x.clone(), low: y.clone(), high: vec![1.0; 3] },
        Mark::Line { tint: Tint::Generated, x: x.clone(), y: y.clone() },
        Mark::Steps { tint: Tint::Floor, x: vec![1.0, 1.5, 2.0, 3.0], y: y.clone() },
        Mark::Points { tint: Tint::Reference, x: x.clone(), y: y.clone(), spread: vec![0.1; 3] },
        Mark::Dot { tint: Tint::D, x: 2.0, y: 0.6 },
        Mark::Level { y: 0.5 },
    ];
    let figure = Figure {
        title: word.into(),
        legend: tints.map(|tint| (tint, word.into())).to_vec(),
        x: Axis::between(word, Scale::Logarithmic, 1.0, 3.0),
        panels: vec![Panel { height: 200.0, y: Axis::around(word, Scale::Linear, y), marks }],
        caption: text.clone(),
        wide: false,
    };
    let panel = |pixels: Vec<f64>| ImagePanel {
        name: word.into(),
        pixels,
        side: 2,
        describe: word.into(),
        missing: word.into(),
        scales: true,
    };
    let images = |title: &str| ImageGrid {
        title: title.into(),
        panels: vec![panel(vec![0.0, 1.0, 2.0, 3.0]), panel(Vec::new()), panel(vec![f64::NAN; 8])],
        label: word.into(),
    };
    let sample = |weight: f64| Sample { weight, values: vec![weight, 1.0 - weight * weight] };
    let quantity = |truth: f64| Quantity { label: word.into(), truth };
    let corner = Corner {
        title: word.into(),
        quantities: vec![quantity(0.4), quantity(f64::NAN)],
        samples: [0.1, 0.5, 0.9].map(sample).to_vec(),
        missing: word.into(),
    };
    let ranks = RankHistograms {
        title: word.into(),
        counted: word.into(),
        panels: vec![RankHistogram { name: word.into(), counts: vec![3, 4, 2], p_value: 0.4 }],
        caption: text.clone(),
    };
    let table = |columns: Vec<Column>| Table { columns, rows: vec![vec![text.clone(), word.into()]], wide: true };
    vec![
        Block::Text(text.clone()),
        Block::Note(text.clone()),
        Block::missing(word),
        Block::Table(table(vec![Column::words(word), Column::numbers(word)])),
        Block::Table(table(vec![Column::words(word), Column::numbers(text.clone()).under(word)])),
        Block::pair(Block::Figure(figure), Block::Images(images(word))),
        Block::Images(images("")),
        Block::Corner(Corner { samples: Vec::new(), ..corner.clone() }),
        Block::Corner(corner),
        Block::Ranks(ranks),
    ]
}

#[test]
fn every_block_renders() {
    let page = of_blocks(every_block("amber"));
    keep("report_blocks.html", &page);
    assert_balanced(&page);
    let text = without_pictures(&page);
    assert!(!text.contains("NaN") && !text.contains("inf "));
    for piece in [
        "<p>amber",
        "<strong>amber",
        "<em>amber",
        "<code>amber",
        "class=\"missing\">amber",
        "<th class=\"n\">amber",
        "colspan=\"1\">amber",
        "class=\"band c\"",
        "class=\"points large d\"",
        "class=\"zone target\"",
        "class=\"pair maps three\"",
        "3 samples with weight",
    ] {
        assert!(page.contains(piece), "{piece}");
    }
}

#[test]
fn words_of_a_family_are_shown_and_not_obeyed() {
    let hostile = "</svg></title><script>alert(1)</script>&\"'";
    let mut blocks = every_block(hostile);
    blocks.extend(every_block("\"><img src=x onerror=alert(1)>"));
    let half = |id: &str| Section::half(id, hostile, Vec::new());
    let card = Card { name: hostile.into(), figure: hostile.into(), unit: hostile.into(), beside: hostile.into() };
    let family = FamilyReport {
        verdict: hostile.into(),
        compared: hostile.into(),
        cards: vec![card],
        sections: vec![Section::new("\"><script>", hostile, blocks), half("a"), half("b")],
        notices: vec![hostile.into()],
    };
    let page = render(&ReportInputs { family, ..ReportInputs::default() });
    assert_balanced(&page);
    assert!(!page.contains("<script") && !page.contains("<img src=x") && page.contains("&lt;script&gt;"));
}

#[test]
fn halves_stand_side_by_side_and_a_single_one_alone() {
    let family = |ids: &[&str]| FamilyReport {
        sections: ids.iter().map(|id| Section::half(id, "Half", Vec::new())).collect(),
        ..FamilyReport::default()
    };
    let page = |ids: &[&str]| render(&ReportInputs { family: family(ids), ..ReportInputs::default() });
    assert!(page(&["a", "b"]).contains("<div class=\"pair\"><section id=\"a\">"));
    assert!(!page(&["a"]).contains("<div class=\"pair\"><section"));
    assert_eq!(sections(&page(&["a", "b", "c"])), ["a", "b", "c", "training", "timings", "record"]);
}

/// An excess of range in what was made must show: the colour scale is that of the panels that decide it.
#[test]
fn one_colour_scale_serves_all_panels() {
    let panel = |most: f64, scales: bool| ImagePanel {
        pixels: vec![0.0, 0.0, 0.0, most],
        side: 2,
        scales,
        ..ImagePanel::default()
    };
    let shown = |panels: Vec<ImagePanel>| of_blocks(vec![Block::Images(ImageGrid { panels, ..ImageGrid::default() })]);
    let ends = |page: &str| {
        page.split("<div class=\"ends\">").nth(1).expect("a bar").split("</div>").next().map(str::to_owned)
    };
    let of_first = ends(&shown(vec![panel(2.0, true), panel(50.0, false)]));
    assert_eq!(of_first, ends(&shown(vec![panel(2.0, true), panel(7.0, false)])));
    assert_ne!(of_first, ends(&shown(vec![panel(2.0, true), panel(50.0, true)])));
    assert_eq!(ends(&shown(vec![panel(2.0, false)])), of_first, "where none decides, all do");
}

#[test]
fn a_hostile_name_is_shown_and_not_obeyed() {
    let hostile = "</title><script>alert(1)</script>&\"'";
    let mut rows = metrics(2);
    for row in &mut rows {
        row.insert(hostile.into(), 1.0.into());
    }
    let page = render(&ReportInputs {
        run: hostile.into(),
        subject: hostile.into(),
        outcome: hostile.into(),
        config: hostile.into(),
        provenance: vec![(hostile.into(), hostile.into())],
        timings: vec![(hostile.into(), hostile.into())],
        metrics: rows,
        ..ReportInputs::default()
    });
    assert_balanced(&page);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
}
