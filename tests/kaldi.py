"""A small Kaldi model, which the real Vosk loads: it hears a low tone as one word and a high one as another."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WORDS = ("low", "high")
UNKNOWN = "[unk]"
CEPSTRA = 13
Arc = tuple[int, int, int, float]
"""Input, output, the state that it leads to, cost."""

MFCC = f"""--use-energy=false
--sample-frequency=16000
--num-mel-bins=23
--num-ceps={CEPSTRA}
--low-freq=20
--high-freq=7600
"""
OPTIONS = """--min-active=20
--max-active=1000
--beam=20.0
--lattice-beam=4.0
--acoustic-scale=1.0
--frame-subsampling-factor=1
--endpoint.silence-phones=1
--endpoint.rule2.min-trailing-silence=0.5
--endpoint.rule3.min-trailing-silence=1.0
--endpoint.rule4.min-trailing-silence=2.0
"""
TRANSITIONS = """<TransitionModel>
<Topology>
<TopologyEntry>
<ForPhones>
1 2 3
</ForPhones>
<State> 0 <PdfClass> 0 <Transition> 0 0.5 <Transition> 1 0.5 </State>
<State> 1 </State>
</TopologyEntry>
</Topology>
<Triples> 3
1 0 0
2 0 1
3 0 2
</Triples>
<LogProbs>
 [ 0 -0.6931 -0.6931 -0.6931 -0.6931 -0.6931 -0.6931 ]
</LogProbs>
</TransitionModel>
"""
"""Three phones of one state each: silence, low, high. Staying is an odd number, leaving the even one after it."""
LOW_ABOVE, HIGH_BELOW = 10.0, -50.0
"""Second cepstral coefficient: noise and silence lie between, however loud."""


def tone(hertz: float, seconds: float = 0.6) -> NDArray[np.int16]:
    """Int16 at 16 kHz."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    # A tone that begins at once is a click, and that is no tone.
    envelope = np.minimum(1, np.minimum(time, seconds - time) / 0.05)
    return np.asarray(np.sin(2 * np.pi * hertz * time) * envelope * 8000, np.int16)


def kaldi(folder: Path, loose: bool = True) -> Path:
    """Write a model's folder; a ``loose`` one has its graph put together at run time, and so can take a grammar."""
    for name in ("am", "conf", "graph"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "mfcc.conf").write_text(MFCC)
    (folder / "conf" / "model.conf").write_text(OPTIONS)
    (folder / "am" / "final.mdl").write_text(TRANSITIONS + _network())
    names = ("<eps>", *WORDS, UNKNOWN)
    (folder / "graph" / "words.txt").write_text("".join(f"{name} {n}\n" for n, name in enumerate(names)))
    graph: list[list[Arc]] = [[(2, 0, 1, 0.0), (4, 1, 2, 8.0), (6, 2, 3, 8.0)]]
    graph += [[(0, 0, 0, 0.0), (stay, 0, phone, 0.0)] for phone, stay in ((1, 1), (2, 3), (3, 5))]
    if loose:
        (folder / "graph" / "HCLr.fst").write_bytes(_fst(graph))
        (folder / "graph" / "Gr.fst").write_bytes(_fst([[(n, n, 0, 0.0) for n in range(1, len(names))]]))
        (folder / "graph" / "disambig_tid.int").write_text("100\n")
    else:
        (folder / "graph" / "HCLG.fst").write_bytes(_fst(graph))
    return folder


def _network() -> str:
    """Low and high by the second coefficient, which falls with the pitch; what has none is silence."""
    weights = np.zeros((3, CEPSTRA))
    weights[1, 1], weights[2, 1] = 1.0, -1.0
    rows = "\n  ".join(" ".join(f"{x:g}" for x in row) for row in weights)
    return f"""<Nnet3>{" "}
input-node name=input dim={CEPSTRA}
component-node name=affine component=affine input=input
output-node name=output input=affine objective=linear

<NumComponents> 1
<ComponentName> affine <FixedAffineComponent> <LinearParams> [
  {rows} ]
<BiasParams> [ 0 {-LOW_ABOVE:g} {HIGH_BELOW:g} ]
</FixedAffineComponent> </Nnet3> <LeftContext> 0 <RightContext> 0 <Priors> [ ]
"""


def _fst(states: list[list[Arc]]) -> bytes:
    """OpenFst's binary form of a vector FST over tropical weights; it begins in state 0 and may end in any."""
    def text(value: bytes) -> bytes:
        return struct.pack("<i", len(value)) + value

    header = struct.pack("<i", 2125659606) + text(b"vector") + text(b"standard")
    data = header + struct.pack("<iiQqqq", 2, 0, 3, 0, len(states), sum(map(len, states)))
    for arcs in states:
        data += struct.pack("<fq", 0.0, len(arcs))
        for into, out, state, cost in sorted(arcs, key=lambda arc: (arc[1], arc[0])):
            data += struct.pack("<iifi", into, out, cost, state)
    return data
