"""images that recording kept ──▶ thumbnails for explanations, as trainings make them."""

from __future__ import annotations

from feedback.recording.image_store import ImageStore
from models.bundle.input_spec import InputSpec
from models.errors import ClientError
from models.imaging.decode import decode
from training.data.images import aspect
from training.export.example_selection import thumbnail
from training.relearn.renewed_examples import Thumbnails


def kept_thumbnails(images: ImageStore, spec: InputSpec) -> Thumbnails:
    """Gives the thumbnail of an image by its SHA-256; None if it is not kept, or no longer decodes.

    Args:
        images: where recording keeps them.
        spec: how images are decoded.

    Raises:
        StoreError: when a thumbnail is asked for, and the images cannot be read.
    """

    def find(sha256: str) -> bytes | None:
        data = images.open(sha256)
        if data is None:
            return None
        try:
            shape = aspect(data) if spec.fit == "stretch" else spec.width / spec.height
            return thumbnail(decode(data, spec), shape)
        except ClientError:
            return None

    return find
