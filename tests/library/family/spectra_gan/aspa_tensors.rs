//! The codec in tensors is the codec.

use skyforge::atmosphere::GRIDS;
use skyforge::family::spectra_gan::aspa::{Aspa, AspaTensors, Observed, Owner};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Kind, Tensor};

use crate::family::spectra_gan::aspa::{aspa, grid, image, parameters, record, spectrum};

/// The codec of each grid, both ways round.
fn codecs() -> Vec<Aspa> {
    let reversed = |name: &str| grid(name).into_iter().rev().collect::<Vec<f64>>();
    GRIDS.iter().flat_map(|name| [aspa(&grid(name)), aspa(&reversed(name))]).collect()
}

fn tensor(rows: &[Vec<f32>]) -> Tensor {
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1])
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    let all = Vec::<f32>::try_from(tensor.flatten(0, -1)).expect("numbers");
    all.chunks(all.len() / tensor.size()[0] as usize).map(<[f32]>::to_vec).collect()
}

fn worst(got: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(got.len(), wanted.len());
    got.iter().zip(wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f32::max)
}

#[test]
fn images_of_observed_spectra_are_those_of_the_codec() {
    for aspa in codecs() {
        let tensors = AspaTensors::new(&aspa, Device::Cpu);
        assert_eq!(tensors.points() as usize, aspa.points());
        let (mut depths, mut seen, mut numbers, mut given) = (vec![], vec![], vec![], vec![]);
        let mut wanted = Vec::new();
        for case in 0..12_u64 {
            let mut chance = Draw::new(3).at(Stream::Simulation, case, 0);
            // All, half of the points, and whole sections missing.
            let sections = aspa.sections();
            let mut observed = vec![1.0_f32; aspa.points()];
            match case % 3 {
                0 => {}
                1 => observed.iter_mut().for_each(|seen| *seen = f32::from(u8::from(chance.uniform() < 0.5))),
                _ => (0..sections.len()).step_by(2).for_each(|section| observed[sections[section].clone()].fill(0.0)),
            }
            let all = record(&spectrum(&aspa, &mut chance), &observed);
            let mut values = parameters(&mut chance);
            values.iter_mut().filter(|_| chance.uniform() < 0.4).for_each(|value| *value = f32::NAN);
            let pixels = aspa.side().pow(2);
            let (mut image, mut known) = (vec![f32::NAN; pixels], vec![f32::NAN; pixels]);
            aspa.encode_observed(&all, &values, &mut image, &mut known).expect("it is legal");
            wanted.push((image, known));
            depths.push(all[..aspa.points()].to_vec());
            seen.push(observed);
            let scales = aspa.settings().full_scale.all();
            let pixel =
                |(value, scale): (&f32, f64)| if value.is_nan() { 0.5 } else { (f64::from(*value) / scale) as f32 };
            numbers.push(values.iter().zip(scales).map(pixel).collect::<Vec<f32>>());
            given.push(values.iter().map(|value| f32::from(u8::from(!value.is_nan()))).collect::<Vec<f32>>());
        }
        let (images, known) = tensors.encode(&Observed {
            depths: &tensor(&depths),
            observed: &tensor(&seen),
            parameters: &tensor(&numbers),
            known_parameters: &tensor(&given),
        });
        let side = aspa.side() as i64;
        assert_eq!((images.size(), known.size()), (vec![12, 1, side, side], vec![12, 1, side, side]));
        for (case, ((image, known), (wanted, all_known))) in
            rows(&images).iter().zip(rows(&known)).zip(&wanted).enumerate()
        {
            assert!(worst(image, wanted) < 1e-6, "case {case} is off by {}", worst(image, wanted));
            assert_eq!(&known, all_known, "case {case}");
        }
    }
}

#[test]
fn images_say_what_the_codec_reads_in_them() {
    for aspa in codecs() {
        let tensors = AspaTensors::new(&aspa, Device::Cpu);
        let mut chance = Draw::new(4).at(Stream::Simulation, 0, 0);
        let mut images: Vec<Vec<f32>> =
            (0..4).map(|_| image(&aspa, &spectrum(&aspa, &mut chance), &parameters(&mut chance))).collect();
        // Those of a network are of no spectrum.
        images.extend((0..4).map(|_| (0..aspa.side().pow(2)).map(|_| chance.uniform() as f32).collect()));
        images.push(vec![0.0; aspa.side().pow(2)]);
        let all = tensor(&images).view([9, 1, aspa.side() as i64, aspa.side() as i64]);
        let (depths, pixels) = (tensors.depths(&all), tensors.parameter_pixels(&all));
        let values = rows(&tensors.in_units(&pixels));
        let scales = aspa.settings().full_scale.all();
        for (case, (depths, pixels)) in rows(&depths).iter().zip(rows(&pixels)).enumerate() {
            let (mut wanted, mut numbers) = (vec![f32::NAN; aspa.points()], vec![f32::NAN; 7]);
            aspa.decode(&images[case], &mut wanted, &mut numbers);
            assert!(worst(depths, &wanted) < 1e-7, "depths of image {case} are off by {}", worst(depths, &wanted));
            let of_pixels: Vec<f32> =
                numbers.iter().zip(scales).map(|(value, scale)| (f64::from(*value) / scale) as f32).collect();
            assert!(worst(&pixels, &of_pixels) < 1e-6, "{pixels:?}, expected {of_pixels:?}");
            for ((value, wanted), scale) in values[case].iter().zip(numbers).zip(scales) {
                assert!(f64::from((value - wanted).abs()) < 1e-6 * scale.abs(), "{value}, expected {wanted}");
            }
        }
    }
}

/// What depths and parameters are read from is what a fit can move, and nothing else.
#[test]
fn each_pixel_that_is_read_has_a_gradient() {
    for aspa in codecs() {
        let tensors = AspaTensors::new(&aspa, Device::Cpu);
        let mut chance = Draw::new(5).at(Stream::Simulation, 0, 0);
        let side = aspa.side() as i64;
        let pixels: Vec<f32> = (0..side * side).map(|_| 0.4 + 0.4 * chance.uniform() as f32).collect();
        let image = Tensor::from_slice(&pixels).view([1, 1, side, side]);
        let gradient = |of: &dyn Fn(&Tensor) -> Tensor| -> Vec<f32> {
            let image = image.detach().set_requires_grad(true);
            let sum = of(&image).sum(Kind::Float);
            let gradient = Tensor::run_backward(&[sum], &[&image], false, false).remove(0);
            Vec::try_from(gradient.flatten(0, -1)).expect("numbers")
        };
        let (depths, numbers) =
            (gradient(&|image| tensors.depths(image)), gradient(&|image| tensors.parameter_pixels(image)));
        for pixel in 0..pixels.len() {
            let (of_depths, of_numbers) = match aspa.owner(pixel) {
                Owner::Depth(_) | Owner::Greatest(_) | Owner::Least(_) => (true, false),
                Owner::Parameter(_) => (false, true),
                Owner::Mean(_) | Owner::Nobody => (false, false),
            };
            let (a, b) = (depths[pixel], numbers[pixel]);
            assert!(a.is_finite() && b.is_finite(), "pixel {pixel}");
            assert_eq!((a != 0.0, b != 0.0), (of_depths, of_numbers), "pixel {pixel}");
        }
    }
}
