"""What lies between a voice and the network: another throat, microphone and room each time a piece is heard."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from avatard.face.mel import BANDS


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
        # A third are left as they were spoken but for the gain, half nearly so.
        chance = torch.rand(count, 1, 1)
        hard = torch.where(chance < 0.35, 0.0, torch.where(chance < 0.85, 0.2, 1.0))
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
        noise = torch.where((torch.rand(count, 1, 1) < 0.8) & (hard > 0) | gone, noise, torch.full_like(db, -120))
        db = 10 * torch.log10(10 ** (db / 10) + 10 ** (noise / 10))
        rest = torch.tensor([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
        return ((db + 100) * 0.08 - 4).clamp(-4, 4), torch.where(gone[..., None], rest, target)


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
