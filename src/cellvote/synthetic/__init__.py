"""Simulated plates with known truth, for the demo, the sample data, tests and benchmarks.

A plate is laid out by its seed (`design_plate`), simulated field by field (`simulate_field`), and written as
an Operetta would (`write_plate`) with ``platemap.csv`` and ``truth.csv``. The classes are in the plate map's
column ``moa`` (`CLASS_COLUMN`): ``vehicle``, ``PI3K inhibitor``, ``microtubule stabiliser`` and
``topoisomerase inhibitor``; it is empty where the response is half-hearted, so that nobody trains on those
wells.
"""

from cellvote.synthetic.compounds import CLASS_OF_PHENOTYPE
from cellvote.synthetic.field import TRUTH_COLUMNS, SimulatedField, SimulationError, simulate_field
from cellvote.synthetic.painting import CHANNELS
from cellvote.synthetic.phenotypes import PHENOTYPES
from cellvote.synthetic.plate_design import CLASS_COLUMN, PlateDesign, WellPlan, design_plate
from cellvote.synthetic.settings import PlateSettings
from cellvote.synthetic.truth import match_truth
from cellvote.synthetic.writer import SimulatedPlate, write_plate

__all__ = [
    "CHANNELS",
    "CLASS_COLUMN",
    "CLASS_OF_PHENOTYPE",
    "PHENOTYPES",
    "TRUTH_COLUMNS",
    "PlateDesign",
    "PlateSettings",
    "SimulatedField",
    "SimulatedPlate",
    "SimulationError",
    "WellPlan",
    "design_plate",
    "match_truth",
    "simulate_field",
    "write_plate",
]
