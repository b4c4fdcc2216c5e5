//! The forward model: seven parameters in, a transmission spectrum out.
//!
//! Shapes: n = layers, w = points of the work grid, padded to whole vectors.

use xxhash_rust::xxh3::xxh3_64;

use super::cross_sections::between;
use super::draws::Draws;
use super::layers::{Atmosphere, Layers, Pressures};
use super::noise::Noise;
use super::opacities::Opacities;
use super::sampling::{Binning, Sampling, interpolate, work_grid};
use super::settings::SpectrumSettings;
use super::transit::{LANES, Ray, Sources, Transit};
use super::{BARN_M2, CrossSections, Molecule, band_model, rayleigh};
use crate::atmosphere::named_grid;
use crate::simulate::SimulateError;

/// A solar radius in m (IAU 2015, nominal).
pub const SOLAR_RADIUS_M: f64 = 6.957e8;

/// Absorption by collisions is held in this many m^5, and columns of pairs in its inverse, far from the ends of single precision.
const COLLISION_M5: f64 = 1e-56;
const CM5_M5: f64 = 1e-10;

/// A maker of spectra on one grid.
#[derive(Debug)]
pub struct ForwardModel {
    settings: SpectrumSettings,
    /// Bins of the spectra, in um.
    wavelength_um: Vec<f64>,
    pressures: Pressures,
    groups: Vec<Group>,
    /// Of hydrogen, helium and the four molecules, in barns, `[w]` each.
    scattering: Option<[Vec<f32>; 6]>,
    collisions: Vec<Collisions>,
    /// Points of the work grid, a multiple of `LANES`.
    points: usize,
    /// From the work grid to the bins; none where they are the same.
    binning: Option<Binning>,
    /// Layers below the cloud.
    opaque: usize,
    noise: Option<Noise>,
    opacities: toml::Table,
    missing: Vec<Molecule>,
    /// Bins that no table reaches.
    bare: usize,
}

/// Tables over the same pressures: they share columns.
#[derive(Debug)]
struct Group {
    pressures_pa: Vec<f64>,
    /// Of each layer: the nodes around its pressure, and the share of the second.
    nodes: Vec<(usize, usize, f64)>,
    tables: Vec<CrossSections>,
}

/// A pair of molecules over temperature, on the work grid.
#[derive(Debug)]
struct Collisions {
    /// Whether hydrogen meets helium and not itself.
    helium: bool,
    temperatures_k: Vec<f64>,
    /// `[t, w]` in `COLLISION_M5`.
    curves: Vec<f32>,
}

/// What a thread needs beside the model; used again for each spectrum.
#[derive(Clone, Debug, Default)]
pub struct SpectrumWorkspace {
    layers: Layers,
    path_m: Vec<f64>,
    sums: Vec<f64>,
    columns: Vec<f32>,
    rays: Vec<Ray>,
    opacity: Vec<[f32; LANES]>,
    fine: Vec<f32>,
}

impl ForwardModel {
    /// Reads opacities and lays out grids.
    pub fn new(settings: &SpectrumSettings) -> Result<Self, SimulateError> {
        settings.validate()?;
        let wavelength_um = settings.wavelengths()?;
        let opacities = Opacities::load(&settings.opacities)?;
        Self::with(settings, wavelength_um, &opacities)
    }

    /// The same with opacities that are there already.
    pub fn with(
        settings: &SpectrumSettings,
        wavelength_um: Vec<f64>,
        opacities: &Opacities,
    ) -> Result<Self, SimulateError> {
        let noise = settings.noise(&wavelength_um)?;
        let native = work_grid(opacities.finest_grid(), &wavelength_um);
        let native_binning = Binning::new(&native, &wavelength_um);
        let bins = wavelength_um.len();
        let on = |grid: &[f64]| opacities.on(grid, |from, values, to| interpolate(from, values, grid, to));
        let (grid, binning, tables) = match settings.sampling {
            Sampling::Native => {
                let grid = padded(native);
                let tables = on(&grid);
                (grid, Some(native_binning), tables)
            }
            Sampling::Binned => {
                let grid = padded(wavelength_um.iter().map(|um| 1e4 / um).collect());
                let bin = |table: &CrossSections| {
                    table.on(grid.clone(), |from, to| native_binning.apply(from, &mut to[..bins]))
                };
                let tables = on(&native).iter().map(bin).collect();
                (grid, None, tables)
            }
        };
        let (bare, points) = (bare_bins(opacities, &wavelength_um), grid.len());

        let pressures = Pressures::new(settings.bottom_pa, settings.top_pa, settings.layers);
        let scattering = settings.rayleigh.then(|| {
            let of = |sigma: &dyn Fn(f64) -> f64| grid.iter().map(|nu| sigma(*nu) as f32).collect::<Vec<f32>>();
            let trace = |molecule| of(&|nu| rayleigh::trace(molecule, nu));
            let [h2o, co2, co, ch4] = Molecule::ALL.map(trace);
            [of(&rayleigh::hydrogen), of(&rayleigh::helium), h2o, co2, co, ch4]
        });
        let collisions = opacities.collisions.iter().map(|table| {
            let curve = |t: &f64| table.at(*t, &grid).into_iter().map(|cm5| (cm5 * CM5_M5 / COLLISION_M5) as f32);
            Collisions {
                helium: table.pair == super::collision_induced::Pair::HydrogenHelium,
                temperatures_k: table.temperatures_k.clone(),
                curves: table.temperatures_k.iter().flat_map(curve).collect(),
            }
        });
        let opaque = settings.cloud_top_pa.map_or(0, |top| pressures.middles_pa.partition_point(|p| *p >= top));
        Ok(Self {
            wavelength_um,
            groups: groups(tables, &pressures),
            scattering,
            collisions: collisions.collect(),
            points,
            binning,
            opaque,
            noise,
            opacities: opacities.describe(),
            missing: opacities.missing(),
            bare,
            pressures,
            settings: settings.clone(),
        })
    }

