"""Train the mouth: python models/lipsync/train.py [--minutes 12] [--sentences 4500]; writes mouth.npz beside itself.

Needs torch, soxr, espeakng-loader and pocketsphinx (its word list); runs on one thread of any processor.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from data import PHASES, Sample, corpus
from torch import Tensor, nn

from avatard.face.network import AHEAD, BEHIND, EARLY, EDGE, FALL, HUSHED, STRIDE, TAPS

HERE = Path(__file__).parent
SEED = 4
BANDS, HEARD, MIXED, KEPT, OUT = 80, 112, 224, 112, 6
CROP, BATCH = 200, 48
CLOSED = 5


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


class Ear:
    """Another throat, microphone, room noise and telephone each time: on spectrograms, in decibels."""

    def __init__(self) -> None:
        """Work out the throats."""
        self.warps = torch.stack([_warp(a) for a in np.linspace(0.87, 1.15, 29)])
        self.at = torch.linspace(0, 1, BANDS)

    def curve(self, count: int, tilt: float, waves: float) -> Tensor:
        """Smooth random spectra in dB, shape (count, 80, 1)."""
        out = torch.randn(count, 1) * tilt * (self.at - 0.5) * 2
        for k in range(1, 7):
            out = out + torch.randn(count, 1) * waves / math.sqrt(k) * torch.cos(math.pi * k * self.at)
        return out[..., None]

    def __call__(self, columns: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Change spectrograms (batch, 80, columns); the targets change where speech is taken out."""
        count = len(columns)
        db = (columns + 4) * 12.5 - 100
        # Four of five are left nearly as they were spoken.
        hard = torch.where(torch.rand(count, 1, 1) < 0.8, 0.2, 1.0)
        throat = (torch.randn(count) * 4.5 * hard.view(-1) + 14).round().clamp(0, 28).long()
        db = torch.bmm(self.warps[throat], db)
        real = db > -95
        gain = torch.empty(count, 1, 1).uniform_(-24, 10)
        rough = torch.randn_like(db) * torch.empty(count, 1, 1).uniform_(0, 2)
        change = gain + hard * (self.curve(count, 4, 2) + rough)
        gone = torch.rand(count, 1, 1) < 0.06
        db = torch.where(real & ~gone, db + change, torch.full_like(db, -100))
        top = torch.where(hard < 1, torch.ones_like(hard), torch.empty(count, 1, 1).uniform_(0.6, 1.5))
        db = db - 60 * ((self.at[:, None] - top) * 12).clamp(0, 1)
        low = torch.where(hard < 1, torch.zeros_like(hard), torch.empty(count, 1, 1).uniform_(-0.4, 0.1))
        db = db - 40 * ((low - self.at[:, None]) * 20).clamp(0, 1)
        # The speech's loudest bands are some 12 dB above -38.
        level = -38 + gain - torch.empty(count, 1, 1).uniform_(0, 1) * 50 - torch.where(hard < 1, 24, 4)
        level = torch.where(gone, -38 + gain - torch.empty(count, 1, 1).uniform_(0, 60), level)
        noise = level + self.curve(count, 8, 4) + torch.randn_like(db) * torch.empty(count, 1, 1).uniform_(1, 5)
        noise = torch.where(torch.rand(count, 1, 1) < 0.8, noise, torch.full_like(db, -120))
        db = 10 * torch.log10(10 ** (db / 10) + 10 ** (noise / 10))
        rest = torch.tensor([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
        return ((db + 100) * 0.08 - 4).clamp(-4, 4), torch.where(gone[..., None], rest, target)


def scaled(columns: Tensor) -> Tensor:
    """Put spectrograms (batch, 80, columns) on the scale of how loud the voice is of late."""
    fall = FALL * torch.arange(columns.shape[2])
    loud = (torch.cummax(columns.amax(1) + fall, 1).values - fall).clamp(min=HUSHED)
    loud = torch.cat([loud[:, EARLY:], loud[:, -1:].expand(-1, EARLY)], 1)
    return (columns - loud[:, None]).clamp(-5, 1) + 2


def _warp(factor: float) -> Tensor:
    """A matrix that moves a spectrum from each band's frequency to ``factor`` times it."""
    low, high = 0.825, 44.5  # Slaney mel of 55 and 7600 Hz
    mels = np.linspace(low, high, BANDS + 2)[1:-1]
    hertz = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * math.log(6.4) / 27)) * factor
    back = np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / math.log(6.4))
    place = ((back - low) / (high - low) * (BANDS + 1) - 1).clip(0, BANDS - 1)
    floor = np.minimum(place.astype(int), BANDS - 2)
    matrix = np.zeros((BANDS, BANDS), np.float32)
    matrix[np.arange(BANDS), floor] = 1 - (place - floor)
    matrix[np.arange(BANDS), floor + 1] = place - floor
    return torch.from_numpy(matrix)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Squared distance, more where lips must meet; what wide, round and teeth do in a pause matters less."""
    shown, speech, closed = torch.sigmoid(logits), target[..., 4:5], target[..., CLOSED:]
    aside = (0.4 + 0.6 * speech).expand(-1, -1, -1, 2)
    weight = torch.cat([1.5 + 4 * closed, aside, 0.3 + 0.3 * speech, 0.3 + 0 * speech], -1)
    places = (weight * (shown[..., :5] - target[..., :5]) ** 2).mean()
    pace = ((shown[:, 1:] - shown[:, :-1]) - (target[:, 1:] - target[:, :-1]))[..., :4].square().mean()
    shut = nn.functional.binary_cross_entropy_with_logits(logits[..., CLOSED:], closed)
    return places + 0.25 * pace + 0.02 * shut


def crops(samples: list[Sample], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut pieces of random samples; what is outside is silence, and a third begins with it."""
    columns = np.full((BATCH, CROP, BANDS), -4, np.float32)
    target = np.tile(np.array([0, 0.5, 0, 0, 0, 0], np.float32), (BATCH, CROP, PHASES, 1))
    for row, number in enumerate(rng.integers(len(samples), size=BATCH)):
        one = samples[number]
        at = int(rng.integers(0, max(1, len(one.columns) - CROP)))
        lead = int(rng.integers(0, 80)) if rng.random() < 0.33 else 0
        size = min(CROP - lead, len(one.columns) - at)
        part = slice(lead, lead + size)
        columns[row, part], target[row, part] = one.columns[at : at + size], one.target[at : at + size]
    return torch.from_numpy(columns).transpose(1, 2), torch.from_numpy(target)


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


