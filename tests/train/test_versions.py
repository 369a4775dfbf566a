"""Which packages a model was made with."""

from importlib.metadata import version

from glyphlite.train import versions


def test_a_module_is_told_by_the_package_that_it_comes_from(monkeypatch):
    found = versions.versions_of(("numpy", "cv2", "no_such_module"))
    assert found["numpy"] == version("numpy")
    assert len(found) == 2 and any(name.startswith("opencv-") for name in found)
    monkeypatch.setattr(versions, "packages_distributions", lambda: {"cv2": ["opencv-contrib-python"]})
    monkeypatch.setattr(versions, "version", {"opencv-contrib-python": "5.0"}.get)
    assert versions.versions_of(("cv2", "tensorflow")) == {"opencv-contrib-python": "5.0"}
