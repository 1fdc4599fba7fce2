# `make run` and `make test` are all a newcomer needs, with Go and make installed.

GO ?= go
COUNT ?= 6
BENCHMARKED ?= ./policy ./resolver ./resolver/wire ./resolver/answercache ./resolver/listen
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
# A version as dpkg orders them: that of the tag, or what comes before the first.
DEB_VERSION ?= $(shell git describe --tags 2>/dev/null | sed 's/^v//; s/-/+/g' | grep '^[0-9]' || git log -1 --format=0.1.0~git%cd --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0.1.0)
# When the sources were as they are, for builds that come out the same.
BUILT ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
FUZZTIME ?= 60s
FAULTS ?= 100
SOAK ?= 2h24m
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help run build sbom vuln deb test race fuzz bench bench-compare bench-peers bench-scale bench-office bench-short soak e2e faults lint generate check

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## play a small town on 127.0.0.1:5300, every 127.x.y.z a workstation
	./.build/usciere serve --demo

build: ## build the binary, .build/usciere
	@$(GO) build -trimpath -ldflags '-s -w -X main.Version=$(VERSION)' -o .build/usciere ./cmd/usciere

sbom: build ## list what the binary is made of, .build/usciere.cdx.json (CycloneDX)
	@$(GO) tool -modfile=.ci/sbom/go.mod cyclonedx-gomod bin -json -noserial -version '$(DEB_VERSION)' -output .build/usciere.cdx.json .build/usciere
	@sed -i 's/"timestamp": "[^"]*"/"timestamp": "'$$(date -u -d @$(BUILT) +%FT%TZ)'"/' .build/usciere.cdx.json

vuln: ## look for known vulnerabilities that the program can reach (asks vuln.go.dev)
	$(GO) tool -modfile=.ci/vuln/go.mod govulncheck ./...

deb: build sbom ## make the Debian package, .build/usciere_*.deb
	@mkdir -p .build/completions && for shell in bash zsh fish; do .build/usciere completion $$shell >.build/completions/$$shell; done
	@rm -rf .build/man && mkdir -p .build/man && SOURCE_DATE_EPOCH=$(BUILT) $(GO) test -count 1 -run '^TestManualPages$$' ./cmd/usciere -args -man $(CURDIR)/.build/man >/dev/null && gzip -9n .build/man/*
	@rm -f .build/usciere_*.deb
	@VERSION=$(DEB_VERSION) ARCH=$$($(GO) env GOARCH) SOURCE_DATE_EPOCH=$(BUILT) \
	  $(GO) tool -modfile=.ci/nfpm/go.mod nfpm package -f cmd/usciere/packaging/nfpm.yaml -p deb -t .build/

test: ## run the tests
	$(GO) test ./...

race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZTIME (60s)
	.ci/fuzz $(FUZZTIME)

bench: ## run the Go benchmarks of each stage of the query path COUNT (6) times, for benchstat
	@$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) $(BENCHMARKED)

bench-compare: ## hold the Go benchmarks against those of the commit REF, in turns
	.ci/compare '$(REF)' $(COUNT) $(BENCHMARKED)

bench-peers: build ## measure usciere, the peers that are installed and the limit at the same job, in turns (PEERS='--only usciere,unbound')
	@$(GO) build -o .build/ ./bench/echo ./bench/peers
	@.build/peers --usciere .build/usciere --echo .build/echo $(PEERS)

bench-scale: build ## measure how the cost grows with rules, offices, clients and cores, and one change at 1 M rules (SCALE='--towns DIR')
	@$(GO) build -o .build/ ./bench/echo ./bench/scale
	@.build/scale --usciere .build/usciere --echo .build/echo $(SCALE)

bench-short: build ## the measured gates of CI: allocations, cost over the limit, many rules against few
	.ci/peers nsd:nsd dnsperf:dnsperf
	@$(GO) build -o .build/ ./bench/echo ./bench/peers
	$(GO) run ./bench/gates

bench-office: build ## play a town hall's morning against the binary; prints latencies, writes .build/bench-office.html
	$(GO) run ./bench/office

soak: build ## play a town hall's whole day, ten times as fast, with changes, reloads, a silent upstream and a restart; every answer is checked (SOAK=2h24m)
	$(GO) run ./bench/office --soak $(SOAK)

e2e: build ## test the binary against real clients and servers (installs dig, kdig, drill, nmap, unbound, nsd, knot, dnsperf, curl, exim, chromium, dnsmasq, kea, udhcpc, nftables, dnsdist, samba, systemd-resolved, debootstrap with apt, axe-core with npm)
	.ci/peers dnsutils:dig knot-dnsutils:kdig ldnsutils:drill unbound:unbound nsd:nsd knot:knotd dnsperf:dnsperf curl:curl nmap:nmap exim4-daemon-light:exim4 chromium:chromium iproute2:ip npm:npm dnsmasq-base:dnsmasq kea-dhcp4-server:kea-dhcp4 udhcpc:udhcpc iputils-ping:ping nftables:nft dnsdist:dnsdist samba:samba winbind:winbindd samba-ad-provision:/usr/share/doc/samba-ad-provision samba-dsdb-modules:/usr/share/doc/samba-dsdb-modules samba-vfs-modules:/usr/share/doc/samba-vfs-modules systemd:systemctl debootstrap:debootstrap e2fsprogs:mkfs.ext4
	.ci/unpack systemd-resolved libsystemd-shared
	.ci/npm axe-core@4.14.1
	$(GO) test -tags e2e -count 1 -timeout 20m ./cmd/usciere/e2e/... ./resolver/upstream

# Reduced, its tests are part of e2e.
faults: ## hold the binary to all its promises at full size, as root: kills, power cuts, lies, floods, crowds; prints each figure (FAULTS=100 percent)
	.ci/peers dnsutils:dig knot-dnsutils:kdig ldnsutils:drill dnsperf:dnsperf curl:curl nmap:nmap iproute2:ip nftables:nft systemd:systemctl e2fsprogs:mkfs.ext4
	USCIERE_FAULTS=$(FAULTS) $(GO) test -tags e2e -count 1 -timeout 60m -run '^TestS[0-9]' ./cmd/usciere/e2e; code=$$?; cat .build/faults.txt; exit $$code

lint: ## vet and lint
	$(GO) vet ./... && $(GO) vet -tags e2e ./cmd/usciere/e2e/... ./resolver/upstream
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run

generate: build ## write the generated parts of README.md and the schema of town.yaml
	$(GO) test ./cmd/usciere -run TestREADMEReference -update
	$(GO) test ./cmd/usciere/townfile -run TestTheSchema -update

check: lint race e2e ## everything that CI checks, but the fuzzing
