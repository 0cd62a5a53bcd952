# Everything here needs Go and the Go module proxy; test needs a C compiler, too, for the race detector, and a
# redis-server or apt-get to fetch one with (no root), Python 3, and, or else it says at its end what it left out, Node with
# npm. Tools and the lab's servers are built once and kept in the user's
# cache folder, outside the tree.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION ?=
KILLS ?= 20
FUZZTIME ?= 10s

# Ten thousand seeds are for a build at full speed; the race detector sees some hundred of them.
SIMULATION := github.com/tripgen/paramedic/internal/engine/simulation

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/paramedic; VERSION=v1.2.3 stamps it
	CGO_ENABLED=0 go build -trimpath $(if $(VERSION),-ldflags '-X main.version=$(VERSION)') -o bin/paramedic ./cmd/paramedic

.PHONY: demo
demo: build ## the whole loop on this machine, with sample services that break
	./bin/paramedic demo

.PHONY: demo-kubernetes
demo-kubernetes: build lab ## the same on a real Kubernetes API server with a real Alertmanager
	go run ./internal/e2e/demo

.PHONY: test
test: lint vet vulnerabilities lab ## lint, known vulnerabilities, and all tests with the race detector
	go test -race -count=1 -timeout=25m $$(go list ./... | grep -v $(SIMULATION))
	go test -race -short -count=1 -timeout=20m $(SIMULATION)
	go test -count=1 -timeout=20m $(SIMULATION)
	@for p in node npm; do command -v $$p >/dev/null || echo "DID NOT RUN: TestTheExampleInNode in internal/worker/conformance, since $$p is not installed"; done

.PHONY: lint
lint: ## golangci-lint, strict
	tool=$$(.ci/tool golangci-lint); "$$tool" config verify; "$$tool" run ./...

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: vulnerabilities
vulnerabilities: ## govulncheck
	.ci/govulncheck

.PHONY: lab
lab: ## build the lab's servers: Kubernetes, etcd, kwok, Alertmanager, Prometheus; minutes, once; fetch Redis by apt-get
	go run ./internal/lab/build

.PHONY: bench
bench: lab ## all benchmarks, one package at a time
	go test -run='^$$' -bench=. -benchmem -count=1 -p=1 -timeout=60m ./...

.PHONY: crash
crash: lab ## kill the whole process at every named point, KILLS=20 times each, and check what became of it
	go run ./internal/crash -kills=$(KILLS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME=10s
	.ci/fuzz $(FUZZTIME)
