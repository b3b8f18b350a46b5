"""Train the mouth: python models/lipsync/train.py; writes mouth.npz beside itself.

Needs torch, soxr, espeakng-loader and pocketsphinx (its word list); runs on one thread of any processor.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from data import PHASES, Sample, buzzes, corpus
from ear import Ear
from torch import Tensor, nn

from avatard.face.mel import BANDS
from avatard.face.network import AHEAD, BEHIND, EARLY, EDGE, FALL, HUSHED, STRIDE, TAPS
from avatard.face.shapes import APART, HUSH, SPEECH, TOGETHER, TOUCH

HERE = Path(__file__).parent
SEED = 4
HEARD, MIXED, KEPT, OUT = 112, 224, 112, 6
CROP, BATCH = 200, 48
CLOSED = 5


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: on so many sentences more, so many steps long."""

    sentences: int
    steps: int
    rate: float
    shape: float
    """How much wide and round weigh."""
    shown: float
    """How much the mouth weighs that is shown in the end, after rest and closures are decided."""
    seed: int


STAGES = (
    Stage(7000, 8000, 2e-3, 1.0, 0.0, SEED), Stage(13000, 8000, 1.2e-3, 3.0, 0.0, 9),
    Stage(0, 5000, 9e-4, 3.0, 1.0, 10), Stage(0, 2600, 6e-4, 3.0, 1.0, 12),
)  # fmt: skip
BUZZES, BUZZED, HELD = 900, 0.1, 0.08
"""How many there are of them, how often a piece is one, and how often a piece of speech has a vowel that lasts."""


class Mouth(nn.Module):
    """The network as ``avatard/face/network.py`` runs it."""

    def __init__(self) -> None:
        """Take random weights."""
        super().__init__()
        self.hear = nn.Conv1d(BANDS, HEARD, 2 * EDGE + 1)
        self.mix = nn.Conv1d(HEARD, MIXED, TAPS, dilation=STRIDE, stride=3)
        self.keep = nn.GRU(MIXED, KEPT, batch_first=True)
        self.show = nn.Linear(KEPT, PHASES * OUT)

    def forward(self, columns: Tensor) -> Tensor:
        """(batch, 80, columns) to logits (batch, every third column that has its surroundings, phases, 6)."""
        mixed = torch.relu(self.mix(torch.relu(self.hear(columns * 0.5))))
        return self.show(self.keep(mixed.transpose(1, 2))[0]).unflatten(2, (PHASES, OUT))


def scaled(columns: Tensor) -> Tensor:
    """Put spectrograms (batch, 80, columns) on the scale of how loud the voice is of late."""
    fall = FALL * torch.arange(columns.shape[2])
    loud = (torch.cummax(columns.amax(1) + fall, 1).values - fall).clamp(min=HUSHED)
    loud = torch.cat([loud[:, EARLY:], loud[:, -1:].expand(-1, EARLY)], 1)
    return (columns - loud[:, None]).clamp(-5, 1) + 2


def loss_of(logits: Tensor, target: Tensor, stage: Stage) -> Tensor:
    """Squared distance, more where lips must meet; what wide and round do in a pause matters less."""
    seen, speech, closed = torch.sigmoid(logits), target[..., 4:5], target[..., CLOSED:]
    aside = stage.shape * (0.4 + 0.6 * speech).expand(-1, -1, -1, 2)
    weight = torch.cat([4 + 5 * closed, aside, 0.3 + 0.3 * speech, 0.5 + 0 * speech], -1)
    places = (weight * (seen[..., :5] - target[..., :5]) ** 2).mean()
    pace = ((seen[:, 1:] - seen[:, :-1]) - (target[:, 1:] - target[:, :-1]))[..., :4].square().mean()
    shut = nn.functional.binary_cross_entropy_with_logits(logits[..., CLOSED:], closed)
    matters = torch.tensor([0.0, 0.4, 0.4, 0.2]) + torch.tensor([1.0, 0.0, 0.0, 0.0]) * (1 + 7 * closed)
    shown = (matters * (as_shown(seen) - target[..., :4]) ** 2).sum(-1).mean()
    return places + 0.25 * pace + 0.03 * shut + stage.shown * shown


def as_shown(seen: Tensor) -> Tensor:
    """The mouth in the end, after rest and closures are decided, as ``avatard/face/shapes.py`` does it."""
    awake = ((seen[..., 4:5] - HUSH) / (SPEECH - HUSH)).clamp(0, 1)
    free = 1 - ((seen[..., CLOSED:] - APART) / (TOGETHER - APART)).clamp(0, 1)
    parted = free * ((seen[..., :1] - TOUCH) / (1 - TOUCH)).clamp(min=0)
    rest = torch.tensor([0.0, 0.5, 0.0, 0.0])
    return rest + awake * (torch.cat([parted, seen[..., 1:4]], -1) - rest)


