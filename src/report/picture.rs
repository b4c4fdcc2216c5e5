//! Maps as pictures inside the page: PNG with a palette, in base64.

use base64::Engine as _;
use maud::{Markup, html};

use super::colour::{COLOURS, ColourScale, colour, palette};
use super::words::number;

/// Blank pixels between the maps of a grid.
const GAP: usize = 2;

/// Maps to look at, in physical units.
#[derive(Clone, Debug, Default)]
pub struct ExampleMaps {
    /// `[n, side, side]`; numbers that are not finite are left blank.
    pub pixels: Vec<f32>,
    /// Pixels along an edge.
    pub side: usize,
}

/// Maps in rows of `columns`, a pixel a pixel, as an `img`. `pixels` is `[n, side, side]`, n >= 1.
pub fn grid(pixels: &[f64], side: usize, columns: usize, scale: ColourScale, describe: &str) -> Markup {
    let (canvas, width, height) = canvas(pixels, side, columns, scale);
    let data = base64::engine::general_purpose::STANDARD.encode(png(&canvas, width, height));
    html! { img src={ "data:image/png;base64," (data) } width=(width) height=(height) alt=(describe); }
}

/// Maps in a square, a pixel a pixel, on one colour scale of their own, as a PNG file.
pub fn grid_png(maps: &ExampleMaps) -> Vec<u8> {
    let pixels: Vec<f64> = maps.pixels.iter().map(|&x| f64::from(x)).collect();
    let columns = (pixels.len() as f64 / (maps.side * maps.side) as f64).sqrt().ceil() as usize;
    let scale = ColourScale::of(pixels.iter().copied(), 0.002);
    let (canvas, width, height) = canvas(&pixels, maps.side, columns, scale);
    png(&canvas, width, height)
}

/// Colours of a grid, its width and its height.
fn canvas(pixels: &[f64], side: usize, columns: usize, scale: ColourScale) -> (Vec<u8>, usize, usize) {
    let maps = pixels.len() / (side * side);
    let columns = columns.clamp(1, maps.max(1));
    let rows = maps.div_ceil(columns);
    let (width, height) = (columns * (side + GAP) - GAP, rows * (side + GAP) - GAP);
    let mut canvas = vec![COLOURS as u8; width * height];
    for (at, map) in pixels.chunks_exact(side * side).enumerate() {
        let (top, left) = (at / columns * (side + GAP), at % columns * (side + GAP));
        for (row, line) in map.chunks_exact(side).enumerate() {
            let target = &mut canvas[(top + row) * width + left..][..side];
            target.iter_mut().zip(line).for_each(|(out, &x)| *out = scale.index(x));
        }
    }
    (canvas, width, height)
}

/// The scale of pictures: a bar of its colours with numbers below.
pub fn colour_bar(scale: ColourScale, label: &str) -> Markup {
    let stops: Vec<String> = (0..=16)
        .map(|i| {
            let [red, green, blue] = colour(f64::from(i) / 16.0);
            format!("rgb({red} {green} {blue})")
        })
        .collect();
    let middle = f64::midpoint(scale.low, scale.high);
    html! {
        div.bar {
            div.colours style={ "background:linear-gradient(90deg," (stops.join(",")) ")" } {}
            div.ends { span { (number(scale.low)) } span { (number(middle)) } span { (number(scale.high)) } }
            div.label { (label) }
        }
    }
}

fn png(canvas: &[u8], width: usize, height: usize) -> Vec<u8> {
    const TRUTH: &str = "a canvas in memory becomes a PNG";
    let mut colours = palette();
    colours.extend([0, 0, 0]);
    let mut opacity = vec![255; COLOURS];
    opacity.push(0);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours);
    encoder.set_trns(opacity);
    let mut writer = encoder.write_header().expect(TRUTH);
    writer.write_image_data(canvas).expect(TRUTH);
    writer.finish().expect(TRUTH);
    file
}
