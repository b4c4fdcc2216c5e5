//! A flat universe of matter and a cosmological constant: expansion, distance and growth.
//!
//! Lengths are comoving and in Mpc/h, so that the Hubble constant drops out here. Radiation is left out: at z < 10 it
//! changes distances by less than 1e-3.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::simulate::SimulateError;

/// The Hubble distance c / H0 in Mpc/h.
pub const HUBBLE_DISTANCE_MPC_H: f64 = 2_997.924_58;

/// Parameters of flat LCDM.
///
/// `Default` has the matter density and the normalisation of the simulations behind CosmoGAN (`omega_m` 0.26,
/// `sigma_8` 0.798), with the usual companions of its time for the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cosmology {
    /// Matter density today in units of the critical density, more than 0 and at most 1.
    pub omega_m: f64,
    /// Baryon density today in units of the critical density, part of `omega_m`; more than 0 and below `omega_m`.
    pub omega_b: f64,
    /// Standard deviation of the linear matter density contrast in spheres of 8 Mpc/h today, 0.01 to 10.
    pub sigma_8: f64,
    /// Spectral index of the primordial power spectrum, 0.5 to 1.5.
    pub n_s: f64,
    /// Hubble constant, 0.2 to 2.
    #[schemars(extend("unit" = "100 km/s/Mpc"))]
    pub h: f64,
}

impl Default for Cosmology {
    fn default() -> Self {
        Self { omega_m: 0.26, omega_b: 0.042, sigma_8: 0.798, n_s: 0.96, h: 0.72 }
    }
}

impl Cosmology {
    /// Refuses what is no universe, or one outside the fitting formulae.
    pub fn check(&self) -> Result<(), SimulateError> {
        if !(self.omega_m > 0.0 && self.omega_m <= 1.0) {
            return Err(SimulateError::setting("cosmology.omega_m", &self.omega_m, "more than 0 and at most 1"));
        }
        if !(self.omega_b > 0.0 && self.omega_b < self.omega_m) {
            let wanted = format!("more than 0 and less than `cosmology.omega_m`: {}", self.omega_m);
            return Err(SimulateError::setting("cosmology.omega_b", &self.omega_b, wanted));
        }
        let bounds = [
            ("cosmology.sigma_8", self.sigma_8, 0.01, 10.0),
            ("cosmology.n_s", self.n_s, 0.5, 1.5),
            ("cosmology.h", self.h, 0.2, 2.0),
        ];
        for (name, value, low, high) in bounds {
            // Written so that NaN is refused.
            if !(value >= low && value <= high) {
                return Err(SimulateError::setting(name, &value, format!("{low} to {high}")));
            }
        }
        Ok(())
    }

    /// Expansion rate H(z) / H0.
    pub fn expansion(&self, redshift: f64) -> f64 {
        (self.omega_m * (1.0 + redshift).powi(3) + 1.0 - self.omega_m).sqrt()
    }

    /// Matter density at a redshift in units of the critical density then.
    pub fn omega_m_at(&self, redshift: f64) -> f64 {
        self.omega_m * (1.0 + redshift).powi(3) / self.expansion(redshift).powi(2)
    }

    /// Comoving distance to a redshift in Mpc/h: the integral of c / H.
    pub fn comoving_distance(&self, redshift: f64) -> f64 {
        HUBBLE_DISTANCE_MPC_H * simpson(0.0, redshift, 256, |z| 1.0 / self.expansion(z))
    }

    /// Linear growth D of density, normalised to the scale factor a = 1 / (1 + z) while matter dominates:
    /// D = 5/2 omega_m H(a)/H0 times the integral of da' / (a' H(a')/H0)^3 from 0 to a (Heath 1977).
    pub fn growth(&self, redshift: f64) -> f64 {
        let a = 1.0 / (1.0 + redshift);
        // With a' = a t^2 the integrand is smooth at 0, where it goes as t^4.
        let integral = simpson(0.0, 1.0, 128, |t| {
            let past = a * t * t;
            2.0 * a * t * (past / (self.omega_m + (1.0 - self.omega_m) * past.powi(3))).powf(1.5)
        });
        2.5 * self.omega_m * self.expansion(redshift) * integral
    }
}

/// Simpson's rule on `panels` (even) equal panels.
fn simpson(from: f64, to: f64, panels: usize, f: impl Fn(f64) -> f64) -> f64 {
    let step = (to - from) / panels as f64;
    let inner: f64 = (1..panels).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(from + i as f64 * step)).sum();
    (f(from) + inner + f(to)) * step / 3.0
}