def crops(samples: list[Sample], buzzed: list[Sample], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut pieces of random samples; what is outside is silence, and a third begins with it.

    In some of the speech a vowel lasts: a held note is no hum.
    """
    columns = np.full((BATCH, CROP, BANDS), -4, np.float32)
    target = np.tile(np.array([0, 0.5, 0, 0, 0, 0], np.float32), (BATCH, CROP, PHASES, 1))
    for row in range(BATCH):
        among = buzzed if rng.random() < BUZZED else samples
        one = among[int(rng.integers(len(among)))]
        at = int(rng.integers(0, max(1, len(one.columns) - CROP)))
        lead = int(rng.integers(0, 80)) if rng.random() < 0.33 else 0
        size = min(CROP - lead, len(one.columns) - at)
        part = slice(lead, lead + size)
        columns[row, part], target[row, part] = one.columns[at : at + size], one.target[at : at + size]
        if among is samples and rng.random() < HELD:
            _hold(columns[row], target[row], rng)
    return torch.from_numpy(columns).transpose(1, 2), torch.from_numpy(target)


def _hold(columns: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> None:
    """Let one vowel of a piece last 0.1 to 1.2 s longer, trembling a little; what comes after is moved."""
    now = target[:, PHASES // 2]
    places = np.flatnonzero((now[:, 4] > 0.97) & (now[:, 0] > 0.15) & (columns.max(1) > 0))
    if not len(places):
        return
    at, lasts = int(rng.choice(places)), int(rng.integers(8, 96))
    for row in (columns, target):
        row[at + lasts :] = row[at : len(row) - lasts].copy()
        row[at : at + lasts] = row[at]
    part = columns[at : at + lasts]
    part += rng.normal(0, rng.uniform(0, 0.12), part.shape)


def save(state: dict[str, Tensor], path: Path) -> None:
    """Store the weights as the matrices that numpy multiplies with: a byte each, and a scale for each output."""
    matrices = {
        "hear": (state["hear.weight"].permute(0, 2, 1).flatten(1) * 0.5, state["hear.bias"]),
        "mix": (state["mix.weight"].permute(0, 2, 1).flatten(1), state["mix.bias"]),
        "take": (state["keep.weight_ih_l0"], state["keep.bias_ih_l0"]),
        "keep": (state["keep.weight_hh_l0"], state["keep.bias_hh_l0"]),
        "show": (state["show.weight"], state["show.bias"]),
    }
    stored: dict[str, np.ndarray] = {}
    for name, (matrix, bias) in matrices.items():
        scale = matrix.abs().amax(1) / 127 + 1e-12
        stored[name] = torch.round(matrix / scale[:, None]).to(torch.int8).numpy()
        stored[f"{name}_scale"], stored[f"{name}_bias"] = scale.numpy(), bias.numpy()
    np.savez_compressed(path, **stored)


def learn(net: Mouth, samples: list[Sample], buzzed: list[Sample], stage: Stage, out: Path) -> None:
    """Train for a stage, the rate falling as a cosine; ``net`` becomes the weights' running mean, stored too."""
    rng, ear, began = np.random.default_rng(stage.seed), Ear(), time.monotonic()
    best = torch.optim.AdamW(net.parameters(), lr=stage.rate, weight_decay=0.01)
    mean = {name: value.clone() for name, value in net.state_dict().items()}
    lately = 0.0
    for step in range(stage.steps):
        for group in best.param_groups:
            falling = 0.5 + 0.5 * math.cos(math.pi * step / stage.steps)
            group["lr"] = stage.rate * min(1, step / 200) * falling + 1e-6
        columns, target = ear(*crops(samples, buzzed, rng))
        first = EDGE + BEHIND
        loss = loss_of(net(scaled(columns)), target[:, first : CROP - AHEAD - EDGE : 3], stage)
        best.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        best.step()
        lately += (loss.item() - lately) * (0.01 if step > 100 else 0.2)
        for name, value in net.state_dict().items():
            mean[name].lerp_(value, 0.005 if step > 500 else 0.1)
        if step % 200 == 199:
            print(f"step {step + 1}  loss {lately:.5f}  {time.monotonic() - began:.0f} s", flush=True)
        if step % 500 == 499 or step == stage.steps - 1:
            save(mean, out)
    net.load_state_dict(mean)


def main() -> None:
    """Make the corpus and train; make more of it and train on all; then train what is shown in the end.

    What is stored is two parts of the last weights and one of those before the shown mouth was trained.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the sentences and steps: small to try it out")
    parser.add_argument("--out", type=Path, default=HERE / "mouth.npz")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    net, samples = Mouth(), list[Sample]()
    print(sum(p.numel() for p in net.parameters()), "weights", flush=True)
    buzzed = buzzes(max(1, round(BUZZES * args.share)), SEED)
    for full in STAGES:
        count, steps = round(full.sentences * args.share), max(1, round(full.steps * args.share))
        stage = replace(full, sentences=count, steps=steps)
        samples += corpus(stage.sentences, stage.seed)
        print(f"{len(samples)} sentences, {sum(len(s.columns) for s in samples) / 80 / 3600:.1f} h", flush=True)
        learn(net, samples, buzzed, stage, args.out)
        if not stage.shown:
            before = {name: value.clone() for name, value in net.state_dict().items()}
    save({name: torch.lerp(before[name], value, 2 / 3) for name, value in net.state_dict().items()}, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
