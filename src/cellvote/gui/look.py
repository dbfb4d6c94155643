"""How a person looks at the plate: one field, the whole well or the whole plate; with z and time or without."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from psygnal import SignalGroupDescriptor

Scope = Literal["field", "well", "plate"]


@dataclass(eq=False)
class Look:
    """What the view bar chooses; ``events`` tells of every change.

    Attributes
    ----------
    scope
        What is on the canvas.
    by_z, by_time
        Whether the planes of a stack, and the timepoints, are walked through with sliders; else a stack is
        projected as the study says, and of a time series the start is shown.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    scope: Scope = "field"
    by_z: bool = False
    by_time: bool = False
