# The front door for people. Packagers use CMake alone: cmake --preset release, see README.md.
#
#   make demo [SERVICE=redis]    five processes share one service; the last one is killed
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
	@tools/setup.sh build $(if $(filter redis,$(SERVICE)),redis)
	@tools/build.sh bench
	@build/bench/examples/demo $(SERVICE)

test:
	@tools/setup.sh build tests redis
	@tools/build.sh dev
	@ctest --preset dev

bench:
	@tools/setup.sh build
	@tools/build.sh bench
	@build/bench/bench/procref-bench --json build/bench/results.json

clean:
	rm -rf build
