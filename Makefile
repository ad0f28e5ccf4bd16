# The two commands of README, and what they are made of. Everything that is built lies in build/, everything that is
# downloaded in the cache ($LATHE_CACHE), everything that the demo makes in out/.
#   make demo SKIP_PACKAGES=1     leaves the machine's packages alone
CACHE := $(or $(LATHE_CACHE),$(HOME)/.cache/lathe)
export LATHE_CACHE := $(CACHE)
export PYTHONDONTWRITEBYTECODE := 1

compress := build/release/bin/compress
packages = @$(if $(SKIP_PACKAGES),true,.ci/install-packages $(1))
calibrate := --calibrate $(CACHE)/wikipedia/calibrate_lines.txt
evaluate := --eval sts:$(CACHE)/lee/sts.tsv
# $(call shrink,NAME,OPTIONS) → out/NAME.lathe and the report out/NAME/
shrink = $(compress) $(CACHE)/minilm $(2) $(evaluate) --report out/$(1) -o out/$(1).lathe --force

.PHONY: demo test build data clean bench-peers
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
	@python3 experiments/data/fetch.py >/dev/null
	@cmake --preset release >/dev/null
	@cmake --build build/release --target bin/compress
	@mkdir -p out
	$(call shrink,minilm-f32)
	$(call shrink,minilm-int8,--quant int8 $(calibrate))
	$(call shrink,minilm-int4,--quant int4 $(calibrate))
	$(call shrink,minilm-p50-int8,--prune 0.5 --quant int8 $(calibrate))
	$(compress) compare out/minilm-f32.lathe out/minilm-int8.lathe out/minilm-int4.lathe out/minilm-p50-int8.lathe

test:
	$(call packages,test)
	@.ci/tests

bench-peers:
	$(call packages,build)
	@experiments/peers/run.sh $(BENCH_OPTIONS)

clean:
	rm -rf build out
