//! How often intervals hold the truth, and the histograms of its ranks.

use super::symbol;
use crate::report::words::{count, number, percent};
use crate::report::{Block, Column, RankHistogram, RankHistograms, Table};
use crate::statistics::coverage::{Coverage, Ranks};
use crate::statistics::{ParameterStatistics, RetrievalStatistics};

/// Coverage as a table, ranks as a row of histograms.
pub fn calibration(found: &RetrievalStatistics) -> Vec<Block> {
    let covered: Vec<(&ParameterStatistics, [Coverage; 2])> =
        found.parameters.iter().filter_map(|row| Some((row, row.coverage?))).collect();
    if covered.is_empty() {
        return vec![Block::missing(
            "Coverage was not asked for: `skyforge evaluate TABLE --against DATASET --coverage` measures it.",
        )];
    }
    let cell = |one: &Coverage| format!("{} \u{b1} {}", percent(one.share), percent(one.error));
    let row = |(row, [inner, outer]): &(&ParameterStatistics, [Coverage; 2])| {
        let p_value = row.ranks.as_ref().map_or_else(String::new, |ranks| number(ranks.p_value));
        let cells = [symbol(&row.name), count(inner.objects), cell(inner), cell(outer), p_value];
        cells.map(Into::into).to_vec()
    };
    let table = Table {
        columns: vec![
            Column::words("Parameter"),
            Column::numbers("Objects"),
            Column::numbers("In the 68\u{a0}% interval"),
            Column::numbers("In the 95\u{a0}% interval"),
            Column::numbers("Ranks: KS p"),
        ],
        rows: covered.iter().map(row).collect(),
        wide: false,
    };
    let note = "\u{b1} is one standard deviation of the share, binomial, where the promise is kept.";
    vec![Block::Table(table), Block::Note(note.into()), ranks(found)]
}

fn ranks(found: &RetrievalStatistics) -> Block {
    let panel = |(row, ranks): (&ParameterStatistics, &Ranks)| RankHistogram {
        name: symbol(&row.name),
        counts: ranks.bins.clone(),
        p_value: ranks.p_value,
    };
    let ranked = found.parameters.iter().filter_map(|row| Some((row, row.ranks.as_ref()?)));
    let panels: Vec<RankHistogram> = ranked.map(panel).collect();
    if panels.is_empty() {
        return Block::missing("No samples lie beside the table, so there are no ranks.");
    }
    Block::Ranks(RankHistograms {
        title: "Rank of the truth among the samples".into(),
        counted: "objects with that rank".into(),
        panels,
        caption: "Where truth and samples have one distribution, ranks are uniform. Heaps at both ends say that intervals are \
                  too narrow, a hill in the middle that they are too wide, a slope that medians are biased."
            .into(),
    })
}
