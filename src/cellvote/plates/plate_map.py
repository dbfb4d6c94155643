"""Plate maps: what was done to each well, as text, joined to the images by well.

Reading, joining and the meaning of columns are modules of `cellvote.plates.plate_maps`; this is what the other
parts of CellVote use of them.
"""

from cellvote.plates.plate_maps.columns import (
    CONCENTRATION_UM,
    CONTROL_TYPE,
    compound_column,
    dose_column,
    find_column,
    numeric_columns,
)
from cellvote.plates.plate_maps.concentrations import concentration_um
from cellvote.plates.plate_maps.controls import CONTROL_SOURCE, recognise_controls
from cellvote.plates.plate_maps.image_plates import read_and_join
from cellvote.plates.plate_maps.joining import join_plate_map
from cellvote.plates.plate_maps.matching import NO_IMAGES, NOT_ON_MAP, TWICE, check_plate_map, mismatch_sentences
from cellvote.plates.plate_maps.reading import MapTable, read_map_file, read_maps, read_plate_map
from cellvote.plates.plate_maps.treatments import treatments
from cellvote.plates.plate_maps.writing import checked_plate_map, save_plate_map

__all__ = [
    "CONCENTRATION_UM",
    "CONTROL_SOURCE",
    "CONTROL_TYPE",
    "NOT_ON_MAP",
    "NO_IMAGES",
    "TWICE",
    "MapTable",
    "check_plate_map",
    "checked_plate_map",
    "compound_column",
    "concentration_um",
    "dose_column",
    "find_column",
    "join_plate_map",
    "mismatch_sentences",
    "numeric_columns",
    "read_and_join",
    "read_map_file",
    "read_maps",
    "read_plate_map",
    "recognise_controls",
    "save_plate_map",
    "treatments",
]
