"""Transmission spectra by TauREx 3, for a table of parameters, from the tables that skyforge reads.

  taurex_spectra.py --opacities FOLDER --parameters TABLE --out SPECTRA.npz [--pressures pascal|bar] [--binned-grid FILE]
  taurex_spectra.py --opacities FOLDER --parameters TABLE --paced        a round of spectra for each line on stdin

Its reader of Exo_Transmit's tables takes pressures as bar where the files have Pa: `--pressures pascal` puts that right, `bar` leaves it.
"""

import argparse
import logging
import os
import time
import warnings

import numpy as np

import paced

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

JUPITER_MASS_KG, JUPITER_RADIUS_M, SOLAR_RADIUS_M = 1.898e27, 6.9911e7, 6.957e8


def model_with(opacities, pressures):
    from taurex.cache import CIACache, OpacityCache
    from taurex.chemistry import ConstantGas, TaurexChemistry
    from taurex.constants import MJUP, RJUP, RSOL
    from taurex.contributions import AbsorptionContribution, CIAContribution, RayleighContribution
    from taurex.model import TransmissionModel
    from taurex.planet import Planet
    from taurex.stellar import BlackbodyStar
    from taurex.temperature import Isothermal

    OpacityCache().set_opacity_path(opacities)
    CIACache().set_cia_path(opacities)
    for molecule in ["H2O", "CO2", "CO", "CH4"]:
        try:
            table = OpacityCache()[molecule]
        except Exception:
            continue
        if pressures == "pascal" and type(table).__name__.startswith("Exo"):
            table._pressure_grid = table._pressure_grid / 1e5

    chemistry = TaurexChemistry(fill_gases=["H2", "He"], ratio=0.17647)
    for molecule in ["H2O", "CO2", "CO", "CH4"]:
        chemistry.addGas(ConstantGas(molecule, mix_ratio=1e-4))
    planet, star = Planet(1.0, 1.0), BlackbodyStar(temperature=5700, radius=SOLAR_RADIUS_M / RSOL)
    model = TransmissionModel(
        planet=planet, star=star, temperature_profile=Isothermal(T=1500.0), chemistry=chemistry,
        nlayers=100, atm_min_pressure=1e-5, atm_max_pressure=1e6,
    )
    model.add_contribution(AbsorptionContribution())
    model.add_contribution(RayleighContribution())
    pairs = [pair for pair in ["H2-H2", "H2-He"] if os.path.exists(os.path.join(opacities, pair + ".cia"))]
    if pairs:
        model.add_contribution(CIAContribution(cia_pairs=pairs))
    model.build()

    def spectrum(row):
        for molecule in ["H2O", "CO2", "CO", "CH4"]:
            model[molecule] = 10.0 ** row["log10_" + molecule.lower()]
        model["planet_mass"] = row["planet_mass"] * JUPITER_MASS_KG / MJUP
        model["planet_radius"] = row["planet_radius"] * JUPITER_RADIUS_M / RJUP
        model["T"] = row["temperature"]
        wavenumbers, depth, _, _ = model.model()
        return wavenumbers, depth

    return spectrum


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opacities", required=True)
    parser.add_argument("--parameters", required=True)
    parser.add_argument("--out")
    parser.add_argument("--pressures", choices=["pascal", "bar"], default="pascal")
    parser.add_argument("--spectra", type=int, help="of a round, or in all")
    parser.add_argument("--paced", action="store_true")
    arguments = parser.parse_args()
    rows = np.atleast_1d(np.genfromtxt(arguments.parameters, names=True))[: arguments.spectra]
    spectrum = model_with(arguments.opacities, arguments.pressures)
    wavenumbers, _ = spectrum(rows[0])
    if arguments.paced:

        def work():
            begun = time.perf_counter()
            for row in rows:
                spectrum(row)
            return {"spectra_per_second": len(rows) / (time.perf_counter() - begun)}

        paced.serve(work)
        return
    depth = np.array([spectrum(row)[1] for row in rows])
    np.savez(arguments.out, wavelength_um=1e4 / wavenumbers, depth=depth)


if __name__ == "__main__":
    main()
