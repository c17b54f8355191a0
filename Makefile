# Two commands to know: `make demo` shows what flowlens does, `make test` checks that it does.
# Both need Python 3.11 or newer, the tests Java 17 or newer for Spark; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
FUZZ_SECONDS ?= 40
export TZ := UTC
# A backend chosen outside would keep the notebooks' kernels from showing their figures.
unexport MPLBACKEND

.PHONY: demo test lint unit notebooks-test fuzz notebooks docs screenshots lab bench bench-scan sample clean

demo: .venv/installed  ## run the first tutorial, print its answers, leave it as demo.html
	$(BIN)/python notebooks/demo.py

test: .venv/installed  ## lint, types, unit, property, doc and notebook tests: two at a time, as each alone leaves cores idle
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint unit notebooks-test fuzz

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit: .venv/installed
	$(BIN)/pytest --numprocesses auto --dist loadgroup

notebooks-test: .venv/installed
	$(BIN)/pytest --numprocesses auto --dist loadfile --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg \
		-o addopts= -o filterwarnings= -o testpaths= notebooks

fuzz: .venv/installed  ## give the readers random bytes for a while; longer: make fuzz FUZZ_SECONDS=3600
	$(BIN)/python fuzz/fuzz_read.py --seconds $(FUZZ_SECONDS)

notebooks: .venv/installed  ## run the notebooks again and write their outputs into them
	$(BIN)/python notebooks/render.py

docs: .venv/installed  ## print what only the code knows into docs/
	$(BIN)/python docs/render.py

screenshots: .venv/installed  ## take the pictures of the explorers with Chromium
	$(BIN)/python docs/screenshots.py

lab: .venv/installed  ## open JupyterLab on the tutorials
	$(BIN)/jupyter lab notebooks

bench: .venv/installed  ## time flowlens against the same work by hand: some minutes
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks.naming
	$(BIN)/python -m benchmarks.diagnosing
	$(BIN)/python -m benchmarks.detecting
	$(BIN)/python -m benchmarks.exploring
	$(BIN)/python -m benchmarks.scanning --records 5000000

bench-scan: .venv/installed  ## the same for scans of 20 million records: ten minutes and 2 GB of disk
	$(BIN)/python -m benchmarks.scanning

sample: .venv/installed  ## write sample_data/ again
	$(BIN)/python -m flowlens.simulate

clean:
	rm -rf .venv demo.html

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
