# Every command that a person needs.  `make demo` installs what the device needs, `make test` everything.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --disable-pip-version-check --progress-bar on --constraint constraints.txt --editable
FOLDERS := runtime train compress webapp benchmarks models

.PHONY: demo test test-arm lint format bench micro soak browser fuzz load watch-days watch-kills footprint wheelhouse models compression clean

demo: .venv/device ## recognise the sample images with a shipped model
	@echo "== recognising the sample images with digits-edge"
	@$(BIN)/glyphlite predict models/samples/*.png --timing

test: .venv/everything ## run every test
	@echo "== running the tests; data: $${GLYPHLITE_DATA:-none (GLYPHLITE_DATA is not set), so tests that need it are skipped}"
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: .venv/everything build/glyphlite ## ruff and mypy, as CI runs them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build && MYPYPATH=. ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache -p glyphlite

format: .venv/everything ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/everything .venv/peers ## every figure of docs/benchmarks.md, made again on this machine
	$(BIN)/python -m glyphlite.benchmarks.suite docs/benchmarks.md benchmarks/results

micro: .venv/everything ## the runtime's stages one by one; a later run is compared by ARGS=--benchmark-compare
	$(BIN)/python -m pytest tests/benchmarks/micro.py --benchmark-storage=benchmarks/results --benchmark-autosave $(ARGS)

soak: .venv/everything ## 100,000 predictions and ten minutes: memory, time and temperature
	$(BIN)/glyphlite bench soak --minutes 10 --predictions 100000 --max-growth-mib 2 --out benchmarks/results/soak

fuzz: .venv/everything ## 20,000 damaged images and 20,000 hostile requests: answers or errors of ours, in bounded memory
	$(BIN)/python tests/fuzz.py
	$(BIN)/python tests/fuzz_http.py

load: .venv/everything ## requests per second, latency under load and memory of the web app; wants Debian's `hey`
	$(BIN)/python -m glyphlite.benchmarks.load

# What runs the network in a browser, by npm, into webapp/browser/dist/; the page offers it once it is there.  One name
# that its module asks the package manager for becomes a file beside it, so that the page needs no import map.
LITERT = node_modules/@litertjs
browser: ## fetch what runs the network in the page itself
	cd webapp/browser && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd webapp/browser && grep -q 'from "@litertjs/wasm-utils"' $(LITERT)/core/dist/index.js && rm -rf dist && mkdir dist \
	  && sed 's|"@litertjs/wasm-utils"|"./wasm-utils.js"|; /sourceMappingURL/d' $(LITERT)/core/dist/index.js > dist/litert.js \
	  && sed '/sourceMappingURL/d' $(LITERT)/wasm-utils/dist/index.js > dist/wasm-utils.js \
	  && cp $(LITERT)/core/wasm/litert_wasm_compat_internal.js $(LITERT)/core/wasm/litert_wasm_compat_internal.wasm dist/ \
	  && gzip -9n dist/*
	@du -bch webapp/browser/dist/*

watch-days: .venv/everything ## twelve simulated days of a meter: what is accepted, and what of it is wrong
	$(BIN)/python tests/watch_days.py

watch-kills: .venv/everything ## `glyphlite watch` killed 200 times between a folder and a broker: nothing lost, nothing twice
	$(BIN)/python tests/watch_kills.py --kills 200

test-arm: .venv/everything ## the runtime's tests on arm64 and armhf code, under QEMU (Debian: qemu-user-static)
	$(BIN)/python tests/arm.py

footprint: .venv/everything ## bytes, memory and start of the base install on arm64 and armhf
	$(BIN)/python tests/footprint.py

ARCH ?= aarch64
PY ?= 3.11
wheelhouse: .venv/everything ## a folder that installs glyphlite without a network: make wheelhouse ARCH=aarch64|armv7l
	$(BIN)/python deploy/wheelhouse.py $(ARCH) --python $(PY)

# The shipped models, made again, into runs/ and then models/.  On two cores some seventeen hours, reckoned from images a
# second, of which the two wide networks take seven; on a GPU a fraction (KERAS_BACKEND=jax, docs/models.md).
# Interrupted, it goes on.  SMOKE=1: the same commands, an epoch of a few images each, into build/smoke, in minutes.
SMOKE ?=
few = $(if $(SMOKE),$(2),$(1))
RUNS = $(call few,,build/smoke/)runs
MODELS = $(call few,,build/smoke/)models
TRAIN = $(BIN)/glyphlite train --data mnist --resume $(call few,,--limit 600)
FULL = $(TRAIN) --arch full --epochs $(call few,60,1) --batch-size 189 --learning-rate 0.003
TEACH = $(BIN)/glyphlite distill $(RUNS)/wide-strong,$(RUNS)/wide-medium,$(RUNS)/full-labels --data mnist --resume $(call few,,--limit 600) --augment medium --weight-decay 0.05 --distill-temperature 3 --distill-views $(call few,12,1)
COMPRESS = $(BIN)/glyphlite compress --format tflite
ONNX = $(BIN)/glyphlite compress --format onnx --recipe float32
STRIPPED = static_wi8_ai8_stripped

models: .venv/everything
	$(TRAIN) --arch lenet5 --epochs $(call few,40,1) --augment mild --out $(RUNS)/digits-lenet5
	$(FULL) --width 2 --augment strong --weight-decay 0.05 --out $(RUNS)/wide-strong
	$(FULL) --width 2 --augment medium --weight-decay 0.1 --out $(RUNS)/wide-medium
	$(FULL) --augment strong --weight-decay 0.05 --out $(RUNS)/full-labels
	$(TEACH) --arch full --epochs $(call few,85,1) --batch-size 189 --learning-rate 0.0015 --from $(RUNS)/full-labels --out $(RUNS)/digits-full
	$(TRAIN) --arch edge --epochs $(call few,60,1) --augment medium --batch-size 189 --learning-rate 0.004 --weight-decay 0.05 --precision float32 --out $(RUNS)/edge-labels
	$(TEACH) --arch edge --epochs $(call few,45,1) --learning-rate 0.003 --drawn 0.3 --outliers 0.3 --precision float32 --from $(RUNS)/edge-labels --out $(RUNS)/digits-edge
	$(TRAIN) --arch edge --epochs $(call few,58,1) --augment harsh --learning-rate 0.004 --from $(RUNS)/edge-labels --out $(RUNS)/digits-robust
	$(TRAIN) --arch micro --epochs $(call few,60,1) --augment mild --batch-size 256 --learning-rate 0.01 --out $(RUNS)/digits-micro
	test -f $(RUNS)/lines.npz || $(BIN)/glyphlite data lines $(RUNS)/lines.npz --count $(call few,60000,600) --seed 2
	$(BIN)/glyphlite train --resume --arch line_cnn --data $(RUNS)/lines.npz --epochs $(call few,20,1) --batch-size 64 --augment medium --out $(RUNS)/digits-line
	for name in lenet5 full edge robust line; do $(ONNX) $(RUNS)/digits-$$name --out $(MODELS)/digits-$$name || exit 1; done
	$(COMPRESS) $(RUNS)/digits-lenet5 --recipe float32,float16,static_wi8_ai8 --default static_wi8_ai8.tflite --out $(MODELS)/digits-lenet5
	$(COMPRESS) $(RUNS)/digits-full --recipe float32,float16,static_wi8_ai8 --default static_wi8_ai8.tflite --out $(MODELS)/digits-full
	$(COMPRESS) $(RUNS)/digits-edge --recipe float32,float16,$(STRIPPED) --default $(STRIPPED).tflite --out $(MODELS)/digits-edge
	$(COMPRESS) $(RUNS)/digits-robust --recipe float32,$(STRIPPED) --default $(STRIPPED).tflite --out $(MODELS)/digits-robust
	$(COMPRESS) $(RUNS)/digits-micro $(call few,,--epochs 1) --recipe float32,qat_$(STRIPPED) --default qat_$(STRIPPED).tflite --out $(MODELS)/digits-micro
	$(COMPRESS) $(RUNS)/digits-line --recipe float32,dynamic_wi8_afp32,static_wi8_ai8 --default dynamic_wi8_afp32.tflite --partner digits-edge --out $(MODELS)/digits-line

# One table of what each recipe makes of digits-full, into build/compression-bench; hours on two cores, and it goes on.
# EPOCHS=2: of each step that trains, where there is less time.
STORED = float32,float16,dynamic_wi8_afp32,dynamic_wi4_afp32,weight_only_wi8_afp32,weight_only_wi4_afp32,static_wi8_ai8
STORED4 = static_wi8_ai16,static_wi4_ai8,mixed_wi48_afp32,mixed_wi48_ai8,static_wi8_ai8_stripped
SPARSE = prune50_static_wi8_ai8,prune80_static_wi8_ai8,prune90_static_wi8_ai8,sparse2of4_static_wi8_ai8
SHARED = cluster16_static_wi8_ai8,cluster32_static_wi8_ai8,cluster64_static_wi8_ai8
TRAINED = qat_static_wi8_ai8,prune50_qat_static_wi8_ai8,prune50_cluster16_qat_static_wi8_ai8
NARROW = channels50_distill_static_wi8_ai8,channels50l1_distill_static_wi8_ai8,channels50bn_distill_static_wi8_ai8
NARROWER = channels75_distill_static_wi8_ai8,channels75_distill_qat_static_wi8_ai8

compression: .venv/everything
	for recipes in $(STORED) $(STORED4) $(SPARSE) $(SHARED) $(TRAINED) $(NARROW) $(NARROWER); do \
	  $(BIN)/glyphlite compress digits-full --recipe $$recipes --data mnist $(if $(EPOCHS),--epochs $(EPOCHS)) --out build/compression || exit 1; done
	$(BIN)/glyphlite bench run build/compression --data mnist --out build/compression-bench

clean: ## remove what was installed and built
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache

.venv/device: pyproject.toml constraints.txt
	@echo "== installing the runtime (no TensorFlow) into .venv"
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python {v[0]}.{v[1]}; wanted 3.11 or newer (PYTHON=…)")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	@touch $@

.venv/everything: .venv/device
	@echo "== installing everything (TensorFlow too: about 3 GB) into .venv"
	$(INSTALL) '.[dev]'
	@touch $@

# readers to compare with; without their dependencies, which would bring a second OpenCV
.venv/peers: .venv/everything
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt pyclipper shapely
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps rapidocr-onnxruntime
	@touch $@

# the folders under their import name, for mypy
build/glyphlite:
	mkdir -p $@
	for folder in $(FOLDERS); do ln -sfn ../../$$folder $@/$$folder; done
