# The front door for people. Packagers use CMake alone: cmake --preset release, see README.md.
#
#   make demo [SERVICE=redis]    five processes share one service; the last one is killed (or SERVICE=postgres)
#   make test                    every test, through CTest
#   make bench                   the figures of the README, on this machine
#   make clean                   removes build/
#
# Each installs what is missing first (Debian, Ubuntu), as root or through sudo, and says what.

SERVICE ?= server

.PHONY: demo test bench clean help
help:
	@sed -n 's/^#   //p' Makefile

demo:
	@tools/setup.sh build $(filter redis postgres,$(SERVICE))
	@tools/build.sh bench
	@tools/demo.sh $(SERVICE)

test:
	@tools/setup.sh build tests redis postgres
	@tools/build.sh dev
	@ctest --preset dev

bench:
	@tools/setup.sh build
	@tools/build.sh bench
	@build/bench/bench/procref-bench --json build/bench/results.json

clean:
	rm -rf build
