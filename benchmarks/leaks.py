"""How well copies of real images are known again, and how rarely different ones are taken for copies.

    python benchmarks/leaks.py DATA [--copies 200]

DATA holds ``sbs_bbbc013``, ``mitocheck_crops`` and ``dsb2018``, as for the tests with real data. Every image of a set
is compared with all that are of another group (well, plate, image); then copies are made of some, and compared with
the originals.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cellvote.learning.fingerprints import ALIKE, Fingerprints, find_alike, fingerprint, similarities

Array = np.ndarray
Alter = Callable[[Array, np.random.Generator], Array]


def grey(path: Path) -> Array:
    """Read a grey image, or the brightness of a coloured one."""
    return np.asarray(Image.open(path).convert("L"))


def read_sbs(data: Path) -> tuple[list[Array], list[str]]:
    """Two channels of each well."""
    first = sorted((data / "sbs_bbbc013").glob("Channel1*.tif"))
    images = [np.stack([grey(p), grey(p.with_name(p.name.replace("Channel1", "Channel2")))]) for p in first]
    return images, [path.stem for path in first]


def read_mitocheck(data: Path) -> tuple[list[Array], list[str]]:
    """Crops of 64 × 64 pixels; groups are plates, since neighbours in time are of one plate."""
    paths = sorted((data / "mitocheck_crops").glob("*/*.png"))
    return [grey(path)[None] for path in paths], [path.name.split("--")[0] for path in paths]


def read_dsb(data: Path) -> tuple[list[Array], list[str]]:
    """Images of nuclei of many sources and sizes."""
    paths = sorted((data / "dsb2018" / "images").glob("*"))
    return [grey(path)[None] for path in paths], [path.stem for path in paths]


def saved_again(image: Array, random: np.random.Generator) -> Array:
    """As JPEG, stretched to 8 bits."""
    planes = []
    for plane in image:
        file = io.BytesIO()
        stretched = plane.astype(np.float32) / max(float(plane.max()), 1) * 255
        Image.fromarray(stretched.astype(np.uint8)).save(file, "JPEG", quality=int(random.integers(60, 95)))
        planes.append(grey(file))  # type: ignore[arg-type]
    return np.stack(planes)


def recoloured(image: Array, random: np.random.Generator) -> Array:
    """Other brightness, contrast and gamma."""
    top = float(max(image.max(), 1))
    changed = (image / top) ** random.uniform(0.7, 1.4) * random.uniform(0.5, 1.2) + random.uniform(0, 0.1)
    return np.clip(changed * 255, 0, 255).astype(np.uint8)


def moved(image: Array, random: np.random.Generator) -> Array:
    """Cut at the rim: up to 8 pixels, 4 of small crops."""
    most = 8 if min(image.shape[1:]) > 128 else 4
    top, bottom, left, right = random.integers(0, most + 1, 4)
    return image[:, top : image.shape[1] - bottom, left : image.shape[2] - right]


def turned(image: Array, random: np.random.Generator) -> Array:
    """Flipped, and turned by quarters."""
    image = np.rot90(image, int(random.integers(4)), (1, 2))
    return image[..., ::-1] if random.random() < 0.5 else image


def everything(image: Array, random: np.random.Generator) -> Array:
    """All of it at once."""
    return saved_again(recoloured(turned(moved(image, random), random), random), random)


CHANGES: dict[str, Alter] = {
    "saved again": saved_again,
    "recoloured": recoloured,
    "moved": moved,
    "turned": turned,
    "all at once": everything,
}


def compare(name: str, images: list[Array], groups: list[str], n_copies: int) -> None:
    """Print the rates of one set."""
    random = np.random.default_rng(0)
    started = time.process_time()
    prints: Fingerprints = np.stack([fingerprint(image) for image in images])
    each = (time.process_time() - started) / len(images) * 1e3
    group = np.unique(groups, return_inverse=True)[1]
    started = time.process_time()
    genuine = find_alike(prints, lambda rows: group[rows][:, None] != group[None], least=0)
    seconds = time.process_time() - started
    values = np.array([pair.similarity for pair in genuine])
    wrong = [pair for pair in genuine if pair.similarity >= ALIKE]
    print(f"{name}: {len(images)} images, fingerprint {each:.1f} ms each, compared in {seconds:.1f} s (CPU time)")
    print(f"  nearest of other groups: highest {np.sort(values)[-5:][::-1].round(3)}; at least {ALIKE}: {len(wrong)}")
    for pair in wrong[:5]:
        print(f"    {groups[pair.one]} · {groups[pair.other]} ({pair.similarity:.2f})")
    chosen = random.permutation(len(images))[:n_copies]
    for change, alter in CHANGES.items():
        copies = np.stack([fingerprint(alter(images[i], random)) for i in chosen])
        own = similarities(prints[chosen], copies)
        both = np.concatenate([prints, copies])
        n = len(images)

        def across(rows: Array, n: int = n, total: int = len(both)) -> Array:
            return (rows < n)[:, None] != (np.arange(total) < n)[None]

        found = {(pair.one, pair.other - n) for pair in find_alike(both, across)}
        known = sum((int(i), at) in found for at, i in enumerate(chosen))
        spread = f"similarity least {own.min():.2f}, median {np.median(own):.2f}"
        print(f"  {change}: {known} of {len(chosen)} copies found; {spread}")


def main() -> None:
    """Compare all sets that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--only", choices=["SBS", "MitoCheck", "DSB2018"], nargs="*")
    chosen = parser.parse_args()
    sets = {"SBS": read_sbs, "MitoCheck": read_mitocheck, "DSB2018": read_dsb}
    for name, read in sets.items():
        if not chosen.only or name in chosen.only:
            compare(name, *read(chosen.data), chosen.copies)


if __name__ == "__main__":
    main()
