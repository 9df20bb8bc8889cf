# Everything a person needs; `make` alone prints this list.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
EXTRAS ?= dev,simulate,zig,onnx
FITTED := src/penstock/planning/estimate/data
COMMA  := ,
NONE   :=
WANTED := $(subst $(NONE) $(NONE),,$(EXTRAS))
STAMP  := $(VENV)/.installed-$(subst $(COMMA),-,$(WANTED))

.PHONY: help setup demo test test-long lint format bench bench-overlays bench-compression fit docs clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## create the virtual environment (.venv) and install everything

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Penstock needs Python 3.11 or newer; found $$($(PYTHON) --version). Use: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(WANTED)]'
	@touch $@

demo: $(STAMP) ## classify a photograph with a network of the zoo on a virtual board
	@mkdir -p build
	$(BIN)/penstock zoo get cifar10-large -o build/cifar10-large.tflite
	$(BIN)/penstock run build/cifar10-large.tflite --board stm32f746g-disco \
	  --input examples/cat.jpg --detail 32 --labels examples/labels.txt --verify

test: $(STAMP) ## run the quick tests (a few minutes)
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not models and not board and not fuzz"

test-long: $(STAMP) ## run the long tests: all models, virtual boards, fuzzing
	$(BIN)/python -m pytest -q -n $(JOBS) --durations=20 -m "models or board or fuzz"

lint: $(STAMP) ## run ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## time compiling and simulating MobileNetV2-1.0-224 (needs the shared models)
	$(BIN)/python benchmarks/deploy.py

bench-overlays: $(STAMP) ## write the tables of docs/overlays.md anew: a quarter of an hour (needs the shared models)
	$(BIN)/python benchmarks/overlays.py --write

bench-compression: $(STAMP) ## train, prune and quantize the networks of the zoo (hours); benchmarks/compression
	$(BIN)/python benchmarks/compression.py

fit: $(STAMP) ## fit the estimate to the virtual boards anew
	$(BIN)/penstock bench ops --board stm32f469i-disco --fit $(FITTED)/cortex-m4.toml
	$(BIN)/penstock bench ops --board stm32f746g-disco --fit $(FITTED)/cortex-m7.toml
	$(BIN)/penstock bench ops --board nucleo-u575zi-q --fit $(FITTED)/cortex-m33.toml

docs: $(STAMP) ## write the generated pages of docs/ anew (needs the shared models)
	PENSTOCK_UPDATE_DOCS=1 $(BIN)/python -m pytest -q -n $(JOBS) tests/test_models.py \
	  tests/kernels/test_selection.py tests/estimate tests/boards/test_timing_docs.py

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
