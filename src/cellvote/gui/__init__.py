"""The napari part: reads forms, starts steps in other processes, shows what they wrote; it holds no science."""
