"""glyphlite.runtime.watch: readings from a folder or a camera, by the hour and for years, none lost and none twice.

A frame's way, one file a stage: `settings.py` (TOML → what is wanted) → a source (`folder.py`, `camera.py`,
`picamera.py`, `snapshot.py`: frames) → `reading.py` (a region → digits) → `rules.py` (digits → a value that is
believed) → `store.py` (kept on the disk) → `delivery.py` → a sink (`sinks.py`, `mqtt.py`).  `loop.py` calls them in
that order; `drift.py` watches how sure the readings are.
"""
