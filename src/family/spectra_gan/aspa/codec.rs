//! Spectra and parameters to images, and back.

use std::ops::Range;

use super::fault::AspaError;
use super::layout::{Frame, Layout, MOST_SECTIONS, Owner};
use super::settings::AspaSettings;
use crate::atmosphere::QUANTITIES;
use crate::data::spectral_axis::{OBSERVED, check_wavelengths, edges};

const PARAMETERS: usize = QUANTITIES.len();

/// The codec for the spectra of one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Aspa {
    settings: AspaSettings,
    wavelength_um: Vec<f64>,
    layout: Layout,
    /// Those that have points, longest wavelengths first.
    sections: Vec<Section>,
    full_scale: [f64; PARAMETERS],
}

/// Neighbouring points that are stretched together.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    number: usize,
    /// Its points, counted from the longest wavelength.
    points: Range<usize>,
}

/// What stretching a section takes away.
#[derive(Clone, Copy, Debug)]
struct Extent {
    least: f32,
    greatest: f32,
    mean: f32,
}

impl Aspa {
    /// For spectra at these wavelengths, ascending or descending; the error says what is wrong with either.
    pub fn new(settings: AspaSettings, wavelength_um: &[f64]) -> Result<Self, String> {
        if let Some((key, value, wanted)) = settings.fault() {
            return Err(format!("`{key}` is {value}, expected {wanted}"));
        }
        check_wavelengths(wavelength_um).map_err(|fault| format!("the axis {fault}"))?;
        let (layout, points) = (Layout::new(settings.side), wavelength_um.len());
        let means = settings.borders_um.len() + 1;
        if points + means > layout.room() {
            return Err(format!(
                "`side` is {}, with room for {} points beside the means of {means} sections, expected room for {points}",
                settings.side,
                layout.room().saturating_sub(means)
            ));
        }
        let sections = sections(&settings.borders_um, wavelength_um);
        let full_scale = settings.full_scale.all();
        Ok(Self { settings, wavelength_um: wavelength_um.to_vec(), layout, sections, full_scale })
    }

    /// Its numbers.
    pub fn settings(&self) -> &AspaSettings {
        &self.settings
    }

    /// The wavelengths of its spectra in micrometres.
    pub fn wavelength_um(&self) -> &[f64] {
        &self.wavelength_um
    }

    /// Side of an image in pixels.
    pub fn side(&self) -> usize {
        self.settings.side
    }

    /// Points of a spectrum.
    pub fn points(&self) -> usize {
        self.wavelength_um.len()
    }

    /// Points of each section along the axis, in the order of sections; empty where the axis has none there.
    pub fn sections(&self) -> Vec<Range<usize>> {
        let mut all = vec![0..0; self.settings.borders_um.len() + 1];
        for Section { number, points } in &self.sections {
            let ends = [self.point(points.start), self.point(points.end - 1)];
            all[*number] = ends[0].min(ends[1])..ends[0].max(ends[1]) + 1;
        }
        all
    }

    /// Whose pixel `pixel` of an image is, counted row by row.
    pub fn owner(&self, pixel: usize) -> Owner {
        let there = |number: usize| self.sections.iter().any(|section| section.number == number);
        let owner = self.layout.outside(pixel).unwrap_or_else(|index| match index.checked_sub(self.points()) {
            None => Owner::Depth(self.point(index)),
            Some(number) => Owner::Mean(number),
        });
        match owner {
            Owner::Mean(number) | Owner::Greatest(number) | Owner::Least(number) if !there(number) => Owner::Nobody,
            owner => owner,
        }
    }

    /// The image of a whole spectrum with all parameters, as training takes them.
    ///
    /// - `depths`: `[w]`, (Rp/Rs)^2 in the order of the axis
    /// - `parameters`: `[7]`, as `QUANTITIES` are; minus infinity for a gas of which there is nothing, which becomes its least
    /// - `image`: `[n, n]`, filled with values in [0, 1]; in no defined state after an error
    pub fn encode(&self, depths: &[f32], parameters: &[f32], image: &mut [f32]) -> Result<(), AspaError> {
        let mut frame = Frame { parameters: self.encode_parameters(parameters)?, ..Frame::default() };
        if let Some(unknown) = frame.parameters.iter().position(|pixel| pixel.is_nan()) {
            return Err(AspaError::Unknown { name: QUANTITIES[unknown].name });
        }
        let (spectrum, means) = self.first_corner(image);
        self.lay(depths, spectrum);
        for Section { number, points } in &self.sections {
            let section = &mut spectrum[points.clone()];
            let extent = Extent::of(section);
            self.check(extent, section, points.start)?;
            for depth in &mut *section {
                *depth = extent.stretch(*depth);
            }
            means[*number] = self.note(extent, *number, &mut frame);
        }
        self.layout.spread(image, &frame);
        Ok(())
    }

