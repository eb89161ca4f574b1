# The front door for people. Packagers use CMake alone: cmake --preset release, see README.md.
#
#   make demo [SERVICE=redis]    five processes share one service; the last one is killed
#   make test                    every test, through CTest
#   make bench                   the figures of the README, on this machine, beside the Rust crate if cargo is there
#   make figures                 puts what make bench measured into README.md and docs/*.svg
#   make clean                   removes build/
#
# Each installs what is missing first (Debian, Ubuntu), as root or through sudo, and says what.

SERVICE ?= server

.PHONY: demo test bench figures clean help
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

figures:
	@python3 bench/plot.py build/bench/results.json docs
	@python3 bench/readme.py build/bench/results.json README.md

clean:
	rm -rf build
