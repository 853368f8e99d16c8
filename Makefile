# Two commands matter: `make up` and `make test`. The work is in tools/; targets only name it.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python

.PHONY: help setup up demo compose-demo test test-long lint protos bench chaos upgrade-test lock web web-vitals screenshots openapi places dashboards compliance controls crossings chart images clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what the lock files say (every other target does it first)
	@tools/bootstrap.sh

up: setup ## run the platform on http://localhost:8080 (RESAPERMIS_PORT) until Ctrl-C
	@exec $(PY) tools/dev.py

demo: setup ## do a driving school's main job on a fresh stack, step by step
	@exec $(PY) tools/demo.py

compose-demo: setup ## the same on docker-compose.yml's containers, over TLS, with walls and ports tried (ARGS=--keep)
	@cd tools && exec ../$(PY) -m containers.demo $(ARGS)

test: setup ## run every test: Python, web units, browser (CONTAINERS=1: on PostgreSQL and NATS from containers)
	@exec $(PY) tools/run_tests.py $(ARGS)

test-long: setup ## what takes longer: long profiles, twenty controls, 100,000 operations, chaos (ARGS="linear --seed 7")
	@cd tools && exec ../$(PY) -m suite.long_tests $(ARGS)

lint: setup ## check style, types, layers, contracts, lock files and images
	@exec $(PY) tools/lint.py $(ARGS)

protos: setup ## generate libs/contracts from protos/
	@exec tools/protos.sh

bench: setup ## measure holds per second end to end; prints JSON (ARGS="rush --callers 16")
	@exec $(PY) tests/load/bench.py $(ARGS)

chaos: setup ## kill, restart and cut everything while schools book, then check all (ARGS="run --seeds 3" or ARGS=linear)
	@exec $(PY) tests/chaos/chaos.py $(ARGS)

upgrade-test: setup ## replace each process of the last release by this one's while schools book, then to a next one (ARGS=from or next)
	@exec $(PY) tests/upgrade/upgrade.py $(ARGS)

lock: setup ## resolve the dependencies again (ARGS=--upgrade for newer ones)
	@exec tools/lock.sh $(ARGS)

web: setup ## build web/dist

web-vitals: setup ## measure the pages by Lighthouse, on a stack of their own; prints JSON (ARGS="--rounds 1 --only slots")
	@cd tools && exec ../$(PY) -m browser.vitals $(ARGS)

screenshots: setup ## take pictures of each page and dialog, light, dark and at 320 px (ARGS=folder, or ARGS=--readme for README's)
	@cd tools && exec ../$(PY) -m browser.screenshots $(ARGS)

openapi: setup ## write the gateway's openapi.json and the web client made from it
	@exec tools/openapi.sh

places: setup ## write the web's table of places from that of libs/places
	@exec $(PY) tools/checks/places.py

dashboards: setup ## write docs/metrics.md and deploy/grafana/dashboards from the code
	@cd tools && exec ../$(PY) -m observability.write

compliance: setup ## write docs/compliance.md: what stands of each requirement, and which test shows it
	@exec $(PY) tools/compliance.py

controls: setup ## see each shown requirement's test fail without the line behind it (ARGS="R-14" or ARGS="--random 5")
	@exec $(PY) tools/controls.py $(ARGS)

crossings: setup ## count the files that a request crosses, on a stack of its own; prints JSON
	@exec $(PY) tools/crossings.py

chart: setup ## render the Helm chart in every size and check it; ARGS=write writes what it takes from elsewhere
	@cd tools && exec ../$(PY) -m chart.whole $(ARGS)

images: setup ## build the container images with podman, buildah or docker (BASE=debian where no registry is reached)
	@exec tools/images.sh $(ARGS)

clean: ## remove the environment, the local data and what was built
	rm -rf .venv .venv-chart .resapermis web/node_modules web/vitals/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
