"""Settings of `import`: where the masks are, and what their files are called."""

from typing import Literal

from pydantic import BaseModel, Field

BinaryMasks = Literal["refuse", "split", "keep"]


class ImportSettings(BaseModel, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """Where masks that other software made lie, and how they are told which field they are of."""

    masks: str = Field(
        "",
        title="Folder of masks",
        description="Label images of the cells: TIFF, PNG or OME-Zarr; empty: label images that came with the images "
        "(OME-Zarr), else files beside the images, such as Cellpose's",
    )
    suffix: str | None = Field(
        None,
        title="End of their names",
        description="What stands behind the name of the image, such as _cp_masks or _Cells; empty: found by looking",
    )
    pattern: str = Field(
        "",
        title="Pattern of their names",
        description="Regular expression over the path below the folder, with the named groups plate, well (or row and "
        "column) and field, or image; for masks that are not named after their images",
    )
    labels: str = Field(
        "",
        title="Name of the label images",
        description="Which of those that came with the images, or are in an OME-Zarr store; empty: the only ones",
    )
    nuclei: str = Field(
        "",
        title="Folder of nuclei",
        description="Label images of the nuclei; empty: none, or those of the folder of masks where the end of their "
        "names or their pattern is given",
    )
    nuclei_suffix: str | None = Field(
        None, title="End of the nuclei's names", description="As for the cells, such as _Nuclei"
    )
    nuclei_pattern: str = Field("", title="Pattern of the nuclei's names", description="As for the cells")
    nuclei_labels: str = Field(
        "",
        title="Name of the nuclei's label images",
        description="Which of those that came with the images, or of a store",
    )
    binary: BinaryMasks = Field(
        "refuse",
        title="Masks of one value",
        description="refuse: where one value lies in several pieces, say so; split: every connected piece is a cell; "
        "keep: one value is one cell",
    )

    @property
    def has_nuclei(self) -> bool:
        """Whether nuclei are imported, too."""
        return bool(self.nuclei or self.nuclei_suffix is not None or self.nuclei_pattern or self.nuclei_labels)
