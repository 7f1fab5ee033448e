"""The synthetic lesions are worth training on: a linear model cannot read them, a small CNN can."""

import numpy as np
import pytest
from scipy.stats import rankdata

from workloads.lesions import SyntheticLesions
from workloads.lesions.signs import draw

pytestmark = pytest.mark.slow

TRAIN, TEST = 2000, 2000
EPOCHS, BATCH = 6, 50


@pytest.fixture(scope="module")
def lesions():
    indices = np.arange(TRAIN + TEST)
    return SyntheticLesions().images(0, indices, 28, 28), SyntheticLesions().labels(0, indices)


def auc(scores, labels):
    """The area under the ROC curve, by Mann and Whitney's ranks."""
    ill = int(labels.sum())
    return (rankdata(scores)[labels == 1].sum() - ill * (ill + 1) / 2) / (ill * (len(labels) - ill))


def test_signs_tell_almost_all():
    draws = draw(0, np.arange(8000))
    assert 0.94 < auc(draws.probability, draws.labels) < 0.97


@pytest.mark.parametrize("penalty", [10, 100, 1000])
def test_a_linear_model_on_pixels_fails(lesions, penalty):
    """Ridge regression in its dual form; its best test AUC over the penalties is what counts."""
    images, labels = lesions
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    pixels -= pixels[:TRAIN].mean(axis=0)
    known = pixels[:TRAIN]
    weights = known.T @ np.linalg.solve(known @ known.T + penalty * np.eye(TRAIN), labels[:TRAIN] - labels[:TRAIN].mean())
    assert 0.5 < auc(pixels[TRAIN:] @ weights, labels[TRAIN:]) < 0.72


def test_a_small_cnn_learns(lesions):
    torch = pytest.importorskip("torch", reason="needs torch to train")
    nn = torch.nn
    images, labels = lesions
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    targets = torch.from_numpy(labels).long()
    torch.manual_seed(0)
    layers, channels = [], 3
    for width, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=EPOCHS * TRAIN // BATCH)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(TRAIN).split(BATCH):
            loss = nn.functional.cross_entropy(model(planes[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        scores = model(planes[TRAIN:]).diff(dim=1)[:, 0].numpy()
    reached = auc(scores, labels[TRAIN:])
    print(f"{reached=}")
    assert reached > 0.80
