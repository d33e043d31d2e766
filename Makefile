# run · test · check · bench · weights — each target is one or two commands.
PYTHON ?= python3
PORT ?= 7860
BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check bench weights

.venv/run: requirements.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements.txt -c constraints.txt
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/pip install -q -r requirements-dev.txt -c constraints.txt
	@touch $@

run: .venv/run ## the page on http://127.0.0.1:$(PORT); SHARE=1 gives a public link
	GRADIO_SERVER_PORT=$(PORT) $(if $(SHARE),GRADIO_SHARE=True) $(BIN)/python app.py

test: .venv/dev ## every test that this machine can run
	$(BIN)/python -m pytest

check: .venv/dev ## format, lint, types of gansr and of the tests, tests
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/pyright && $(BIN)/pyright -p tests
	$(BIN)/python -m pytest

bench: .venv/run ## speed against the plain networks, and what needs no pictures (20 minutes); DATA=folder adds the tables
	@for name in $$($(BIN)/python -c "from gansr.bench import benches; print(*benches())"); do $(BIN)/python -m gansr bench $$name $(if $(DATA),--data $(DATA)) || exit 1; done

weights: .venv/run ## fetch and verify every set of weights that can be fetched
	$(BIN)/python -m gansr weights fetch && $(BIN)/python -m gansr weights verify
