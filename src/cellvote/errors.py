"""The errors of CellVote: each says what is wrong, where, and what to do next.

Every error is also the built-in that it refines, so callers who know nothing of CellVote can still
catch it. The command line prints the message as one line and exits with 2.
"""


class CellVoteError(Exception):
    """Something that the user can mend."""


class LayoutError(CellVoteError, ValueError):
    """No image planes could be read from a folder."""


class ImageReadError(CellVoteError, OSError):
    """The pixels of an image file cannot be read."""


class PlateMapError(CellVoteError, ValueError):
    """A plate map cannot be read, or does not fit the plate."""


class StudyError(CellVoteError, ValueError):
    """A study cannot be created, opened or written."""


class StorageError(StudyError):
    """A file of a study cannot be written: the disk is full, or the folder is not ours to write.

    It would meet every field alike, so a step over fields stops at the first one.
    """


class BusyError(StudyError):
    """Another run writes this study now."""


class SettingsError(CellVoteError, ValueError):
    """A setting has no such name, or a value that is not allowed."""


class ChannelError(SettingsError, LookupError):
    """A channel was asked for that the images do not have."""


class SegmentationError(CellVoteError, ValueError):
    """An image cannot be segmented, or a segmentation is not there."""


class WeightsError(CellVoteError, OSError):
    """The weights of a network are missing, damaged, or not those that were asked for."""


class ClassesError(CellVoteError, ValueError):
    """The classes cannot be told apart honestly from what is there."""


class ClassifierError(CellVoteError, ValueError):
    """A classifier cannot be loaded, or does not fit the study."""


class PredictionsError(CellVoteError, ValueError):
    """Predictions are missing or malformed."""


class DeviceError(CellVoteError, RuntimeError):
    """The device that was asked for is not there."""


class WorkerError(CellVoteError, RuntimeError):
    """A worker process died, or the cluster cannot be reached."""


class CancelledError(CellVoteError):
    """The user cancelled; what was done is kept, and running again goes on from there."""


class LeakError(CellVoteError, ValueError):
    """The same image stands on both sides of a split."""
