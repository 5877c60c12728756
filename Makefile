# SPDX-License-Identifier: GPL-3.0-or-later
#
# One Makefile, no recursion into directories. A new .c file is found by itself: src/core/*/*.c makes
# libcow.a, src/front, src/cli, src/cli/*/*.c, src/tui/*/*.c and src/main.c make cowtui, src/nbd the plugin for nbdkit,
# tests/unit/*.c make one Check binary.
#
# `demo`, `test` and `lint` may have to install packages before anything can be compiled, so they do that
# first and call make again; nothing here runs pkg-config before an object is really made.

BUILD ?= build
prefix ?= /usr/local
bindir ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
includedir ?= $(prefix)/include
libdir ?= $(prefix)/lib
pkgconfigdir ?= $(libdir)/pkgconfig
docdir ?= $(datadir)/doc/cowtui
bashcompletiondir ?= $(datadir)/bash-completion/completions
zshcompletiondir ?= $(datadir)/zsh/site-functions
themedir ?= $(datadir)/cowtui/themes
fishcompletiondir ?= $(datadir)/fish/vendor_completions.d
INSTALL ?= install
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
ROUNDS ?= 7
EXECUTIONS ?= 500000
SECONDS_EACH ?= 60
LEVEL ?= check

# DEPS=no, here or in the environment: nothing is installed; what is missing is named, and suites that want it skip.
DEPS ?=
export DEPS

# Only the version of a tree without git; with it, the last tag counts.
FALLBACK_VERSION = 0.1.0

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wvla
OUR_CPPFLAGS = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude -Isrc
# Where it was built is nobody's business: the same sources make the same bytes anywhere. PWD is the directory as
# the compiler sees it, symbolic links and all.
OUR_CFLAGS = -std=c11 $(WARNINGS) $(COMPILE_HARDENING) "-ffile-prefix-map=$$PWD=."
OUR_LDFLAGS = $(LINK_HARDENING)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '  %-8s %s\n'
endif

comma := ,

# A variable that asks pkg-config when it is first used, and only then.
once = $(eval $(1) := $$(shell $(2)))$($(1))
FRONT_CFLAGS = $(call once,FRONT_CFLAGS,$(PKG_CONFIG) --cflags ncursesw readline jansson)
FRONT_LIBS = $(call once,FRONT_LIBS,$(PKG_CONFIG) --libs ncursesw readline jansson && $(PKG_CONFIG) --libs libnbd 2>/dev/null; $(PKG_CONFIG) --libs libpng 2>/dev/null)
# Without libnbd and libpng the files that want them, one each, say so when they are asked.
NBD_CFLAGS = $(call once,NBD_CFLAGS,$(PKG_CONFIG) --exists libnbd 2>/dev/null && echo -DHAVE_LIBNBD $$$$($(PKG_CONFIG) --cflags libnbd))
PNG_CFLAGS = $(call once,PNG_CFLAGS,$(PKG_CONFIG) --exists libpng 2>/dev/null && echo -DHAVE_LIBPNG $$$$($(PKG_CONFIG) --cflags libpng))
# What the core itself needs: the guest's filesystem, and names for what else there is.
CORE_CFLAGS = $(call once,CORE_CFLAGS,$(PKG_CONFIG) --cflags ext2fs com_err blkid)
CORE_LIBS = $(call once,CORE_LIBS,$(PKG_CONFIG) --libs ext2fs com_err blkid)
CHECK_CFLAGS = $(call once,CHECK_CFLAGS,$(PKG_CONFIG) --cflags check)
CHECK_LIBS = $(call once,CHECK_LIBS,$(PKG_CONFIG) --libs check)
# Where nbdkit looks for plugins; empty where nbdkit-plugin-dev is not installed.
NBDKIT_PLUGINDIR = $(call once,NBDKIT_PLUGINDIR,$(PKG_CONFIG) --variable=plugindir nbdkit 2>/dev/null)
VERSION = $(call once,VERSION,sh .ci/version $(FALLBACK_VERSION))
COMPILE_HARDENING = $(call once,COMPILE_HARDENING,sh .ci/hardening compile '$(CC)' $(CPPFLAGS) $(CFLAGS))
LINK_HARDENING = $(call once,LINK_HARDENING,sh .ci/hardening link '$(CC)' $(CFLAGS) $(LDFLAGS))
# The tests' images are small. Where a size_t is too, saying so a thousand times would say nothing.
TESTS_CFLAGS = $(call once,TESTS_CFLAGS,$(CC) $(CPPFLAGS) $(CFLAGS) -dM -E -x c /dev/null | \
  sed -n 's/.*__SIZEOF_POINTER__ 4$$$$/-Wno-conversion -Wno-sign-conversion/p')

