"""Image quality: figures of each plane, flags of each field, illumination corrections."""
