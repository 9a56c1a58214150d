"""Features of boxes, beside torchvision's, and where one can work them out."""

import pytest
import torch

from wslib.weak.proposal_features import enlarged, mirrored, roi_align

WHOLE = torch.tensor([[0.0, 0, 1, 1]])


def some_map(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def some_boxes(count: int, seed: int = 1) -> torch.Tensor:
    """Boxes of every size in the image, among them two that reach its borders."""
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed))
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
    return torch.cat([WHOLE, torch.tensor([[0.9, 0, 1, 0.02]]), boxes])


def by_torchvision(maps, boxes, size, samples):
    from torchvision.ops import roi_align

    h, w = maps.shape[1:]
    scaled = boxes * torch.tensor([w, h, w, h])
    rows = torch.cat([torch.zeros(len(boxes), 1), scaled], 1)
    with torch.compiler.set_stance("force_eager"):  # compiling takes two minutes
        return roi_align(maps[None], rows, size, 1.0, samples, aligned=True)


@pytest.mark.parametrize("shape", [(3, 5, 9), (1, 8, 3), (2, 1, 1)])
@pytest.mark.parametrize(("size", "samples"), [(1, 6), (2, 1), (3, 2)])
def test_it_is_torchvisions(shape, size, samples):
    maps, boxes = some_map(*shape), some_boxes(20)
    found = roi_align(maps, boxes, size, samples)
    assert found.shape == (22, shape[0], size, size)
    torch.testing.assert_close(found, by_torchvision(maps, boxes, size, samples))


def test_two_samples_a_bin_unless_told():
    maps, boxes = some_map(2, 6, 4), some_boxes(5)
    torch.testing.assert_close(roi_align(maps, boxes, 2), roi_align(maps, boxes, 2, 2))
    assert not torch.allclose(roi_align(maps, boxes, 2), roi_align(maps, boxes, 2, 3))


def test_a_constant_map_gives_that_constant():
    found = roi_align(torch.full((2, 5, 7), 3.0), some_boxes(10), 3)
    torch.testing.assert_close(found, torch.full((12, 2, 3, 3), 3.0))


def test_a_ramp_gives_its_value_at_the_middle_of_each_bin():
    """Centres of places lie at 0.5, 1.5, ...; the ramp says where, in places."""
    across = (torch.arange(8.0) + 0.5).expand(4, 8)  # (h, w)
    down = (torch.arange(4.0) + 0.5)[:, None].expand(4, 8)
    box = torch.tensor([[0.25, 0.25, 0.75, 0.5]])  # columns 2 to 6, rows 1 to 2
    found = roi_align(torch.stack([across, down]), box, 2)[0]
    torch.testing.assert_close(found[0], torch.tensor([[3.0, 5], [3, 5]]))
    torch.testing.assert_close(found[1], torch.tensor([[1.25, 1.25], [1.75, 1.75]]))


def test_one_place_and_the_middle_between_two():
    row = torch.tensor([[[1.0, 5.0]]])  # (1, 1, 2)
    boxes = torch.tensor([[0, 0, 0.25, 1], [0.25, 0, 0.25, 1], [0.5, 0.5, 0.5, 0.5]])
    found = roi_align(row, boxes, 1, 1).flatten()
    assert found.tolist() == [1.0, 1.0, 3.0]  # beyond a centre it goes on as it is


def test_the_weights_are_of_the_maps_kind():
    maps = some_map(2, 4, 4)
    assert roi_align(maps.double(), some_boxes(3), 2).dtype == torch.float64
    maps.requires_grad_()
    roi_align(maps, torch.tensor([[0, 0, 0.5, 0.5]]), 1).sum().backward()
    torch.testing.assert_close(maps.grad.sum(), torch.tensor(2.0))
    assert maps.grad[:, 3].abs().max() == 0  # a place that the box does not touch


def test_no_boxes():
    assert roi_align(some_map(3, 4, 5), torch.zeros(0, 4), 2).shape == (0, 3, 2, 2)


def test_enlarged_about_the_centre_and_clipped():
    boxes = torch.tensor([[0.4, 0.3, 0.6, 0.7], [0.0, 0.5, 0.4, 0.9]])
    expected = torch.tensor([[0.3, 0.1, 0.7, 0.9], [0.0, 0.3, 0.6, 1.0]])
    torch.testing.assert_close(enlarged(boxes, 2), expected)
    torch.testing.assert_close(enlarged(boxes, 1), boxes)
    assert torch.equal(enlarged(WHOLE, 1.8), WHOLE)


def test_a_mirrored_box_on_the_mirrored_map_is_the_mirrored_region():
    maps, boxes = some_map(2, 5, 9), some_boxes(12)
    assert mirrored(torch.tensor([[0.1, 0.2, 0.4, 0.7]])).tolist()[0] == pytest.approx(
        [0.6, 0.2, 0.9, 0.7]
    )
    torch.testing.assert_close(mirrored(mirrored(boxes)), boxes)
    there = roi_align(maps.flip(2), mirrored(boxes), 3)
    torch.testing.assert_close(there, roi_align(maps, boxes, 3).flip(3))


@pytest.mark.parametrize(
    ("maps", "boxes", "message"),
    [
        ((4, 4), WHOLE, r"map \(4, 4\), boxes \(1, 4\): expected \(C, h, w\) and"),
        ((1, 2, 4, 4), WHOLE, r"map \(1, 2, 4, 4\)"),
        ((1, 4, 4), WHOLE[0], r"boxes \(4,\)"),
        ((1, 4, 4), torch.zeros(2, 5), r"boxes \(2, 5\)"),
        ((1, 4, 4), torch.tensor([[0, 0, 1, torch.nan]]), "box 0 is .*nan"),
        ((1, 4, 4), torch.cat([WHOLE, WHOLE * 1.5]), r"box 1 is \[0.0, 0.0, 1.5, 1.5"),
        ((1, 4, 4), torch.tensor([[-0.5, 0, 1, 1]]), "box 0 is .*expected 0 <= x1"),
        ((1, 4, 4), torch.tensor([[0.75, 0, 0.5, 1]]), r"box 0 is \[0.75"),
        ((1, 4, 4), torch.tensor([[0, 0.75, 1, 0.5]]), r"box 0 is \[0.0, 0.75"),
    ],
)
def test_errors(maps, boxes, message):
    with pytest.raises(ValueError, match=message) as error:
        roi_align(torch.zeros(maps), boxes, 2)
    assert "\n" not in str(error.value)
