//! The codec for batches of images, in operations of libtorch that can be differentiated.
//!
//! Shapes: b = images, n = their side, w = points of the axis, s = sections, p = 7 parameters.
//!
//! The numbers of an image, `[b, w + 3 s + p + 1]`: stretched depths in the order of the axis, mean, greatest and least depth of each
//! section, parameters, and the 0 that is nobody's. Each pixel is one of them.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::codec::Aspa;
use super::layout::Owner;
use crate::atmosphere::QUANTITIES;

const PARAMETERS: usize = QUANTITIES.len();

/// A codec on a device.
#[derive(Debug)]
pub struct AspaTensors {
    side: i64,
    points: i64,
    depth_min: f64,
    depth_max: f64,
    /// Those that have points: number, and points along the axis.
    sections: Vec<(usize, Range<i64>)>,
    section_count: i64,
    /// `[n n]`: which number each pixel is.
    number_of_pixel: Tensor,
    /// `[w]`: the pixel of each point.
    pixel_of_point: Tensor,
    /// `[w]`: the section of each point.
    section_of_point: Tensor,
    /// `[n n, 2 s + p]`: greatest and least depths and parameters are means over stripes.
    means: Tensor,
    /// `[p]`: what a pixel of 1 stands for.
    full_scale: Tensor,
}

/// Spectra of a batch as they are to be encoded.
pub struct Observed<'a> {
    /// `[b, w]`, (Rp/Rs)^2; any finite number where nothing was observed.
    pub depths: &'a Tensor,
    /// `[b, w]`, 1 where the depth was observed, else 0.
    pub observed: &'a Tensor,
    /// `[b, p]`, as pixels.
    pub parameters: &'a Tensor,
    /// `[b, p]`, 1 where the parameter is known, else 0.
    pub known_parameters: &'a Tensor,
}

impl AspaTensors {
    /// The same codec as `aspa`.
    pub fn new(aspa: &Aspa, device: Device) -> Self {
        let (side, points) = (aspa.side(), aspa.points());
        let all = aspa.sections();
        let count = all.len();
        let settings = aspa.settings();
        let nobody = points + 3 * count + PARAMETERS;
        let mut numbers = vec![0_i64; side * side];
        let mut pixels = vec![0_i64; points];
        let mut stripes = vec![Vec::new(); 2 * count + PARAMETERS];
        for (pixel, number) in numbers.iter_mut().enumerate() {
            *number = match aspa.owner(pixel) {
                Owner::Depth(point) => {
                    pixels[point] = pixel as i64;
                    point
                }
                Owner::Mean(section) => points + section,
                Owner::Greatest(section) => {
                    stripes[section].push(pixel);
                    points + count + section
                }
                Owner::Least(section) => {
                    stripes[count + section].push(pixel);
                    points + 2 * count + section
                }
                Owner::Parameter(parameter) => {
                    stripes[2 * count + parameter].push(pixel);
                    points + 3 * count + parameter
                }
                Owner::Nobody => nobody,
            } as i64;
        }
        let mut means = vec![0.0_f32; side * side * stripes.len()];
        for (index, stripe) in stripes.iter().enumerate() {
            for pixel in stripe {
                means[pixel * stripes.len() + index] = (1.0 / stripe.len() as f64) as f32;
            }
        }
        let mut section_of_point = vec![0_i64; points];
        for (number, section) in all.iter().enumerate() {
            section_of_point[section.clone()].fill(number as i64);
        }
        let full_scale = settings.full_scale.all().map(|scale| scale as f32);
        let there = |(_, section): &(usize, Range<usize>)| !section.is_empty();
        let as_sizes = |(number, section): (usize, Range<usize>)| (number, section.start as i64..section.end as i64);
        Self {
            side: side as i64,
            points: points as i64,
            depth_min: settings.depth_min,
            depth_max: settings.depth_max,
            sections: all.into_iter().enumerate().filter(there).map(as_sizes).collect(),
            section_count: count as i64,
            number_of_pixel: Tensor::from_slice(&numbers).to_device(device),
            pixel_of_point: Tensor::from_slice(&pixels).to_device(device),
            section_of_point: Tensor::from_slice(&section_of_point).to_device(device),
            means: Tensor::from_slice(&means).view([(side * side) as i64, stripes.len() as i64]).to_device(device),
            full_scale: Tensor::from_slice(&full_scale).to_device(device),
        }
    }

