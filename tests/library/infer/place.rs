//! Bits of a row do not depend on its place in a batch, on which the engine relies.

use skyforge::infer::Networks;
use skyforge::nn::Pass;
use skyforge::nn::dcgan::{DcganSettings, Latent};
use skyforge::rng::{Draw, Stream};
use tch::{Kind, Tensor};

use crate::infer::made::of_maps;
use crate::shared::networks::SMALL;

/// What is made of a batch, by name.
pub type Part = (&'static str, Tensor);

/// The rows of a tensor as bits.
fn rows(tensor: &Tensor) -> Vec<Vec<u32>> {
    let all = Vec::<f32>::try_from(tensor.flatten(0, -1)).expect("numbers");
    all.chunks(all.len() / tensor.size()[0] as usize)
        .map(|row| row.iter().map(|value| value.to_bits()).collect())
        .collect()
}

#[test]
fn no_place_in_a_batch_is_better_than_another() {
    let wide = DcganSettings { width: 16, latent: Latent::Uniform, ..SMALL };
    let (small, wide) = (of_maps(&SMALL), of_maps(&wide));
    no_place_is_better(&[("small", &small), ("wide", &wide)], |_, _| Vec::new());
}

/// Checks it of all that the engine asks these networks for, and of what `more` makes of their maps.
pub fn no_place_is_better(all_networks: &[(&str, &Networks)], more: impl Fn(&Networks, &Tensor) -> Vec<Part>) {
    let mut faults = Vec::new();
    for (name, networks) in all_networks {
        for slots in [64, 128, 256] {
            let normals = Draw::new(1).at(Stream::Start, 0, 0).normals(slots * networks.model.latent_dim as usize);
            let z = Tensor::from_slice(&normals).view([slots as i64, -1]).clamp(-1.0, 1.0);
            let parts = |z: &Tensor| all(networks, z, |maps| more(networks, maps));
            let (here, there) = (parts(&z), parts(&z.roll([3], [0])));
            for ((part, here), (_, there)) in here.iter().zip(&there) {
                let (here, there) = (rows(&here.roll([3], [0])), rows(there));
                let moved = (0..slots).filter(|row| here[*row] != there[*row]).count();
                if moved > 0 {
                    faults.push(format!("{name}, {slots} rows: {moved} of {part} change with their place"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// All that the engine asks networks for, on the way down.
fn all(networks: &Networks, z: &Tensor, more: impl Fn(&Tensor) -> Vec<Part>) -> Vec<Part> {
    let maps = tch::no_grad(|| networks.generator.forward(z, Pass::Descent));
    let slope = |of: &Tensor, at: &Tensor| Tensor::run_backward(&[of.sum(Kind::Float)], &[at], true, false).remove(0);
    let fresh = z.detach().set_requires_grad(true);
    let made = networks.generator.forward(&fresh, Pass::Descent);
    let shown = maps.detach().set_requires_grad(true);
    let logits = networks.discriminator.forward(&shown, Pass::Descent);
    let embedder = networks.embedder.as_ref().expect("there is one");
    let mut parts = vec![
        ("maps", maps.shallow_clone()),
        ("slopes of maps", slope(&(&made * &made), &fresh)),
        ("logits", logits.detach()),
        ("slopes of logits", slope(&logits, &shown)),
        ("embedded", tch::no_grad(|| embedder.forward(&maps, &maps.ones_like(), Pass::Inference))),
        ("sums", tch::no_grad(|| maps.flatten(1, -1).square().sum_dim_intlist(1, false, Kind::Float))),
    ];
    if let Some(measurement) = &networks.measurement {
        let shown = maps.detach().set_requires_grad(true);
        let measured = measurement.measure(&shown);
        parts.push(("measured values", measured.detach()));
        parts.push(("slopes of measured values", slope(&(&measured * &measured), &shown)));
    }
    parts.extend(more(&maps));
    parts
}
