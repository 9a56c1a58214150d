"""The photographs with hand-drawn boxes."""

import numpy as np
import pytest
from skimage import data

from wslib.data.photographs import ALBUM, read_photo
from wslib.models.classifiers import imagenet_classes


@pytest.mark.parametrize("name", ALBUM)
def test_box_lies_in_the_photograph_and_the_class_exists(name):
    photo = read_photo(name)
    height, width, channels = photo.pixels.shape
    x1, y1, x2, y2 = photo.box
    assert photo.pixels.dtype == np.uint8 and channels == 3
    assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    assert photo.name in imagenet_classes()


def test_pixels_are_those_of_the_package():
    assert (read_photo("coffee").pixels == data.coffee()).all()
    assert (read_photo("camera").pixels[..., 1] == data.camera()).all()


def test_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no photograph 'teapot'.* chelsea, coffee"):
        read_photo("teapot")
