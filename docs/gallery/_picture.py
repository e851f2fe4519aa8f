"""What the programs of the gallery share: where their pictures go and how they look."""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

# Okabe and Ito's colours, which colour-blind readers tell apart; 800 pixels across.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"]
plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "figure.figsize": (8, 4),
    }
)


def save(figure, program):
    """Write the figure of a program, which passes its __file__, to the folder of its --output."""
    parser = argparse.ArgumentParser(description=f"Draws {Path(program).stem}.png.")
    parser.add_argument("--output", type=Path, default=Path(program).parent / "pictures")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn)
    # 128 colours look the same and take about a third of the space.
    image = Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(folder / f"{Path(program).stem}.png", optimize=True)
