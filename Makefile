# The two commands of README, and what they are made of. Everything that is built lies in build/, everything that is
# downloaded in the cache ($LATHE_CACHE), everything that the demo makes in out/.
#   make demo SKIP_PACKAGES=1     leaves the machine's packages alone
#   make figures                  measures README's figures of Lathe again and compares them with those recorded
CACHE := $(or $(LATHE_CACHE),$(HOME)/.cache/lathe)
export LATHE_CACHE := $(CACHE)
export PYTHONDONTWRITEBYTECODE := 1

compress := build/release/bin/compress
packages = @$(if $(SKIP_PACKAGES),true,.ci/install-packages $(1))
calibrate := --calibrate $(CACHE)/wikipedia/calibrate_lines.txt
# Texts and task are apart from what calibrates.
prove := --eval sts:$(CACHE)/lee/sts.tsv --texts $(CACHE)/lee/background.txt
# $(call shrink,NAME,OPTIONS) makes out/NAME.lathe and the report out/NAME/
shrink = $(compress) $(CACHE)/minilm $(2) $(prove) --report out/$(1) -o out/$(1).lathe

.PHONY: demo test test-torch-wheel build data clean bench-peers figures
.DEFAULT_GOAL := build

build:
	$(call packages,test)
	@cmake --preset release >/dev/null
	@cmake --build build/release

data:
	$(call packages,build)
	@python3 experiments/data/fetch.py

demo:
	$(call packages,build)
	@python3 experiments/data/fetch.py minilm lee wikipedia >/dev/null
	@cmake --preset release >/dev/null
	@cmake --build build/release --target bin/compress
	@mkdir -p out
	$(call shrink,minilm-p50-int8,--prune 0.5 --quant int8 $(calibrate))
	$(call shrink,minilm-int8,--quant int8 $(calibrate))
	$(call shrink,minilm-int4,--quant int4 $(calibrate))
	$(compress) $(CACHE)/minilm --no-bench --quiet -o out/minilm-f32.lathe
	$(compress) compare $(foreach name,f32 p50-int8 int8 int4,out/minilm-$(name).lathe) $(prove) --report out/comparison
	@echo "The reports are pages for a browser: out/comparison/report.html, out/minilm-p50-int8/report.html ..."

# Before a large change is called done, on a quiet machine: experiments/figures says what is compared, and how closely.
# FIGURES_OPTIONS=--record writes the figures down instead.
figures:
	$(call packages,build)
	@python3 experiments/data/fetch.py >/dev/null
	@cmake --preset release >/dev/null
	@cmake --build build/release --target bin/compress
	@python3 experiments/figures/figures.py $(FIGURES_OPTIONS)

test:
	$(call packages,test)
	@.ci/tests

# The training module with a present PyTorch instead of the system's LibTorch: a download of several GB.
test-torch-wheel:
	$(call packages,build)
	@.ci/torch-wheel

# With the artifacts that the demo left, if it did: --lathe NAME=FILE for each.
bench-peers:
	$(call packages,build)
	@experiments/peers/run.sh $(foreach file,$(wildcard out/minilm-*.lathe),--lathe $(file:out/minilm-%.lathe=%)=$(file)) \
	  $(BENCH_OPTIONS)

clean:
	rm -rf build out