core_sources := $(sort $(wildcard src/core/*/*.c))
front_sources := $(sort $(wildcard src/front/*.c src/front/*/*.c src/cli/*.c src/cli/*/*.c src/tui/*/*.c))
plugin_sources := $(sort $(wildcard src/nbd/*.c))
main_sources := $(wildcard src/main.c)
unit_sources := $(sort $(wildcard tests/unit/*.c))
crash_sources := $(sort $(wildcard tests/crash/*.c))
fuzz_sources := $(sort $(wildcard tests/fuzz/*.c))
promise_sources := $(sort $(wildcard tests/promise/*.c))
# A libFuzzer target is a file, and is found by itself; what they share is linked to each.
fuzzer_sources := $(sort $(wildcard tests/fuzz/targets/*.c))
fuzzer_shared_sources := $(sort $(wildcard tests/fuzz/lib/*.c)) $(patsubst %,tests/fuzz/%.c,disk limits mutate target)
# Whoever names the version is compiled anew when it changes, and nobody else.
version_sources := $(shell grep -l COWTUI_VERSION $(core_sources) $(front_sources) $(main_sources) /dev/null)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
core_objects := $(call objects,$(core_sources))
front_objects := $(call objects,$(front_sources))
main_objects := $(call objects,$(main_sources))
plugin_objects := $(call objects,$(plugin_sources))
unit_objects := $(call objects,$(unit_sources))
crash_objects := $(call objects,$(crash_sources))
fuzz_objects := $(call objects,$(fuzz_sources))
promise_objects := $(call objects,$(promise_sources))
fuzzer_objects := $(call objects,$(fuzzer_sources))
fuzzer_shared_objects := $(call objects,$(fuzzer_shared_sources))
version_objects := $(call objects,$(version_sources))
all_objects := $(core_objects) $(front_objects) $(main_objects) $(plugin_objects) $(unit_objects) $(crash_objects) $(fuzz_objects) $(promise_objects) \
  $(fuzzer_objects) $(filter-out $(fuzz_objects),$(fuzzer_shared_objects))

library := $(BUILD)/libcow.a
public_library := $(BUILD)/installed/libcow.a
front_library := $(BUILD)/libfront.a
program := $(BUILD)/cowtui
manual := $(BUILD)/cowtui.1
plugin := $(BUILD)/nbdkit-cow-plugin.so
unit := $(BUILD)/tests/unit
crash := $(BUILD)/tests/crash
fuzz_target := $(BUILD)/tests/fuzz
promised := $(BUILD)/tests/cowtui
promise_wrap := -Wl,--wrap=cow_plan_commit
fuzzers := $(patsubst tests/fuzz/targets/%.c,$(BUILD)/fuzzers/%,$(fuzzer_sources))

# As many jobs as processors where the user asked for no number.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
SUBMAKE = +@$(MAKE) --no-print-directory $(JOBS)

.PHONY: all help deps deb demo demo-reset test check more lint format asan asan-build unit crash promised fuzz fuzz-target coverage soak bench install uninstall clean FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

# What can only be built where something else is installed; whoever only installs asks for nothing.
ifneq ($(filter-out install uninstall clean help,$(or $(MAKECMDGOALS),all)),)
NO_CHECK := $(shell $(PKG_CONFIG) --exists check 2>/dev/null || echo yes)
# A plugin is loaded by another program: it cannot be linked statically, nor of objects that have to know their place.
NO_PLUGIN := $(filter -static -no-pie -nopie -fno-pie -fno-PIE -fno-pic -fno-PIC,$(CFLAGS) $(LDFLAGS))
NO_PLUGIN += $(shell $(PKG_CONFIG) --exists nbdkit 2>/dev/null || echo yes)
endif

all: $(library) $(public_library) $(program) $(manual) $(if $(strip $(NO_PLUGIN)),,$(plugin))

help:
	@echo 'make             build $(program) and $(library)'
	@echo 'make demo        open the image of a real guest (demo-reset: unpack it afresh)'
	@echo 'make check       the quickest suites: what most mistakes are found by, in a minute'
	@echo 'make test        all suites; the last line is the total'
	@echo "make test ONLY=SUITE:PART:CASE   just that (each may be a pattern, or be left out): ONLY=unit:header, ONLY=e2e:undo,"
	@echo "                 ONLY='tui::wizard-copy 80x24', ONLY=crash:power:extend-v1; a failed case prints its own"
	@echo 'make more        what needs longer: crash suite, matrix, random images and filesystems under sanitizers, more fuzzing'
	@echo 'make soak        geometry matrix, random images, filesystems, fuzzing and crash suite with their full counts'
	@echo 'make fuzz        hostile filesystems by numbers (EXECUTIONS=500000), and all libFuzzer targets (SECONDS_EACH=60)'
	@echo 'make asan        unit, e2e and screen suites under the address and undefined sanitizers'
	@echo 'make coverage    lines and branches that the quickest suites run through, by room (LEVEL=test: all suites)'
	@echo 'make lint        includes, format, cppcheck, shellcheck, gcc and clang without a warning'
	@echo 'make format      clang-format over all sources'
	@echo 'make bench       ratios against other tools, with goals, and how soon the screen answers (ROUNDS=1: quick; needs 8 GiB)'
	@echo 'make install     what make has built; honours prefix and DESTDIR; uninstall takes it away'
	@echo "make deb         Debian packages in $(BUILD): cowtui and libcow-dev (DEBFULLNAME='Jane Doe' DEBEMAIL=jane@example.org)"
	@echo 'make deps        install the Debian packages that all of these need'
	@echo 'Variables: BUILD CC CFLAGS CPPFLAGS LDFLAGS LDLIBS V=1, and DEPS=no: install no packages; for tests'
	@echo '           TIME_SCALE=3 (all limits of time, for a slow machine), JOBS (parts at a time), SEED, TMPDIR'

# ---- compiling -----------------------------------------------------------------------------------------

$(all_objects): $(BUILD)/obj/%.o: %.c $(BUILD)/flags .ci/hardening
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(OUR_CPPFLAGS) $(EXTRA_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(EXTRA_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(core_objects): EXTRA_CPPFLAGS = $(CORE_CFLAGS)
# The core is in the plugin, too.
$(core_objects) $(plugin_objects): EXTRA_CFLAGS = $(PIC)
$(plugin_objects): EXTRA_CFLAGS += -fvisibility=hidden
$(front_objects) $(main_objects): EXTRA_CPPFLAGS = $(FRONT_CFLAGS)
$(BUILD)/obj/src/front/qcow2/nbd_client.o: EXTRA_CPPFLAGS = $(NBD_CFLAGS)
$(BUILD)/obj/src/front/qcow2/nbd_client.o: $(BUILD)/libnbd
$(BUILD)/obj/src/front/picture/png.o: EXTRA_CPPFLAGS = $(PNG_CFLAGS)
$(BUILD)/obj/src/front/picture/png.o: $(BUILD)/libpng
$(unit_objects): EXTRA_CPPFLAGS = $(CHECK_CFLAGS)
$(unit_objects) $(crash_objects) $(fuzz_objects) $(promise_objects) $(fuzzer_objects) $(fuzzer_shared_objects): EXTRA_CFLAGS = $(TESTS_CFLAGS)
$(unit_objects) $(crash_objects) $(promise_objects): EXTRA_CPPFLAGS += -Itests
$(version_objects): EXTRA_CPPFLAGS = $(FRONT_CFLAGS) -DCOWTUI_VERSION='"$(VERSION)"'
$(version_objects): $(BUILD)/version

PIC = $(if $(strip $(NO_PLUGIN)),,-fPIC -fno-semantic-interposition)

# These change only when what they hold changes, so that other flags, another version or a library that was
# installed since rebuild just what they touch.
$(BUILD)/flags: FORCE | $(BUILD)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(PIC)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(PIC)' >$@

$(BUILD)/version: FORCE | $(BUILD)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

# The themes that the program has in it: a row each, its name and its text.
themes := $(sort $(wildcard share/themes/*.theme))
$(BUILD)/obj/src/tui/look/shipped.o: EXTRA_CPPFLAGS = -I$(BUILD)
$(BUILD)/obj/src/tui/look/shipped.o: $(BUILD)/themes.inc
$(BUILD)/themes.inc: $(themes) share/themes Makefile | $(BUILD)
	$(Q)for theme in $(themes); do \
	  echo "{\"$$(basename $$theme .theme)\","; \
	  sed -e 's/[\"]/\\&/g' -e 's/^.*$$/"&\\n"/' $$theme; \
	  echo '},'; \
	done >$@

$(BUILD)/libnbd: FORCE | $(BUILD)
	@echo '$(NBD_CFLAGS)' | cmp -s - $@ || echo '$(NBD_CFLAGS)' >$@

$(BUILD)/libpng: FORCE | $(BUILD)
	@echo '$(PNG_CFLAGS)' | cmp -s - $@ || echo '$(PNG_CFLAGS)' >$@

$(BUILD):
	@mkdir -p $@

# An archive is made anew, so that it holds no object of a file that is gone; D: nor dates and owners.
$(library): $(core_objects)
$(front_library): $(front_objects)
$(library) $(front_library): | $(BUILD)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# The library for others is one object in which only the names of the headers are seen: those that rooms share within the
# core would stand in a user's way. Where the linker or objcopy cannot do that (link-time optimization), it is the same as ours.
$(public_library): $(library)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && if $(LD) -r -o $(@D)/cow.o $(core_objects) 2>/dev/null && \
	  $(OBJCOPY) --wildcard --keep-global-symbol='cow_*' $(@D)/cow.o 2>/dev/null; \
	then $(AR) rcsD $@ $(@D)/cow.o; else cp $< $@; fi; rm -f $(@D)/cow.o

$(program): $(main_objects) $(front_objects) $(library)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(FRONT_LIBS) $(CORE_LIBS) $(LDLIBS)

# Of the core only what the plugin needs, and none of its names are seen by nbdkit. Beside it: where nbdkit looks for it.
$(plugin): $(plugin_objects) $(library)
	$(say) LINK $@
	$(Q)echo '$(NBDKIT_PLUGINDIR)' >$(BUILD)/nbdkit-plugindir
	$(Q)$(CC) $(CFLAGS) -shared $(filter-out -pie,$(OUR_LDFLAGS) $(LDFLAGS)) -Wl,--exclude-libs,ALL -o $@ $^ $(CORE_LIBS) $(LDLIBS)

# The program that suites run: the same, but that each commit is held against its preview (tests/promise).
$(promised): $(main_objects) $(front_objects) $(promise_objects) $(library)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) $(promise_wrap) -o $@ $^ $(FRONT_LIBS) $(CORE_LIBS) $(LDLIBS)
	$(Q)ln -sf ../$(notdir $(plugin)) $(@D)/

$(manual): share/man/cowtui.1 $(BUILD)/version
	$(say) MAN $@
	$(Q)sed 's/@VERSION@/$(VERSION)/' $< >$@

# Without Check (the library) the suite is one that says so and is skipped. It is older than anything that a real one
# is made of.
ifeq ($(NO_CHECK),yes)
$(unit): FORCE
	@mkdir -p $(@D)
	$(Q)printf '#!/bin/sh\necho "the library Check is not installed"\nexit 77\n' >$@
	$(Q)chmod +x $@ && touch -d '2000-01-01' $@
else
# Of the front ends the linker takes only the objects that a test asks for, and what those need.
$(unit): $(unit_objects) $(promise_objects) $(front_library) $(library)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) $(promise_wrap) -o $@ $^ $(CHECK_LIBS) $(FRONT_LIBS) $(CORE_LIBS) $(LDLIBS)
endif

unit: $(unit)

# Allocations go through a wrapper that can fail; the core alone is linked.
$(crash): $(crash_objects) $(promise_objects) $(library)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) $(promise_wrap) $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup vasprintf free crc_ieee) -o $@ $^ $(CORE_LIBS) $(LDLIBS)

crash: $(crash)

promised: $(promised)

$(fuzz_target): $(fuzz_objects) $(library)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS) $(LDLIBS)

fuzz-target: $(fuzz_target)

# The calls by which the program could write to a file, by its name: they go through a guard (tests/fuzz/lib/scratch.c).
FUZZER_WRAPS = open fopen rename renameat2 link unlink mkdir symlink posix_spawnp

$(fuzzers): $(BUILD)/fuzzers/%: $(BUILD)/obj/tests/fuzz/targets/%.o $(fuzzer_shared_objects) $(front_library) $(library)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer $(patsubst %,-Wl$(comma)--wrap=%,$(FUZZER_WRAPS)) -o $@ $^ $(FRONT_LIBS) $(CORE_LIBS) $(LDLIBS)

.PHONY: fuzzers fuzzer-objects fuzzers-build
fuzzers: $(fuzzers)
fuzzer-objects: $(fuzzer_objects) $(fuzzer_shared_objects)

# ---- packages ------------------------------------------------------------------------------------------

deps:
	@.ci/deps build deb test lint

# ---- demo ----------------------------------------------------------------------------------------------

demo:
	@.ci/deps build
	$(SUBMAKE) all
	@share/demo/run.sh $(program) $(BUILD)/demo

demo-reset:
	@rm -rf $(BUILD)/demo
	@$(MAKE) --no-print-directory demo

# ---- tests ---------------------------------------------------------------------------------------------

# ONLY=SUITE[:PART[:CASE]] runs just that, and builds no more than it needs.
needs_asan = $(if $(ONLY),$(filter asan-% fuzz%,$(ONLY)),yes)
needs_fuzzers = $(if $(ONLY),$(filter fuzz%,$(ONLY)),yes)

test more soak:
	@.ci/deps build test
	$(SUBMAKE) all unit crash promised $(if $(needs_asan),asan-build) $(if $(needs_fuzzers),fuzzers-build)
	@tests/run.py $(BUILD) $@

check:
	@.ci/deps build test
	$(SUBMAKE) all unit crash promised
	@tests/run.py $(BUILD) $@

fuzz:
	@.ci/deps build test
	$(SUBMAKE) asan-build fuzzers-build
	@COUNT=$(EXECUTIONS) FUZZ_SECONDS=$(SECONDS_EACH) tests/run.py $(BUILD) soak fuzz

asan:
	@.ci/deps build test
	$(SUBMAKE) asan-build
	@tests/run.py $(BUILD) test 'asan-*'

asan-build:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS='-O1 -g $(SANITIZE)' all unit crash promised fuzz-target

# With another compiler, so in a place of their own; without its libraries there are none, and the suite says so.
fuzzers-build:
	+@if sh tests/fuzz/can_build.sh >/dev/null; then \
	  $(MAKE) --no-print-directory BUILD=$(BUILD)/fuzzer CC=clang \
	    CFLAGS='-O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)' fuzzers; \
	fi

# The suites of LEVEL, by gcov, but for those that are about other builds. An object that is made anew forgets what was
# counted.
coverage:
	@.ci/deps build test
	+@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/coverage CFLAGS='-O1 -g --coverage -fprofile-abs-path' all unit crash promised
	@find $(BUILD)/coverage/obj -name '*.gcda' -delete
	-@WITHOUT='asan-*,fuzz,mutants,install' tests/run.py $(BUILD)/coverage $(LEVEL)
	@tests/coverage.py $(BUILD)/coverage

bench:
	@.ci/deps build test
	$(SUBMAKE) all
	@python3 tests/bench/bench.py --rounds $(ROUNDS) $(program) $(BUILD)/bench

lint:
	@.ci/deps build test lint
	$(SUBMAKE) lint-gcc lint-clang
	@tests/lint/run.sh $(BUILD)
	@echo 'lint: clean'

format:
	$(Q)git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 clang-format -i

.PHONY: lint-gcc lint-clang
lint-gcc lint-clang: lint-%:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/lint-$* CC=$* CFLAGS='-O2 -Werror' all unit crash promised fuzz-target fuzzer-objects

# ---- installing ----------------------------------------------------------------------------------------

# Where each file goes: "source:destination". README.md's links are bent where it is written: there is no share/doc; and
# libcow.pc is written there, for it names the places.
places = $(manual):$(mandir)/man1/cowtui.1 \
  share/man/libcow.3:$(mandir)/man3/libcow.3 share/man/cowtui-format.5:$(mandir)/man5/cowtui-format.5 \
  $(public_library):$(libdir)/libcow.a $(BUILD)/version:$(pkgconfigdir)/libcow.pc \
  $(foreach f,$(wildcard include/cow/*.h),$(f):$(includedir)/cow/$(notdir $(f))) \
  $(foreach f,$(wildcard share/doc/examples/*.c),$(f):$(docdir)/examples/$(notdir $(f))) \
  $(foreach f,$(wildcard README.md CHANGELOG.md SECURITY.md LICENSE share/doc/*.md),$(f):$(docdir)/$(notdir $(f))) \
  $(foreach f,$(wildcard share/doc/img/*.svg),$(f):$(docdir)/img/$(notdir $(f))) \
  $(foreach f,$(themes),$(f):$(themedir)/$(notdir $(f))) \
  $(foreach f,$(wildcard share/completions/*.bash),$(f):$(bashcompletiondir)/$(basename $(notdir $(f)))) \
  $(foreach f,$(wildcard share/completions/_*),$(f):$(zshcompletiondir)/$(notdir $(f))) \
  $(foreach f,$(wildcard share/completions/*.fish),$(f):$(fishcompletiondir)/$(notdir $(f)))

# The plugin, where it was built: among nbdkit's own, where "nbdkit cow" finds it; below a prefix that is not the system's
# (somebody's home) stay what is installed there, and cowtui finds it by where it lies itself.
nbdkitplugindir ?= $(if $(filter /usr /usr/local,$(prefix)),$(shell cat $(BUILD)/nbdkit-plugindir 2>/dev/null),$(libdir)/nbdkit/plugins)
places += $(if $(wildcard $(plugin)),$(plugin):$(nbdkitplugindir)/$(notdir $(plugin)))

# What belongs to any system, and stays there even when it is empty.
common = / $(prefix) $(bindir) $(datadir) $(mandir) $(foreach n,1 3 5,$(mandir)/man$(n)) $(dir $(docdir)) \
  $(includedir) $(libdir) $(pkgconfigdir)

# Nothing is made here: this is run by root, often in a tree that is somebody else's.
install:
	@for made in $(program) $(manual) $(public_library); do \
	  [ -f "$$made" ] || { echo "install: $$made is not there: run \"make\" first" >&2; exit 1; }; \
	done
	$(Q)$(INSTALL) -D -m 755 $(program) '$(DESTDIR)$(bindir)/cowtui'
	$(Q)set -e; for place in $(places); do \
	  $(INSTALL) -D -m 644 "$${place%%:*}" '$(DESTDIR)'"$${place#*:}"; \
	done
	$(Q)sed 's#](share/doc/#](#g' README.md >'$(DESTDIR)$(docdir)/README.md'
	$(Q)sed -e 's#@prefix@#$(prefix)#' -e 's#@libdir@#$(libdir)#' -e 's#@includedir@#$(includedir)#' -e "s#@VERSION@#$$(cat $(BUILD)/version)#" \
	  share/pkgconfig/libcow.pc.in >'$(DESTDIR)$(pkgconfigdir)/libcow.pc'

# Directories that are empty then go, too, up to DESTDIR; without one, up to what any system has.
uninstall:
	$(Q)rm -f '$(DESTDIR)$(bindir)/cowtui'
	$(Q)set -e; for place in $(places); do rm -f '$(DESTDIR)'"$${place#*:}"; done
	$(Q)for place in :$(bindir)/cowtui $(places); do \
	  directory=$${place#*:}; \
	  while directory=$${directory%/*} && [ -n "$$directory" ]; do \
	    [ -n '$(DESTDIR)' ] || case ' $(common:/=) ' in *" $$directory "*) break ;; esac; \
	    rmdir '$(DESTDIR)'"$$directory" 2>/dev/null || [ ! -e '$(DESTDIR)'"$$directory" ] || break; \
	  done; \
	done

# ---- Debian packages -----------------------------------------------------------------------------------

deb:
	@share/debian/build.sh --maintainer >/dev/null
	@.ci/deps build deb
	$(SUBMAKE) all
	@share/debian/build.sh '$(BUILD)'

clean:
	rm -rf $(BUILD)

FORCE:

-include $(all_objects:.o=.d)
