//! Chance as a function of place: (seed, stream, step, microbatch) -> numbers, the same wherever they are drawn.
//!
//! Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), a counter-based generator:
//! there is no state to save, to share or to split over ranks.

/// What the numbers are for. No two purposes share numbers, whatever the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Initial weights.
    Weights = 1,
    /// Latent noise of the discriminator's phases, and of the generator's where noise is shared.
    Noise = 2,
    /// Latent noise of the generator's phases where noise is fresh.
    GeneratorNoise = 3,
    /// Label flips of the discriminator's phases.
    LabelFlip = 4,
    /// Latent noise of sampled records.
    Sample = 5,
    /// Latent noise for batch moments of averaged weights.
    Moments = 6,
    /// Order of records.
    Shuffle = 7,
    /// Simulated records.
    Simulation = 8,
    /// Order of ingested records.
    Ingest = 9,
    /// Where between a real and a generated map the gradient penalty is asked for.
    Interpolation = 10,
    /// What an embedder does not get to see, and the noise on what it does.
    Veil = 11,
    /// Latent noise of the embedder's phases.
    EmbedderNoise = 12,
    /// Noise on maps before the discriminator.
    InstanceNoise = 13,
    /// What a restart of a fit takes for observed.
    Restart = 14,
    /// Where a restart begins.
    Start = 15,
    /// Momenta of Hamiltonian trajectories.
    Trajectory = 16,
    /// What the generator itself adds to what a retrieval does not know.
    Scatter = 17,
    /// Holes in maps.
    Mask = 18,
    /// Where in its step a truth's rank lies.
    Rank = 19,
    /// Errors of simulated spectra that a retrieval is calibrated on.
    Observation = 20,
    /// Masks of dropout layers, of which those of one forward follow each other.
    Dropout = 21,
    /// Noise on the latent vector of a variational model.
    LatentNoise = 22,
    /// Augmentation of records.
    Augmentation = 23,
}

/// The source of all chance of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    seed: u64,
}

impl Draw {
    /// All chance that follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The numbers of one place. `step` may be any counter of up to 64 bits (a training step, a record, an epoch),
    /// `microbatch` any of up to 32.
    pub fn at(&self, stream: Stream, step: u64, microbatch: u32) -> Chance {
        // The seed is spread over the key by splitmix64's finaliser, so that near seeds share nothing.
        let key = mix(self.seed ^ mix(u64::from(stream as u32)));
        Chance {
            key: [key as u32, (key >> 32) as u32],
            counter: [0, microbatch, step as u32, (step >> 32) as u32],
            block: [0; 4],
            used: 4,
            spare_normal: None,
        }
    }
}

/// The numbers of one place, in order. Good for 2^34 of them.
#[derive(Clone, Debug)]
pub struct Chance {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
    spare_normal: Option<f64>,
}

impl Chance {
    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].checked_add(1).expect("fewer than 2^34 numbers are drawn in one place");
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform in (0, 1): 53 bits, never 0, never 1.
    pub fn uniform(&mut self) -> f64 {
        let bits = (u64::from(self.bits()) << 32) | u64::from(self.bits());
        ((bits >> 11) as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in 0..n, without bias (Lemire 2019).
    pub fn below(&mut self, n: u32) -> u32 {
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.bits()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare_normal.take() {
            return value;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare_normal = Some(radius * sine);
        radius * cosine
    }

    /// `count` standard normal numbers in single precision.
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal() as f32).collect()
    }

    /// A random order of `0..n` (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(n).expect("fewer than 2^32 things are put in order")).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u32 + 1) as usize);
        }
        order
    }
}

/// Sends near numbers far apart (the finaliser of splitmix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xd251_1f53;
        let b = u64::from(counter[2]) * 0xcd9e_8d57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that its authors publish with Random123 (`kat_vectors`, philox4x32 10).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let draws = Draw::new(3).at(Stream::Noise, 0, 0).normals(200_000);
        let mean = draws.iter().map(|&x| f64::from(x)).sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 4.0 / (draws.len() as f64).sqrt(), "mean {mean}");
        assert!((variance - 1.0).abs() < 4.0 * (2.0 / draws.len() as f64).sqrt(), "variance {variance}");
    }

    #[test]
    fn no_two_places_share_numbers() {
        let draw = Draw::new(0);
        let mut seen = std::collections::HashSet::new();
        for stream in [Stream::Noise, Stream::GeneratorNoise, Stream::LabelFlip] {
            for step in 0..4 {
                for microbatch in 0..4 {
                    assert!(seen.insert(draw.at(stream, step, microbatch).normals(4).map_bits()));
                }
            }
        }
        assert!(seen.insert(Draw::new(1).at(Stream::Noise, 0, 0).normals(4).map_bits()));
    }

    #[test]
    fn a_permutation_holds_everything_once() {
        let mut order = Draw::new(5).at(Stream::Shuffle, 2, 0).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    trait Bits {
        fn map_bits(self) -> Vec<u32>;
    }
    impl Bits for Vec<f32> {
        fn map_bits(self) -> Vec<u32> {
            self.into_iter().map(f32::to_bits).collect()
        }
    }
}