    /// The image of a spectrum as it was observed, and which pixels of it are known.
    ///
    /// Sections are stretched by what of them was observed. Where nothing was, and where a parameter is unknown, pixels are 0.
    ///
    /// - `record`: `[4, w]`, the channels of `OBSERVED`
    /// - `parameters`: `[7]`, as `QUANTITIES` are, NaN = unknown
    /// - `image`: `[n, n]`, filled with values in [0, 1]; in no defined state after an error, as `known`
    /// - `known`: `[n, n]`, filled with 1 where the pixel is known, else 0
    pub fn encode_observed(
        &self,
        record: &[f32],
        parameters: &[f32],
        image: &mut [f32],
        known: &mut [f32],
    ) -> Result<(), AspaError> {
        assert_eq!(record.len(), OBSERVED.len() * self.points(), "a record is [4, w]");
        let (mut frame, mut known_frame) = (Frame::default(), Frame::default());
        for (index, pixel) in self.encode_parameters(parameters)?.into_iter().enumerate() {
            frame.parameters[index] = if pixel.is_nan() { 0.0 } else { pixel };
            known_frame.parameters[index] = f32::from(u8::from(!pixel.is_nan()));
        }
        let ((spectrum, means), (seen, seen_means)) = (self.first_corner(image), self.first_corner(known));
        self.lay(&record[..self.points()], spectrum);
        self.lay(&record[(OBSERVED.len() - 1) * self.points()..], seen);
        if let Some(index) = seen.iter().position(|seen| ![0.0, 1.0].contains(seen)) {
            let (value, point) = (seen[index], self.point(index));
            return Err(AspaError::Observed { value, point, wavelength_um: self.wavelength_um[point] });
        }
        for Section { number, points } in &self.sections {
            let (section, seen) = (&mut spectrum[points.clone()], &seen[points.clone()]);
            let first = seen.iter().position(|seen| *seen == 1.0).map(|first| section[first]);
            let Some(first) = first else {
                section.fill(0.0);
                continue;
            };
            let observed = || section.iter().zip(seen).filter(|(_, seen)| **seen == 1.0).map(|(depth, _)| *depth);
            let (least, greatest) = (observed().fold(first, f32::min), observed().fold(first, f32::max));
            let (sum, count) = observed().fold((0.0, 0.0), |(sum, count), depth| (sum + f64::from(depth), count + 1.0));
            let extent = Extent { least, greatest, mean: (sum / count) as f32 };
            for (depth, _) in section.iter_mut().zip(seen).filter(|(_, seen)| **seen == 0.0) {
                *depth = least; // whatever stood there was not observed
            }
            self.check(extent, section, points.start)?;
            for depth in &mut *section {
                *depth = extent.stretch(*depth);
            }
            means[*number] = self.note(extent, *number, &mut frame);
            seen_means[*number] = 1.0;
            known_frame.greatest[*number] = 1.0;
            known_frame.least[*number] = 1.0;
        }
        self.layout.spread(image, &frame);
        self.layout.spread(known, &known_frame);
        Ok(())
    }

    /// What an image says: the inverse of `encode`, but for rounding. What stands in many pixels is their mean.
    ///
    /// - `image`: `[n, n]`, values in [0, 1]
    /// - `depths`: `[w]`, filled, in the order of the axis
    /// - `parameters`: `[7]`, filled, as `QUANTITIES` are
    pub fn decode(&self, image: &[f32], depths: &mut [f32], parameters: &mut [f32]) {
        assert_eq!(image.len(), self.layout.pixels(), "an image is [n, n]");
        assert_eq!(depths.len(), self.points(), "depths are [w]");
        assert_eq!(parameters.len(), PARAMETERS, "parameters are [7]");
        let AspaSettings { depth_min, depth_max, .. } = self.settings;
        let frame = self.layout.frame(image);
        for Section { number, points } in &self.sections {
            let greatest = depth_max * f64::from(frame.greatest[*number]);
            // No section of an encoded spectrum begins above the greatest depth that there is, so no image of a network shall.
            let least = depth_min / f64::from(frame.least[*number]).max(depth_min / depth_max);
            for index in points.clone() {
                let stretched = f64::from(image[self.layout.place(index)]);
                depths[self.point(index)] = (stretched * (greatest - least) + least) as f32;
            }
        }
        for ((value, pixel), scale) in parameters.iter_mut().zip(frame.parameters).zip(self.full_scale) {
            *value = (f64::from(pixel) * scale) as f32;
        }
    }

    /// Which point of the axis is the `index`-th from the longest wavelength; and the other way round.
    fn point(&self, index: usize) -> usize {
        if self.ascends() { self.points() - 1 - index } else { index }
    }

    fn ascends(&self) -> bool {
        self.wavelength_um[0] < self.wavelength_um[1]
    }

