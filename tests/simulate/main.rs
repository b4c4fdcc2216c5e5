mod convergence_power;
mod cosmology;
mod mass_maps;
mod matter_power;
