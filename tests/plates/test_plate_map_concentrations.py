"""Concentrations in µM: from any unit, where that can be said."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plates.imaged_wells import imaged
from tests.tiny_plates import map_of

from cellvote.plates.plate_map import concentration_um, dose_column, join_plate_map, numeric_columns, treatments
from cellvote.plates.plate_maps.concentrations import molar_unit, read_amount, unit_of_name

MICRO, MU = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"


def um_of(**columns: list[str]) -> list[str] | None:
    wells = [f"A{i + 1:02d}" for i in range(len(next(iter(columns.values()))))]
    found = concentration_um(map_of(wells, **columns))
    return None if found is None else found.tolist()


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("conc (nM)", "nM"), ("concentration_um", "µM"), (f"Concentration [{MICRO}M]", "µM"), (f"Dose {MU}M", "µM")),
        *(
            ("dose_nM", "nM"),
            ("mmoles_per_liter", "mM"),
            ("concentration_mM", "mM"),
            ("conc.pM", "pM"),
            ("doseuM", "µM"),
        ),
        *(
            ("Metadata_conc_uM", "µM"),
            ("conc (umol/l)", "µM"),
            ("dose micromolar", "µM"),
            ("concentration_in_nM", "nM"),
        ),
        *(("concentration", ""), ("dose", ""), ("conc (%)", ""), ("conc ng/ml", ""), ("dose_mg_ml", ""), ("M", "")),
    ],
)
def test_the_unit_is_read_from_the_name(name: str, unit: str) -> None:
    assert unit_of_name(name) == unit


@pytest.mark.parametrize(
    "spelling", ["uM", "um", "UM", f"{MICRO}M", f"{MU}M", f"{MICRO}m", "µmol/L", "micromolar", "(uM)"]
)
def test_micromolar_is_read_in_any_spelling(spelling: str) -> None:
    assert molar_unit(spelling) == "µM"


@pytest.mark.parametrize("spelling", ["%", "ng/ml", "mg/mL", "m", "", "mol", "x", "cells", "nm2", "µg/ml", "U/ml"])
def test_what_is_not_molar_is_no_unit_of_concentration(spelling: str) -> None:
    assert molar_unit(spelling) == ""


@pytest.mark.parametrize(
    ("entry", "number", "unit"),
    [
        *(
            ("10", "10", ""),
            ("10 nM", "10", "nM"),
            ("0.1um", "0.1", "um"),
            ("1,5 µM", "1.5", "µM"),
            ("0,125", "0.125", ""),
        ),
        *(
            ("1e-3 mM", "0.001", "mM"),
            ("1,234.5", "1234.5", ""),
            ("1.234,5", "1234.5", ""),
            ("1,000,000", "1000000", ""),
        ),
        *((".5", "0.5", ""), ("-1", "-1", ""), ("12E3", "12000", "")),
    ],
)
def test_an_amount_is_a_number_and_a_unit(entry: str, number: str, unit: str) -> None:
    amount = read_amount(entry)
    assert amount is not None
    assert (amount.number, amount.unit) == (Decimal(number), unit)


@pytest.mark.parametrize("entry", ["", "high", "DMSO", "10-20", ">10", "1 2", "1,000", "nM 10", "1e999999999"])
def test_what_cannot_be_said_to_be_a_number_is_none(entry: str) -> None:
    amount = read_amount(entry)
    assert amount is None or not amount.number.is_finite() or um_of(dose=[f"{entry} uM"]) in (None, [""])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"concentration": ["3", "0.1"], "unit": ["nM", "um"]}, ["0.003", "0.1"]),
        ({"conc (nM)": ["3", "", "0"]}, ["0.003", "", "0"]),
        ({"dose": ["10 nM", "0,5 µM", "2 mM", "1 M"]}, ["0.01", "0.5", "2000", "1000000"]),
        ({"Concentration": ["0,125", "1,000"], "unit": ["uM", "uM"]}, ["0.125", "1"]),
        ({"Concentration": ["1,000", "2,000"], "unit": ["uM", "uM"]}, None),
        ({"Concentration": ["5", "0"], "Concentration_unit": ["uM", ""]}, ["5", "0"]),
        ({"mmoles_per_liter": ["5.0", "0.01"]}, ["5000", "10"]),
        ({"concentration": ["0.125"], "unit": ["%"]}, None),
        ({"concentration": ["0.125", "1"], "unit": ["%", "nM"]}, ["", "0.001"]),
        ({"dose": ["1", "2"]}, None),
        ({"dose": ["low", "high"], "conc_um": ["1", "2"]}, ["1", "2"]),
        ({"log_conc_uM": ["-1", "2"]}, None),
        ({"pixel_size_um": ["0.65", "0.65"], "wavelength_nm": ["405", "488"]}, None),
        ({"conc_uM": ["-3", "1e300", "1"]}, ["", "", "1"]),
        ({"conc_uM": ["0.30000000000000004", "0.1"]}, ["0.30000000000000004", "0.1"]),
    ],
)
def test_concentrations_are_in_um_where_that_can_be_said(
    columns: dict[str, list[str]], expected: list[str] | None
) -> None:
    assert um_of(**columns) == expected


@given(
    st.decimals(min_value="0.000001", max_value="100000", places=6), st.sampled_from([("nM", -3), ("µM", 0), ("mM", 3)])
)
def test_converting_adds_no_rounding_noise(number: Decimal, unit: tuple[str, int]) -> None:
    name, power = unit
    found = um_of(dose=[f"{number} {name}"])
    if found is not None:
        assert float(found[0]) == float(number.scaleb(power))


def test_the_column_is_added_on_joining_and_one_of_that_name_is_kept() -> None:
    table, _ = join_plate_map(imaged("A01", "A02"), [map_of(["A01", "A02"], drug=["x", "y"], dose_nM=["3", "10"])])
    assert table["concentration_um"].tolist() == ["0.003", "0.01"]
    own = map_of(["A01", "A02"], concentration=["1", "2"], unit=["nM", "nM"], concentration_um=["7", "8"])
    table, _ = join_plate_map(imaged("A01", "A02"), [own])
    assert table["concentration_um"].tolist() == ["7", "8"]
    assert dose_column(table) == "concentration"


def test_doses_with_their_units_are_compared_in_um() -> None:
    table, _ = join_plate_map(imaged("A01", "A02"), [map_of(["A01", "A02"], drug=["x", "y"], dose=["3 nM", "1,5 µM"])])
    assert dose_column(table) == "concentration_um"
    assert treatments(table).tolist() == ["x 0.003 µM", "y 1.5 µM"]


def test_one_dose_in_two_units_is_one_treatment() -> None:
    given_map = map_of(["A01", "A02"], drug=["x", "x"], dose=["1000", "1"], unit=["nM", "µM"])
    table, _ = join_plate_map(imaged("A01", "A02"), [given_map])
    assert treatments(table).tolist() == ["x 1 µM", "x 1 µM"]


def test_numeric_columns_are_named_and_identifiers_are_not() -> None:
    columns = {f"IL-{i}": [str(i / 7), "" if i % 2 else "1e-3"] for i in range(51)}
    table = map_of(
        ["A01", "A02"],
        **columns,
        barcode=["001", "002"],
        drug=["x", "1"],
        column=["1", "2"],
        empty=["", ""],
        big=["1e400", "1"],
    )
    assert numeric_columns(table) == list(columns)


# What cannot be read is told


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"conc_nM": ["1,000", "500", "0"]}, "1 entry of the column 'conc_nM' cannot be told in µM, such as '1,000'"),
        ({"conc (µM)": ["1,000", "10,000", "0"]}, "2 entries of the column 'conc (µM)' cannot be taken for a number"),
        ({"conc": ["0,5", "1", "0"]}, "1 entry of the column 'conc' cannot be taken for a number without a unit"),
        ({"dose": ["1 µM", "5 %", "N/A"]}, "1 entry of the column 'dose' cannot be told in µM, such as '5 %'"),
        ({"conc_uM": ["1", "TRUE", ""]}, "1 entry of the column 'conc_uM' cannot be told in µM, such as 'TRUE'"),
    ],
)
def test_entries_that_are_no_concentration_are_told(columns: dict[str, list[str]], said: str) -> None:
    _, problems = join_plate_map(imaged("A01", "A02", "A03"), [map_of(["A01", "A02", "A03"], **columns)])
    assert len(problems) == 1
    assert problems[0].startswith(said)


@pytest.mark.parametrize("entries", [["low", "high"], ["1", "-"], ["0,5 µM", "1"], ["1", "2"], ["0.1", "N/A"]])
def test_doses_in_words_or_without_gaps_are_no_problem(entries: list[str]) -> None:
    _, problems = join_plate_map(imaged("A01", "A02"), [map_of(["A01", "A02"], **{"dose (µM)": entries})])
    assert problems == ()


def test_a_point_elsewhere_says_that_commas_part_thousands() -> None:
    found = concentration_um(map_of(["A01", "A02"], conc_uM=["1,000", "0.5"]))
    assert found is not None
    assert found.tolist() == ["1000", "0.5"]
