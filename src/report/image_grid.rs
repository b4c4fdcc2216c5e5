//! Maps side by side on one colour scale.

use maud::{Markup, Render, html};

use super::colour::ColourScale;
use super::picture::{colour_bar, grid};
use super::words::missing;

/// Share of the pixels at each end that lie beyond the colour scale.
const TAIL: f64 = 0.002;

/// Sets of maps side by side, with the colour scale below.
#[derive(Clone, Debug, Default)]
pub struct ImageGrid {
    /// Above a small figure; empty for one over the whole width, whose panels have their titles above.
    pub title: String,
    /// The sets, from left to right; two to four.
    pub panels: Vec<ImagePanel>,
    /// Below the colour scale: what a pixel is, with its unit.
    pub label: String,
}

/// One set of maps, in rows.
#[derive(Clone, Debug, Default)]
pub struct ImagePanel {
    /// Its title.
    pub name: String,
    /// The maps one after the other, `[n, side, side]`; numbers that are not finite are left blank.
    pub pixels: Vec<f64>,
    /// Pixels along an edge.
    pub side: usize,
    /// What is seen, for those who do not see it; the number of maps is put before it where there are several.
    pub describe: String,
    /// The line that stands in its place where there is no whole map.
    pub missing: String,
    /// Whether its pixels decide the colour scale; where none does, all do.
    pub scales: bool,
}

impl ImagePanel {
    fn is_there(&self) -> bool {
        self.side > 0 && self.pixels.len() >= self.side.saturating_mul(self.side)
    }

    /// Maps in a row, and in as many rows: fewer of large maps.
    fn columns(&self) -> usize {
        match self.side {
            0..=128 => 4,
            129..=256 => 3,
            _ => 2,
        }
    }

    fn picture(&self, scale: ColourScale) -> Markup {
        if !self.is_there() {
            return missing(&self.missing);
        }
        let (pixels, columns) = (self.side * self.side, self.columns());
        let shown = (self.pixels.len() / pixels).min(columns * columns);
        let describe = if shown > 1 { format!("{shown} {}", self.describe) } else { self.describe.clone() };
        grid(&self.pixels[..shown * pixels], self.side, columns, scale, &describe)
    }
}

impl ImageGrid {
    /// The scale that serves all panels, so that one with an excess or a lack of range shows it.
    fn scale(&self) -> ColourScale {
        let decides = |panel: &&ImagePanel| panel.scales && panel.is_there();
        let any = self.panels.iter().any(|panel| decides(&panel));
        let panels = self.panels.iter().filter(|panel| panel.is_there() && (!any || decides(panel)));
        ColourScale::of(panels.flat_map(|panel| panel.pixels.iter().copied()), TAIL)
    }
}

impl Render for ImageGrid {
    fn render(&self) -> Markup {
        let scale = self.scale();
        let across = match self.panels.len() {
            0..=2 => "",
            3 => " three",
            _ => " four",
        };
        html! {
            @if self.title.is_empty() {
                div class={ "pair maps" (across) } {
                    @for panel in &self.panels {
                        figure { div.title { (panel.name) } (panel.picture(scale)) }
                    }
                }
                (colour_bar(scale, &self.label))
            } @else {
                figure.small {
                    div.title { (self.title) }
                    div.twins {
                        @for panel in &self.panels { div { (panel.picture(scale)) div.under { (panel.name) } } }
                    }
                    (colour_bar(scale, &self.label))
                }
            }
        }
    }
}