    /// What it was made from.
    pub fn settings(&self) -> &SpectrumSettings {
        &self.settings
    }

    /// Centres of the bins in um.
    pub fn wavelength_um(&self) -> &[f64] {
        &self.wavelength_um
    }

    /// Points at which the transfer of light is computed.
    pub fn work_points(&self) -> usize {
        self.points
    }

    /// Errors that come with each spectrum, where there is noise.
    pub fn noise(&self) -> Option<&Noise> {
        self.noise.as_ref()
    }

    /// Molecules that do not absorb since there is no table of them.
    pub fn missing(&self) -> &[Molecule] {
        &self.missing
    }

    /// Bins beyond the wavelengths of all tables, where only scattering and collisions are seen.
    pub fn bare_bins(&self) -> usize {
        self.bare
    }

    /// What the spectra are made with, for the manifest: all that changes a bit of them, and no paths, since the same tables make the same
    /// spectra wherever they lie.
    pub fn describe(&self, draws: &Draws) -> toml::Table {
        let mut told = toml::Table::try_from(&self.settings).expect("settings are a table");
        told.insert("made_by".into(), "simulate spectra".into());
        told.insert("absorbers".into(), self.opacities.clone().into());
        told.remove("opacities");
        if named_grid(&self.settings.grid).is_none() {
            told.remove("grid"); // its wavelengths are there
        }
        let mut sums = vec![("parameter_table", draws.table_checksum())];
        if self.settings.noise_table.is_some() {
            sums.push(("noise_table", self.noise.as_ref().map(|noise| xxh3_64(bytemuck::cast_slice(noise.sigma())))));
        }
        for (key, sum) in sums {
            if let Some(sum) = sum {
                told.insert(key.into(), format!("xxh3 {sum:016x}").into());
            }
        }
        told
    }

    /// Whether a planet holds its atmosphere; else a pressure in Pa that gravity does not reach.
    pub fn holds(&self, atmosphere: &Atmosphere) -> Result<(), f64> {
        Layers::default().set(atmosphere, &self.pressures, self.settings.helium_to_hydrogen)
    }