def main() -> None:
    """Make the corpus, train for the time given, store the weights' running mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--sentences", type=int, default=3600)
    parser.add_argument("--out", type=Path, default=HERE / "mouth.npz")
    parser.add_argument("--cache", type=Path, help="keep the corpus here, or take it from here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    began = time.monotonic()
    if args.cache and args.cache.exists():
        kept = np.load(args.cache)
        cuts = kept["cuts"]
        samples = [Sample(*pair) for pair in zip(np.split(kept["c"], cuts), np.split(kept["t"], cuts), strict=True)]
    else:
        samples = corpus(args.sentences, SEED)
        if args.cache:
            cuts = np.cumsum([len(s.columns) for s in samples])[:-1]
            np.savez(args.cache, c=np.concatenate([s.columns for s in samples]),
                     t=np.concatenate([s.target for s in samples]), cuts=cuts)  # fmt: skip
    hours = sum(len(s.columns) for s in samples) / 80 / 3600
    print(f"{len(samples)} sentences, {hours:.1f} h, made in {time.monotonic() - began:.0f} s", flush=True)
    net, ear = Mouth(), Ear()
    print(sum(p.numel() for p in net.parameters()), "weights", flush=True)
    best = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    mean = {name: value.clone() for name, value in net.state_dict().items()}
    lately = 0.0
    for step in range(args.steps):
        for group in best.param_groups:
            group["lr"] = 2e-3 * min(1, step / 200) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps)) + 1e-6
        columns, target = ear(*crops(samples, rng))
        logits = net(scaled(columns))
        first = EDGE + BEHIND
        seen = target[:, first : CROP - AHEAD - EDGE : 3]
        loss = loss_of(logits, seen)
        best.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        best.step()
        lately += (loss.item() - lately) * (0.01 if step > 100 else 0.2)
        for name, value in net.state_dict().items():
            mean[name].lerp_(value, 0.005 if step > 500 else 0.1)
        if step % 200 == 199:
            print(f"step {step + 1}  loss {lately:.5f}  {time.monotonic() - began:.0f} s", flush=True)
        if step % 500 == 499 or step == args.steps - 1:
            save(mean, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
