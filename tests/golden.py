"""What every shipped artifact answers, for other processors to be compared with.

`python tests/golden.py` writes tests/runtime/golden again, on x86-64 with ai-edge-litert: 1,000 drawn glyphs as one
picture, and for each `.tflite` its probabilities, in 65,535ths.  A new artifact wants it.
"""

from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parent / "runtime/golden"
ACROSS, DOWN, SIDE = 40, 25, 28  # glyphs in the picture
PARTS = 65_535  # of 1, that probabilities are kept in
LINES = 60
LINE_WIDTH = 4 * SIDE  # pixels of the strips that a line reader gets: four glyphs beside each other


def glyphs():
    """(1000, 28, 28) uint8, read from the picture."""
    sheet = cv2.imread(str(FOLDER / "glyphs.png"), cv2.IMREAD_GRAYSCALE)
    return sheet.reshape(DOWN, SIDE, ACROSS, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def strips(shape):
    """(60, height, 112, 1) uint8: glyphs as lines of four, for a line reader's (height, open, 1)."""
    lines = glyphs()[: 4 * LINES].reshape(LINES, 4, SIDE, SIDE).swapaxes(1, 2).reshape(-1, SIDE, LINE_WIDTH)
    strips = np.zeros((len(lines), shape[0], LINE_WIDTH, 1), np.uint8)
    top = (shape[0] - SIDE) // 2
    strips[:, top : top + SIDE, :, 0] = lines
    return strips


def probabilities(recognizer, share=1.0):
    """(N, classes) float of what the model makes of the first glyphs: N = 1,000 · share, or a line reader's frames."""
    card = recognizer.card
    if not card.reads_lines:
        return recognizer.predict_batch(glyphs()[: round(ACROSS * DOWN * share)])
    scores = recognizer.engine.run(strips(card.input_shape)[: round(LINES * share)])
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return (exponentials / exponentials.sum(-1, keepdims=True)).reshape(-1, scores.shape[-1])


def step(recognizer):
    """How far a probability may move where each logit moves by one step of its 8 bits; 0 for a file of floats."""
    tensors = recognizer.engine._single.get_tensor_details()
    classes = recognizer.engine.classes
    logits = [one for one in tensors if one["dtype"] == np.int8 and len(one["shape"]) and one["shape"][-1] == classes]
    scales = [one["quantization"][0] for one in logits if one["quantization"][0]]
    return scales[-1] / 2 / recognizer.card.temperature if scales else 0.0  # p (1 - p) is 1/4 at most, of two logits


def main():
    from glyphlite.runtime import Recognizer, read_bundle, shipped_models
    from glyphlite.train.strokes import digit_glyphs

    FOLDER.mkdir(exist_ok=True)
    drawn = digit_glyphs(ACROSS * DOWN, np.random.default_rng(76))[0]
    sheet = drawn.reshape(DOWN, ACROSS, SIDE, SIDE).swapaxes(1, 2).reshape(DOWN * SIDE, ACROSS * SIDE)
    cv2.imwrite(str(FOLDER / "glyphs.png"), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    for name, folder in shipped_models().items():
        bundle = read_bundle(folder)
        for artifact in bundle.card.artifacts:
            if artifact.format == "tflite":
                recognizer = Recognizer.from_bundle(bundle, artifact.file)
                found = np.rint(PARTS * probabilities(recognizer)).astype(np.uint16)
                path = FOLDER / f"{name}.{Path(artifact.file).stem}.npz"
                np.savez_compressed(path, probabilities=found, step=step(recognizer))
                print(path.name, step(recognizer))


if __name__ == "__main__":
    main()
