# The front door for people. Packagers use CMake alone: cmake --preset release, see README.md.
#
#   make demo [SERVICE=redis]    five processes share one service; the last one is killed (or SERVICE=postgres)
#   make test                    every test, through CTest
#   make bench                   the figures of the README, on this machine, beside the Rust crate if cargo is there
#   make figures                 puts what make bench measured into README.md and docs/*.svg
#   make pictures                records the terminal pictures of the README: docs/run.svg, docs/ps.svg
#   make install [PREFIX=…]      the release build, into /usr/local or PREFIX, below DESTDIR if that is set
#   make uninstall               removes the files that make install put there
#   make clean                   removes build/
#
# Each installs what is missing first (Debian, Ubuntu), as root or through sudo, and says what.

SERVICE ?= server
PREFIX ?= /usr/local

.PHONY: demo test bench figures pictures install uninstall clean help
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

figures:
	@python3 bench/plot.py build/bench/results.json docs
	@python3 bench/readme.py build/bench/results.json README.md

pictures:
	@tools/setup.sh build redis postgres
	@tools/build.sh release
	@python3 -B tools/record.py build/release/procref docs

install:
	@tools/setup.sh build
	@tools/build.sh release -DCMAKE_INSTALL_PREFIX='$(abspath $(PREFIX))'
	@DESTDIR='$(DESTDIR)' cmake --install build/release
	-@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" -ne 0 ] || PATH="$$PATH:/usr/sbin:/sbin" ldconfig

uninstall:
	@sed "s|^|$(DESTDIR)|" build/release/install_manifest.txt | tr '\n' '\0' | xargs -0 rm -f

clean:
	rm -rf build
