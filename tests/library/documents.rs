//! What the pages of the repository must keep true of the program and of each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use skyforge::exit::Exit;
use skyforge::family::FamilySettings;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every Markdown page, as a path from the root of the repository.
fn pages() -> Vec<PathBuf> {
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("the folder is there");
        let names = entries.map(|entry| Path::new(folder).join(entry.expect("it can be read").file_name()));
        names.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect::<Vec<_>>()
    };
    let mut pages = [in_folder(""), in_folder("docs")].concat();
    pages.sort();
    pages
}

/// The lines of a page outside of blocks between fences.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Headings of a page as links name them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let mut anchor = heading.to_lowercase();
        anchor.retain(|sign| sign.is_alphanumeric() || " -_".contains(sign));
        anchor.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut links = 0;
    for path in pages() {
        let text = page(path.to_str().expect("UTF-8"));
        for line in prose(&text) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target)) {
                if target.starts_with("http") {
                    continue;
                }
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let found = Path::new(ROOT).join(path.parent().expect("it lies in the repository")).join(file);
                let found = if file.is_empty() { Path::new(ROOT).join(&path) } else { found };
                assert!(found.exists(), "{}: `{target}` is not there", path.display());
                if !anchor.is_empty() {
                    let there = anchors(&fs::read_to_string(&found).expect("it is text"));
                    assert!(there.contains(anchor), "{}: `{target}`, expected one of {there:?}", path.display());
                }
                links += 1;
            }
        }
    }
    assert!(links > 40, "{links}");
}

#[test]
fn every_page_of_docs_can_be_reached_from_readme() {
    let readme = page("README.md");
    for path in pages() {
        let link = format!("]({})", path.display());
        assert!(path.ends_with("README.md") || readme.contains(&link), "{} is not linked", path.display());
    }
}

#[test]
fn readme_fits_two_screens_and_names_every_kind_of_model() {
    let readme = page("README.md");
    assert!(readme.lines().count() <= 100, "{} lines", readme.lines().count());
    for kind in FamilySettings::KINDS {
        assert!(readme.contains(&format!("`{kind}`")), "README does not name `{kind}`");
    }
}

#[test]
fn the_table_of_exit_codes_has_each_code_of_the_program() {
    let operating = page("docs/operating.md");
    let (_, section) = operating.split_once("\n## Exit codes\n").expect("the page has the section");
    let section = section.split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|row| row.starts_with("| ")).skip(2).map(str::to_owned);
    let known = Exit::ALL.map(|exit| format!("| {} | {} |", exit as u8, exit.meaning()));
    assert_eq!(rows.take(known.len() + 1).collect::<Vec<_>>(), known);
}

#[test]
fn version_and_licences_are_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = page("CHANGELOG.md");
    let newest = changelog.lines().find_map(|line| line.strip_prefix("## ")).expect("it has a version");
    let (newest, date) = newest.split_once(" (").expect("a version has a date");
    let citation = page("CITATION.cff");
    let says = |line: &str| citation.lines().any(|there| there == line);
    assert_eq!(newest, version, "CHANGELOG.md");
    assert!(says(&format!("version: {version}")), "CITATION.cff: {version}");
    assert!(says(&format!("date-released: {}", date.trim_end_matches(')'))), "CITATION.cff: {date}");
    for (name, file, begin) in
        [("MIT", "LICENSE-MIT", "MIT License"), ("Apache-2.0", "LICENSE-APACHE", "Apache License")]
    {
        assert!(env!("CARGO_PKG_LICENSE").contains(name) && says(&format!("  - {name}")), "{name}");
        assert!(page(file).trim_start().starts_with(begin), "{file}");
    }
}
