# run · test · check · attack · check-… · bench · weights · lock — each target is a few commands.
PYTHON ?= python3
PORT ?= 7860
BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check attack check-downloads check-deploy check-cluster bench weights lock

# Exact versions, each with the hashes of its files (locks/): what does not match is refused. Only wheels: building a
# source archive would fetch build tools without hashes. pip's sources may have PyTorch's CPU build, some GB smaller.
INSTALL = $(BIN)/pip install -q --require-hashes --no-deps --only-binary :all:

.venv/run: locks/run.txt locks/torch.txt locks/torch-cpu.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -r locks/run.txt
	@$(INSTALL) -r locks/torch-cpu.txt 2>/dev/null || { \
	  echo "There is no CPU build of PyTorch for this machine in pip's sources: installing the full one"; \
	  $(INSTALL) -r locks/torch.txt; }
	@touch $@

.venv/dev: .venv/run locks/dev.txt locks/ray.txt
	$(INSTALL) -r locks/dev.txt -r locks/ray.txt
	@touch $@

run: .venv/run ## the page on http://127.0.0.1:$(PORT); SHARE=1 gives a public link
	GRADIO_SERVER_PORT=$(PORT) $(if $(SHARE),GRADIO_SHARE=True) $(BIN)/python app.py

test: .venv/dev ## every test that this machine can run
	$(BIN)/python -m pytest

check: .venv/dev ## format, lint, types of gansr and of the tests, tests
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/pyright && $(BIN)/pyright -p tests
	$(BIN)/python -m pytest

ATTACKS = "fuzz_pictures --count 50000" "fuzz_files --count 20000" slow_inputs open_memory parallel_opens \
  "http_routes --count 2000" "cycles --count 200" "sigterm --count 5" "kill9 --count 20" "rating_kill9 --count 100" "rating_speed" \
  "first_byte --count 100" "downloads --positions 10" "soak --minutes 5" "cluster --seconds 60"

attack: .venv/dev ## hostile files, requests and visitors, on loopback only (an hour); see SECURITY.md
	@for attack in $(ATTACKS); do echo "== $$attack"; $(BIN)/python -m tests.attack.$$attack || exit 1; done

check-downloads: .venv/dev ## broken downloads from the Hub and the package index, every fault at 50 positions
	$(BIN)/python -m tests.attack.downloads --positions 50

check-deploy: .venv/dev ## a Space from a fresh clone, on a Hub on loopback, in a new environment (minutes, 1.5 to 6 GB)
	$(BIN)/python -m tests.support.deploy_start

check-cluster: .venv/dev ## the cluster backend on a cluster of this machine, with the usual weights (minutes)
	GANSR_TEST_CLUSTER=1 CI=true $(BIN)/python -m pytest tests/backends/ray/test_application.py

bench: .venv/run ## speed against the plain networks, and what needs no pictures (20 minutes); DATA=folder adds the tables
	@for name in $$($(BIN)/python -c "from gansr.bench import benches; print(*benches())"); do $(BIN)/python -m gansr bench $$name $(if $(DATA),--data $(DATA)) || exit 1; done

weights: .venv/run ## fetch and verify every set of weights that can be fetched
	$(BIN)/python -m gansr weights fetch && $(BIN)/python -m gansr weights verify

COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.10 --generate-hashes --only-binary :all: \
  --no-emit-index-url --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: .venv/dev ## write the lock files anew after a change of requirements*.txt; UPGRADE=1 takes the newest versions
	$(COMPILE) requirements.txt --excludes locks/torch-excluded.in -o locks/run.txt
	$(COMPILE) requirements-dev.txt -c locks/run.txt -o locks/dev.txt
	$(COMPILE) requirements-ray.txt -c locks/run.txt -c locks/dev.txt -o locks/ray.txt
	$(COMPILE) locks/torch.in -c locks/run.txt -o locks/torch.txt
	@$(COMPILE) locks/torch-cpu.in -c locks/run.txt -o locks/torch-cpu.txt || \
	  echo "locks/torch-cpu.txt is unchanged: name the index of PyTorch's CPU builds in UV_EXTRA_INDEX_URL"