    /// Points of a spectrum.
    pub fn points(&self) -> i64 {
        self.points
    }

    /// What images say of the spectrum: `[b, 1, n, n]` to `[b, w]`, (Rp/Rs)^2.
    pub fn depths(&self, images: &Tensor) -> Tensor {
        let images = images.flatten(1, -1); // [b, n n]
        let frame = images.matmul(&self.means); // [b, 2 s + p]
        let of_points = |first: i64| frame.narrow(1, first, self.section_count).index_select(1, &self.section_of_point);
        let greatest = of_points(0) * self.depth_max;
        let least =
            of_points(self.section_count).clamp_min(self.depth_min / self.depth_max).reciprocal() * self.depth_min;
        let stretched = images.index_select(1, &self.pixel_of_point);
        stretched * (greatest - &least) + least
    }

    /// What images say of the atmosphere, as pixels in [0, 1]: `[b, 1, n, n]` to `[b, p]`.
    pub fn parameter_pixels(&self, images: &Tensor) -> Tensor {
        // All means at once: of a narrower product the bits of a row depend on its place.
        images.flatten(1, -1).matmul(&self.means).narrow(1, 2 * self.section_count, PARAMETERS as i64)
    }

    /// Pixels to the units of `QUANTITIES`: `[b, p]` to `[b, p]`.
    pub fn in_units(&self, parameter_pixels: &Tensor) -> Tensor {
        parameter_pixels * &self.full_scale
    }

    /// Images `[b, 1, n, n]` of spectra as they were observed, and which pixels are known: 1, else 0, where the image is 0.
    ///
    /// Sections are stretched by what of them was observed, as `Aspa::encode_observed` does it; pixels are held to [0, 1].
    pub fn encode(&self, spectra: &Observed) -> (Tensor, Tensor) {
        let Observed { depths, observed, parameters, known_parameters } = spectra;
        let (b, device) = (depths.size()[0], depths.device());
        let frame = || Tensor::zeros([b, self.section_count], (Kind::Float, device));
        let (mut mean, mut greatest, mut least, mut known) = (frame(), frame(), frame(), frame());
        let stretched = depths.zeros_like();
        for (number, points) in &self.sections {
            let of = |all: &Tensor| all.narrow(1, points.start, points.end - points.start);
            let (depths, observed, mut stretched) = (of(depths), of(observed), of(&stretched));
            let seen = observed.sum_dim_intlist(1, true, Kind::Float); // [b, 1]
            let any = seen.clamp_max(1.0);
            // Depths are below 1, so that what was not observed is neither least nor greatest.
            let top = (&depths * &observed).amax(1, true);
            let beyond = (observed.neg() + 1.0) * 2.0;
            let bottom = (&depths * &observed + beyond).amin(1, true).minimum(&top);
            let width = &top - &bottom;
            let flat = width.le(0.0).to_kind(Kind::Float);
            stretched.copy_(&((&depths - &bottom) / (width + flat) * observed.clamp(0.0, 1.0)));
            let put = |into: &mut Tensor, value: Tensor| into.narrow(1, *number as i64, 1).copy_(&value);
            put(
                &mut mean,
                (&depths * &observed).sum_dim_intlist(1, true, Kind::Float) / seen.clamp_min(1.0) / self.depth_max,
            );
            put(&mut greatest, top / self.depth_max);
            put(&mut least, bottom.clamp_min(self.depth_min).reciprocal() * self.depth_min * &any);
            put(&mut known, any);
        }
        let nobody = Tensor::zeros([b, 1], (Kind::Float, device));
        let parameters = *parameters * *known_parameters;
        let numbers = Tensor::cat(&[&stretched, &mean, &greatest, &least, &parameters, &nobody], 1).clamp(0.0, 1.0);
        let known = Tensor::cat(&[*observed, &known, &known, &known, known_parameters, &nobody], 1);
        let image =
            |numbers: &Tensor| numbers.index_select(1, &self.number_of_pixel).view([b, 1, self.side, self.side]);
        (image(&numbers), image(&known))
    }
}
