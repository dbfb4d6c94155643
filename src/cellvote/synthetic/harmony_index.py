"""The index that Harmony writes beside its images: ``Index.idx.xml``."""

import math
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cellvote.plates.wells import well_position
from cellvote.synthetic.painting import CHANNELS
from cellvote.synthetic.plate_design import PlateDesign
from cellvote.synthetic.settings import PlateSettings

NAMESPACE: Final = "http://www.perkinelmer.com/PEHH/HarmonyV5"
INDEX_NAME: Final = "Index.idx.xml"


def image_name(row: int, column: int, field: int, channel: int) -> str:
    """Name an image as Harmony does; everything is counted from 1."""
    return f"r{row:02d}c{column:02d}f{field:02d}p01-ch{channel}sk1fk1fl1.tiff"


def harmony_index(settings: PlateSettings, design: PlateDesign) -> bytes:
    """Describe every image of a plate as XML, with the element names of Harmony 5."""
    root = Element("EvaluationInputData", {"xmlns": NAMESPACE, "Version": "1"})
    _texts(root, {"User": "CellVote", "InstrumentType": "Simulated"})
    plate = SubElement(SubElement(root, "Plates"), "Plate")
    _texts(plate, {"PlateID": settings.name, "Name": settings.name, "PlateTypeName": "Simulated"})
    _texts(plate, {"PlateRows": str(settings.rows), "PlateColumns": str(settings.columns)})
    wells = SubElement(root, "Wells")
    images = SubElement(root, "Images")
    for name in design.wells:
        row, column = well_position(name)
        SubElement(plate, "Well", {"id": f"{row:02d}{column:02d}"})
        well = SubElement(wells, "Well")
        _texts(well, {"id": f"{row:02d}{column:02d}", "Row": str(row), "Col": str(column)})
        for field in range(1, settings.fields_per_well + 1):
            for channel in range(1, len(CHANNELS) + 1):
                image = _image(settings, row, column, field, channel)
                SubElement(well, "Image", {"id": str(image.findtext("id"))})
                images.append(image)
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _image(settings: PlateSettings, row: int, column: int, field: int, channel: int) -> Element:
    image = Element("Image", {"Version": "1"})
    _texts(
        image,
        {
            "id": f"{row:02d}{column:02d}K1F{field}P1R{channel}",
            "State": "Ok",
            "URL": image_name(row, column, field, channel),
            "Row": str(row),
            "Col": str(column),
            "FieldID": str(field),
            "PlaneID": "1",
            "TimepointID": "0",
            "ChannelID": str(channel),
            "FlimID": "1",
            "ChannelName": CHANNELS[channel - 1],
            "ImageType": "Signal",
            "AcquisitionType": "NonConfocal",
            "IlluminationType": "Epifluorescence",
            "ChannelType": "Fluorescence",
        },
    )
    pixel_size_m = f"{settings.pixel_size_um * 1e-6:.9E}"
    _texts(image, {"ImageResolutionX": pixel_size_m, "ImageResolutionY": pixel_size_m}, unit="m")
    size = str(settings.field_size_px)
    _texts(image, {"ImageSizeX": size, "ImageSizeY": size, "BinningX": "1", "BinningY": "1"})
    _texts(image, {"MaxIntensity": "65535", "CameraType": "Simulated"})
    right_m, up_m = _stage_position(settings, field)
    _texts(image, {"PositionX": f"{right_m:.9G}", "PositionY": f"{up_m:.9G}"}, unit="m")
    return image


def _stage_position(settings: PlateSettings, field: int) -> tuple[float, float]:
    """Say how far a field is from the middle of its well, in metres, X to the right and Y up."""
    across = math.ceil(math.sqrt(settings.fields_per_well))
    down = math.ceil(settings.fields_per_well / across)
    row, column = divmod(field - 1, across)
    size_m = settings.field_size_um * 1e-6
    return (column - (across - 1) / 2) * size_m, ((down - 1) / 2 - row) * size_m


def _texts(parent: Element, texts: dict[str, str], unit: str = "") -> None:
    for tag, text in texts.items():
        SubElement(parent, tag, {"Unit": unit} if unit else {}).text = text
