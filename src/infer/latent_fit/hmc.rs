//! Hamiltonian Monte Carlo in latent numbers (Neal 2011, section 5.3.2): samples of exp(-loss) instead of its least value.
//!
//! Shapes: r = chains, z = latent numbers.

use tch::{Kind, Tensor};

use super::settings::FitSettings;
use crate::rng::{Draw, Stream};

/// Where the chains that begin at `start`, `[r, z]`, are after the trajectories that `settings` ask for.
///
/// `potential` is minus the logarithm of the density, `[r]`; latent numbers that are `bounded` are reflected at -1 and 1.
pub fn sample(
    settings: &FitSettings,
    draw: Draw,
    number: u64,
    start: &Tensor,
    bounded: bool,
    potential: impl Fn(&Tensor) -> Tensor,
) -> Tensor {
    let FitSettings { hmc_trajectories, hmc_steps, hmc_step_size: step, .. } = *settings;
    let (chains, latents) = start.size2().expect("chains are [r, z]");
    let bring = |values: &[f32]| Tensor::from_slice(values).to_device(start.device());
    let force = |z: &Tensor| {
        let z = z.detach().set_requires_grad(true);
        let energy = potential(&z);
        let slope = Tensor::run_backward(&[energy.sum(Kind::Float)], &[&z], false, false).remove(0);
        (energy.detach(), slope)
    };
    let kinetic = |momentum: &Tensor| momentum.square().sum_dim_intlist(1, false, Kind::Float) * 0.5;
    let mut z = start.detach();
    let (mut energy, mut slope) = force(&z);
    for trajectory in 0..hmc_trajectories {
        let mut chance = draw.at(Stream::Trajectory, number, trajectory);
        let mut momentum = bring(&chance.normals((chains * latents) as usize)).view([chains, latents]);
        let thresholds: Vec<f32> = (0..chains).map(|_| chance.uniform() as f32).collect();
        let before = &energy + kinetic(&momentum);
        let (mut new_z, mut new_energy, mut new_slope) = (z.copy(), energy.copy(), slope.copy());
        for _ in 0..hmc_steps {
            momentum -= &new_slope * (step / 2.0);
            new_z += &momentum * step;
            if bounded {
                (new_z, momentum) = reflected(&new_z, &momentum);
            }
            (new_energy, new_slope) = force(&new_z);
            momentum -= &new_slope * (step / 2.0);
        }
        let gain = before - (&new_energy + kinetic(&momentum));
        let accepted = bring(&thresholds).log().lt_tensor(&gain); // false where the energy is no number
        let rows = accepted.unsqueeze(1);
        z = new_z.where_self(&rows, &z);
        slope = new_slope.where_self(&rows, &slope);
        energy = new_energy.where_self(&accepted, &energy);
    }
    z
}

/// Latent numbers that left [-1, 1], thrown back at its ends, with their momenta.
fn reflected(z: &Tensor, momentum: &Tensor) -> (Tensor, Tensor) {
    // A triangle wave of period 4: steps as long as that are not made.
    let turns = (z + 1.0).remainder(4.0); // [0, 4)
    let back = turns.gt(2.0);
    let inside = (turns.neg() + 4.0).where_self(&back, &turns) - 1.0;
    (inside, momentum.neg().where_self(&back, momentum))
}