    /// The pixels of the first corner, not yet in their places: those of points, and of means, with all that is nobody's.
    fn first_corner<'a>(&self, image: &'a mut [f32]) -> (&'a mut [f32], &'a mut [f32]) {
        assert_eq!(image.len(), self.layout.pixels(), "an image is [n, n]");
        let (spectrum, means) = image[..self.layout.room()].split_at_mut(self.points());
        means.fill(0.0);
        (spectrum, means)
    }

    /// Copies what stands in the order of the axis into that of the image.
    fn lay(&self, values: &[f32], to: &mut [f32]) {
        to.copy_from_slice(values); // which says it where there are not as many
        if self.ascends() {
            to.reverse();
        }
    }

    /// The pixels of parameters, NaN for what is unknown.
    fn encode_parameters(&self, parameters: &[f32]) -> Result<[f32; PARAMETERS], AspaError> {
        assert_eq!(parameters.len(), PARAMETERS, "parameters are [7]");
        let mut pixels = [0.0; PARAMETERS];
        for (index, (&value, scale)) in parameters.iter().zip(self.full_scale).enumerate() {
            let is_gas = scale < 0.0;
            // Turned so that the range begins at 0.
            let (amount, most) = if is_gas { (-value, -scale) } else { (value, scale) };
            pixels[index] = if value.is_nan() {
                f32::NAN
            } else if is_gas && value == f32::NEG_INFINITY {
                1.0
            } else if (0.0..=most as f32).contains(&amount) {
                ((f64::from(amount) / most) as f32).min(1.0).abs() // a zero without a sign
            } else {
                let (name, unit) = (QUANTITIES[index].name, QUANTITIES[index].unit);
                return Err(AspaError::Parameter { name, value, unit, range: (scale.min(0.0), scale.max(0.0)) });
            };
        }
        Ok(pixels)
    }

    /// Refuses a section with a depth that has no place; `first` is its first point, from the longest wavelength.
    fn check(&self, extent: Extent, section: &[f32], first: usize) -> Result<(), AspaError> {
        let AspaSettings { depth_min, depth_max, .. } = self.settings;
        let legal = depth_min as f32..=depth_max as f32;
        if legal.contains(&extent.least) && legal.contains(&extent.greatest) && extent.mean.is_finite() {
            return Ok(());
        }
        let place = section.iter().position(|depth| !legal.contains(depth)).expect("one depth is outside");
        let point = self.point(first + place);
        let wavelength_um = self.wavelength_um[point];
        Err(AspaError::Depth { value: section[place], point, wavelength_um, range: (depth_min, depth_max) })
    }

    /// Puts what stretching took away into the frame, and gives the pixel of the mean.
    fn note(&self, extent: Extent, section: usize, frame: &mut Frame) -> f32 {
        let AspaSettings { depth_min, depth_max, .. } = self.settings;
        let share = |part: f64, whole: f64| ((part / whole) as f32).min(1.0);
        frame.greatest[section] = share(f64::from(extent.greatest), depth_max);
        frame.least[section] = share(depth_min, f64::from(extent.least));
        share(f64::from(extent.mean), depth_max)
    }
}

impl Extent {
    /// Of depths, one or more; what is no number shows in the mean.
    fn of(depths: &[f32]) -> Self {
        /// Numbers that are looked at at once.
        const LANES: usize = 8;
        let first = depths[0];
        let (mut least, mut greatest, mut sum) = ([first; LANES], [first; LANES], [0.0_f64; LANES]);
        let (whole, rest) = depths.as_chunks::<LANES>();
        let mut take = |lane: usize, depth: f32| {
            least[lane] = if depth < least[lane] { depth } else { least[lane] };
            greatest[lane] = if depth > greatest[lane] { depth } else { greatest[lane] };
            sum[lane] += f64::from(depth);
        };
        for depths in whole {
            for (lane, depth) in depths.iter().enumerate() {
                take(lane, *depth);
            }
        }
        for (lane, depth) in rest.iter().enumerate() {
            take(lane, *depth);
        }
        Self {
            least: least.into_iter().fold(first, f32::min),
            greatest: greatest.into_iter().fold(first, f32::max),
            mean: (sum.iter().sum::<f64>() / depths.len() as f64) as f32,
        }
    }

    /// A depth of the section in [0, 1]; 0 where all are the same.
    fn stretch(&self, depth: f32) -> f32 {
        if self.greatest > self.least { (depth - self.least) / (self.greatest - self.least) } else { 0.0 }
    }
}

/// The sections that have points: a bin belongs to that of its lower edge.
fn sections(borders_um: &[f64], wavelength_um: &[f64]) -> Vec<Section> {
    let edges = edges(wavelength_um);
    let mut lower: Vec<f64> = edges.windows(2).map(|pair| pair[0].min(pair[1])).collect();
    if wavelength_um[0] < wavelength_um[1] {
        lower.reverse();
    }
    let mut sections: Vec<Section> = Vec::with_capacity(MOST_SECTIONS);
    for (index, lower) in lower.into_iter().enumerate() {
        let number = borders_um.iter().filter(|border| **border >= lower).count();
        match sections.last_mut() {
            Some(section) if section.number == number => section.points.end = index + 1,
            _ => sections.push(Section { number, points: index..index + 1 }),
        }
    }
    sections
}