    /// The spectrum of an atmosphere: (Rp/Rs)^2 in each bin. The error is a pressure in Pa that gravity does not reach.
    pub fn spectrum(
        &self,
        atmosphere: &Atmosphere,
        workspace: &mut SpectrumWorkspace,
        depth: &mut [f32],
    ) -> Result<(), f64> {
        workspace.layers.set(atmosphere, &self.pressures, self.settings.helium_to_hydrogen)?;
        let star_m2 = (self.settings.star_radius * SOLAR_RADIUS_M).powi(2);
        self.columns(star_m2, workspace);
        let SpectrumWorkspace { columns, rays, opacity, fine, layers, .. } = workspace;
        // The planet, and what is below the cloud.
        let dark = layers.borders_m[self.opaque].powi(2) / star_m2;
        fine.resize(self.points, 0.0);
        let transit = Transit::new(self.sources(atmosphere), columns, rays);
        for (block, fine) in fine.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let taken = transit.absorbed(block * LANES, opacity);
            for (fine, taken) in fine.iter_mut().zip(taken) {
                *fine = dark as f32 + taken;
            }
        }
        match &self.binning {
            Some(binning) => binning.apply(fine, depth),
            None => depth.copy_from_slice(&fine[..depth.len()]),
        }
        Ok(())
    }

    /// Columns of all rays above the cloud, in barns^-1.
    fn columns(&self, star_m2: f64, workspace: &mut SpectrumWorkspace) {
        let SpectrumWorkspace { layers, path_m, sums, columns, rays, .. } = workspace;
        // Scattering and collisions come first: each ray meets them, and then as many nodes as it has pressures.
        let fixed = usize::from(self.scattering.is_some()) + usize::from(!self.collisions.is_empty());
        let sources = fixed + self.groups.iter().map(|group| group.pressures_pa.len()).sum::<usize>();
        columns.clear();
        rays.clear();
        sums.resize(sources, 0.0);
        for layer in self.opaque..self.pressures.layers() {
            sums.fill(0.0);
            layers.path_m(layer, path_m);
            let (mut all, mut pairs) = (0.0, 0.0);
            for (path, density) in path_m.iter().zip(&layers.density_m3[layer..]) {
                all += path * density * BARN_M2;
                pairs += path * density * density * COLLISION_M5;
            }
            let mut at = 0;
            if self.scattering.is_some() {
                sums[at] = all;
                at += 1;
            }
            if !self.collisions.is_empty() {
                sums[at] = pairs;
                at += 1;
            }
            let mut met = at;
            for group in &self.groups {
                for ((path, density), (low, high, share)) in
                    path_m.iter().zip(&layers.density_m3[layer..]).zip(&group.nodes[layer..])
                {
                    let column = path * density * BARN_M2;
                    sums[at + low] += column * (1.0 - share);
                    sums[at + high] += column * share;
                }
                // Pressures fall along the ray, so it meets no node above its first layer's.
                met = at + group.nodes[layer].1 + 1;
                at += group.pressures_pa.len();
            }
            columns.extend(sums.iter().map(|sum| *sum as f32));
            let ring = layers.borders_m[layer + 1].powi(2) - layers.borders_m[layer].powi(2);
            rays.push(Ray { sources: met, weight: (ring / star_m2) as f32 });
        }
    }

    /// What absorbs in an atmosphere: scattering, collisions, then the nodes of each group of tables.
    fn sources(&self, atmosphere: &Atmosphere) -> Sources<'_> {
        let (hydrogen, helium) = atmosphere.fill(self.settings.helium_to_hydrogen);
        let temperature = atmosphere.temperature;
        let mut sources = Sources::default();
        if let Some(scattering) = &self.scattering {
            let [h2o, co2, co, ch4] = atmosphere.mixing_ratios;
            let ratios = [hydrogen, helium, h2o, co2, co, ch4].map(|ratio| ratio as f32);
            sources.push(scattering.iter().map(Vec::as_slice).zip(ratios));
        }
        if !self.collisions.is_empty() {
            sources.push(self.collisions.iter().flat_map(|pair| {
                let (low, high, share) = between(&pair.temperatures_k, temperature);
                let partners = hydrogen * if pair.helium { helium } else { hydrogen };
                let row = |t: usize| &pair.curves[t * self.points..(t + 1) * self.points];
                [(row(low), (partners * (1.0 - share)) as f32), (row(high), (partners * share) as f32)]
            }));
        }
        for group in &self.groups {
            let of = |table: &CrossSections| {
                let ratio = atmosphere.mixing_ratios[table.molecule.index()];
                let (low, high, share) = between(&table.temperatures_k, temperature);
                [(low, (ratio * (1.0 - share)) as f32), (high, (ratio * share) as f32)]
            };
            let factors: Vec<_> = group.tables.iter().map(|table| (table, of(table))).collect();
            for pressure in 0..group.pressures_pa.len() {
                let rows =
                    factors.iter().flat_map(|(table, two)| two.map(|(t, factor)| (table.node(t, pressure), factor)));
                sources.push(rows);
            }
        }
        sources
    }
}

/// A grid of whole vectors: its last point again and again, which nobody reads.
fn padded(mut grid: Vec<f64>) -> Vec<f64> {
    let last = grid[grid.len() - 1];
    grid.resize(grid.len().next_multiple_of(LANES), last);
    grid
}

/// Tables that share pressures side by side, those with most pressures last: a ray skips what lies above its pressure there.
fn groups(tables: Vec<CrossSections>, pressures: &Pressures) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for table in tables {
        if let Some(group) = groups.iter_mut().find(|group| group.pressures_pa == table.pressures_pa) {
            group.tables.push(table);
            continue;
        }
        let logs: Vec<f64> = table.pressures_pa.iter().map(|pa| pa.ln()).collect();
        let nodes = pressures.middles_pa.iter().map(|pa| between(&logs, pa.ln())).collect();
        groups.push(Group { pressures_pa: table.pressures_pa.clone(), nodes, tables: vec![table] });
    }
    groups.sort_by_key(|group| group.pressures_pa.len());
    groups
}

/// Bins whose middle no table reaches.
fn bare_bins(opacities: &Opacities, wavelength_um: &[f64]) -> usize {
    let reaches = |um: &&f64| {
        let bands = !opacities.bands.is_empty() && **um >= band_model::SHORTEST_UM;
        bands
            || opacities.tables.iter().any(|table| {
                let grid = &table.wavenumbers_cm;
                (grid[0]..=grid[grid.len() - 1]).contains(&(1e4 / **um))
            })
    };
    wavelength_um.len() - wavelength_um.iter().filter(reaches).count()
}
