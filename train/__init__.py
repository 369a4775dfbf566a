"""glyphlite.train: data sets, architectures, training and calibration.

Data sets need numpy and OpenCV only; networks need the extra `train` (Keras 3) and are imported where they are used.
"""

from .datasets import Dataset, load_dataset, stratified_split

__all__ = ["Dataset", "load_dataset", "stratified_split"]
