# The front door. What is behind it: tools/setup (packages), meson (build), tools/test (tests), tools/run.
PREFIX  ?= /usr
DESTDIR ?=
B       := build/meson

all: build

# The programs end up in build/, `build/pavise` being the command; it runs from there.
build:
	@tools/setup build
	@tools/build $(B)

# The main job on this machine: what can be guarded, who would be hit, then the guard in the foreground. Changes nothing.
run: build
	@tools/run

test:
	@tools/setup test
	@tools/test

# Only some suites: make check ONLY="base test_net"
check:
	@tools/test $(addprefix --only ,$(ONLY))

fuzz:
	@tools/setup test
	@tools/test --fuzz $(or $(SECONDS_EACH),300) $(addprefix --only ,$(ONLY))

bench: build
	@tools/setup bench
	@bench/run

lab: build
	@tools/setup lab
	@test/lab/lab $(ONLY)

install: build
	@tools/install "$(DESTDIR)" "$(PREFIX)"

uninstall:
	@tools/install --remove "$(DESTDIR)" "$(PREFIX)"

# A Debian package, a tarball for any folder, both in build/dist/; `make release` walks through the whole check-list.
deb:
	@tools/setup build
	@tools/deb

tarball:
	@tools/setup build
	@tools/tarball

release:
	@tools/setup lab
	@tools/release

# The state of `make run` stays: build/run.
clean:
	rm -rf build/release build/release-meson* build/dist build/meson build/meson-san build/san build/helpers build/bench build/pavise build/pavise-*

.PHONY: all build run test check fuzz bench lab install uninstall deb tarball release clean
