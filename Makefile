# From chapters to the book. `make help` lists what there is to do.
#
# Time stamps decide what is looked at; `wslib workbook run` then executes a chapter only
# if its code, its parameters, the modules it imports or its data have changed.

PROFILE ?= sample
CH      ?=
SET     ?=
DATA    :=
RUN     ?=
OVER    ?=
LIMIT   ?= 200
EDITION ?=
PYTHON  ?= python3
# What a reader sets is text: Make shall not look for $(...) in it.
$(foreach name,SET OVER DATA NAME LOOKS WSLIB_DATA,\
  $(eval override $(name) := $$(value $(name))))
export SET OVER DATA NAME LOOKS
# The commands of one make are one to those that wait for it.
WSLIB_MAKE := $(or $(WSLIB_MAKE),$(shell echo $$PPID))
export WSLIB_MAKE
# One Ctrl-C ends the jobs of srun, which by itself only says that they are running.
export SLURM_DISABLE_STATUS ?= 1

# `make report` by itself runs two chapters at a time, unless told otherwise: with -j1,
# here or in MAKEFLAGS. Older Makes would not listen to that.
TOLD := $(RUN)$(filter full,$(PROFILE))$(filter -j%,$(shell echo "$$MAKEFLAGS"))
ifeq ($(MAKELEVEL)$(MAKECMDGOALS)$(TOLD)$(filter 3.% 4.0% 4.1%,$(MAKE_VERSION)),0report)
  MAKEFLAGS += -j2
endif

# CH=2 is CH=02.
override CH := $(if $(filter 1 2 3 4 5 6 7 8 9,$(CH)),0)$(CH)

WSLIB     := .venv/bin/wslib
RENDER     = PATH="$$PWD/.venv/bin:$$PATH" $(WSLIB) workbook render --profile $(PROFILE) $(if $(EDITION),--edition $(EDITION))
BUILD     := build/$(PROFILE)
OUT       := report/_output/$(PROFILE)$(if $(EDITION),-$(EDITION))
CHAPTERS  := $(sort $(filter chapters/$(CH)%,$(wildcard chapters/[0-9][0-9]_*.py)))
NOTEBOOKS := $(CHAPTERS:chapters/%.py=$(BUILD)/%.ipynb)
CHECKED   := $(BUILD)/.checked$(CH)
BOOK      := $(wildcard *.qmd CITATION.cff) _quarto.yml _quarto-$(PROFILE).yml $(wildcard report/*.* report/teacher/*)
NEEDED    := requirements$(if $(filter cpu,$(TORCH)),-cpu).txt
# uv is quicker, where it is, and here looks into all indexes, as pip does.
PIP        = $(if $(shell command -v uv),uv pip install --python .venv/bin/python \
               --index-strategy unsafe-best-match,.venv/bin/python -m pip install)
JOBS       = $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),1)
CHECK      = $(WSLIB) workbook check $(CHAPTERS) --profile $(PROFILE) $(ASKED) --build $(BUILD)
ASKED      = --set "$$SET" --data "$$DATA"
SETTINGS   = printf '%s\n' "$$SET" "$$DATA" "$$WSLIB_DATA"
# A .venv whose Python is gone, as after an upgrade of the system, is made anew.
GONE      := $(shell test -L .venv/bin/python && ! test -e .venv/bin/python && echo gone)
ENGINE    := $(wildcard wslib/cli/__init__.py wslib/cli/workbook.py wslib/workbook/*/*.py)

ifeq ($(wildcard _quarto-$(PROFILE).yml),)
  $(error no profile $(PROFILE); there are $(patsubst _quarto-%.yml,%,$(wildcard _quarto-*.yml)))
endif

.DEFAULT_GOAL := help
# These are written whole or not at all, and what stands there is the last good one.
.PRECIOUS: $(BUILD)/%.ipynb $(BUILD)/%.json $(OUT)/index.html $(OUT)/workbook.pdf
.SUFFIXES:
TARGETS := help report data chapter pdf summary slides record preview sync colab publish sweep \
           points test lint check lab doctor clean distclean
.PHONY: $(TARGETS) FORCE

help: ## list the targets and the variables
	@echo "usage: make TARGET [PROFILE=smoke|sample|full] [SET=\"name=value ...\"]"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1@\2/p' $(MAKEFILE_LIST) | \
	  awk -F@ '{printf "%-12s%s\n", $$1, $$2}'
	@echo; printf '%s\n' \
	  'PROFILE  smoke: minutes; sample (default): no network needed; full: the real data' \
	  'SET      parameters for the chapters that know them: SET="seed=1 epochs=5"; also in' \
	  '         a file, as those of a course: SET="params/03_course.yml"' \
	  'DATA     a folder of your own pictures for chapters 2, 3, 5: wslib data check FOLDER' \
	  'EDITION  student: no solutions; teacher: with them, and with goals and times' \
	  'RUN      a prefix of the command that executes: RUN="srun --cpus-per-task=8";' \
	  '         for a sweep also RUN="sbatch --mem=4GB", one job array' \
	  'OVER     what a sweep combines: OVER="input_size=224,320 seed=0,1,2"; more than 200' \
	  '         combinations need LIMIT=400' \
	  'WSLIB_DATA  where the real data sets lie (default: data/)' \
	  'CH       the chapter, by its number or more of its name: CH=02' \
	  'TORCH    cpu: at the first run, install the smaller build of PyTorch without CUDA' \
	  'PYTHON   the Python that makes .venv: PYTHON=python3.12' \
	  '-j4      runs four chapters side by side; `make report` runs two, or one of full'

# ---------------------------------------------------------------------- the report

report: $(OUT)/index.html ## make the book: report/_output/PROFILE/{index.html,workbook.pdf}
	@echo "$(OUT)/index.html"; echo "$(OUT)/workbook.pdf"

$(OUT)/index.html: $(OUT)/workbook.pdf
	@test -f $@ || $(RENDER)

# The renderer puts both files in place, index.html first.
$(OUT)/workbook.pdf: $(NOTEBOOKS) $(BOOK) $(ENGINE) | .venv/.quarto
	@$(RENDER)

# --------------------------------------------------------------------- the chapters

ALONE := $(filter chapter pdf summary record sweep,$(MAKECMDGOALS))
ifeq ($(ALONE:%=$(CH)),)
  ifneq ($(ALONE),)
    $(error make $(ALONE) needs CH, such as CH=02)
  endif
endif
ifneq ($(CH),)
  ifeq ($(CHAPTERS),)
    $(error no chapter $(CH); there are $(notdir $(basename $(wildcard chapters/*.py))))
  endif
  ifneq ($(filter report,$(MAKECMDGOALS)),)
    $(error make report makes the whole book; of one chapter: make pdf CH=$(CH))
  endif
endif

data: | .venv/.installed ## fetch what PROFILE needs, data and weights: make data PROFILE=full
	@exec $(WSLIB) workbook fetch $(CHAPTERS) --profile $(PROFILE) $(ASKED)

chapter: $(NOTEBOOKS) ## run one chapter alone: make chapter CH=02 PROFILE=smoke
	@echo $(NOTEBOOKS)

pdf: $(NOTEBOOKS) ## one chapter as a PDF and a web page: make pdf CH=04 [EDITION=student]
	@$(WSLIB) workbook handout $(CHAPTERS) --profile $(PROFILE) $(if $(EDITION),--edition $(EDITION))

summary: $(NOTEBOOKS) ## two pages about one chapter: make summary CH=04 PROFILE=smoke
	@$(WSLIB) workbook summary $(CHAPTERS) --profile $(PROFILE)

slides: $(NOTEBOOKS) | .venv/.quarto ## slides of each chapter, one HTML file [CH=04]
	@PATH="$$PWD/.venv/bin:$$PATH" $(WSLIB) workbook slides $(CHAPTERS) --profile $(PROFILE)

record: $(NOTEBOOKS) ## keep a run on real data: make record CH=02 PROFILE=full NAME=unseen LOOKS=never
	@$(WSLIB) workbook record $(CHAPTERS) --profile $(PROFILE) --name "$$NAME" \
	  --looks "$$LOOKS" --set "$$SET"
	@$(WSLIB) workbook headline

$(BUILD)/%.ipynb: chapters/%.py $(BUILD)/%.json | .venv/.installed
	@echo "$*: profile $(BUILD:build/%=%)"
	@exec env $(if $(RUN),$(RUN),WSLIB_JOBS=$(JOBS)) $(WSLIB) workbook run $< \
	  --profile $(PROFILE) $(ASKED) --build $(BUILD)

# What each chapter will run with. The check rewrites only files whose content changes.
$(BUILD)/%.json: $(CHECKED)
	@test -f $@ || $(CHECK)

$(CHECKED): $(CHAPTERS) $(wildcard params/$(PROFILE) params/$(PROFILE)/*.yml params/*.yml) $(ENGINE) $(BUILD)/.settings \
            | .venv/.installed
	@$(CHECK)
	@$(SETTINGS) > $(BUILD)/.settings && touch $@

$(BUILD)/.settings: FORCE
	@mkdir -p $(BUILD)
	@$(SETTINGS) | cmp -s - $@ || $(SETTINGS) > $@

# The rules that runs have left. Where one is lost or damaged, its chapter is looked at.
RULES := $(shell grep -lsx '. whole' $(BUILD)/*.d)
-include $(RULES)
$(filter-out $(RULES:.d=.ipynb),$(NOTEBOOKS)): FORCE

# ------------------------------------------------------------------------ the editors

preview: | .venv/.installed ## the book in the browser, renewed when you save [CH=02]
	@exec $(WSLIB) workbook preview --profile $(PROFILE) $(if $(CH),--chapter "$(CH)") --data "$$DATA"

sync: | .venv/.installed ## edits of chapters/ and of notebooks/ to each other [KEEP=chapter|notebook]
	@$(WSLIB) workbook sync $(if $(CH),$(CHAPTERS)) $(if $(KEEP),--keep $(KEEP))

colab: | .venv/.installed ## notebooks that run when uploaded: build/colab/ [CH=04]
	@$(WSLIB) workbook colab $(CHAPTERS) --profile $(PROFILE)
	@echo "to upload at https://colab.research.google.com, or to open in any Jupyter"

publish: report colab ## the book to the branch gh-pages, its notebooks to colab [DRY=1] [REMOTE=origin]
	@$(WSLIB) workbook publish --profile $(PROFILE) $(if $(EDITION),--edition $(EDITION)) \
	  $(if $(REMOTE),--remote "$(REMOTE)") $(if $(DRY),--dry-run)

# ------------------------------------------------------------------------ the sweeps

# Each point is a build of its own, in $(BUILD)/sweep, by the rules above; all together are
# one job array of Slurm with RUN="sbatch ...", of which -jN lets N run at a time.
ARRAY = $(if $(filter sbatch,$(notdir $(firstword $(RUN)))),$(WSLIB) workbook sweep submit $(SWEEP) \
  --run '$(subst ','\'',$(RUN))' $(if $(filter -j%,$(MAKEFLAGS)),--most $(JOBS)))
SWEEP = $(CHAPTERS) --profile $(PROFILE) --over "$$OVER" --set "$$SET" --limit $(LIMIT)
DONE  = $(BUILD)/sweep/%/$(notdir $(basename $(firstword $(CHAPTERS)))).done

sweep: $(BUILD)/.points ## compare settings: make sweep CH=02 OVER="seed=0,1,2"
	@$(or $(ARRAY),$(MAKE) --no-print-directory --keep-going points POINTS="$$(cat $<)") || true
	@$(WSLIB) workbook sweep gather $(SWEEP)

$(BUILD)/.points: FORCE | .venv/.installed
	@points=$$($(WSLIB) workbook sweep plan $(SWEEP)) && printf '%s\n' "$$points" > $@

points: $(POINTS:%=$(DONE))

$(DONE): FORCE
	@$(MAKE) --no-print-directory chapter BUILD=$(@D) SET="$$SET $$(cat $(@:done=set))" DATA="$$DATA"
	@touch $@

# ------------------------------------------------------------------------- the rest

# One more than there are processors, as some tests wait; at most five.
TESTERS = $(shell n=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n + 1 : 5)))

test: .venv/.tested ## run the tests
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n $(TESTERS) \
	  --dist loadfile tests

lint: .venv/.tested ## check the style
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

check: | .venv/.installed ## the form of a chapter, in a second: make check CH=01
	@$(WSLIB) workbook rules $(CHAPTERS)

lab: .venv/.lab ## JupyterLab, in which a script opens as a notebook
	@echo "in chapters/: right click on a script, Open With, Notebook; Save writes the script"
	@exec .venv/bin/jupyter-lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/chapters

doctor: ## say what is installed, found and missing
	@test -z "$(GONE)" -a -x $(WSLIB) || \
	  { echo "there is no .venv, or its Python is gone: make report makes it"; false; }
	@$(WSLIB) doctor

clean: ## remove what was made for PROFILE
	rm -rf $(BUILD) $(OUT)

distclean: ## remove all that was made, .venv too
	rm -rf build report/_output .venv

.venv/.installed: $(sort requirements.txt $(NEEDED)) pyproject.toml $(if $(GONE),FORCE)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v < (3, 14) and \
	  "this is Python %d.%d, it takes 3.11 to 3.13: make PYTHON=python3.12" % v[:2])'
	@echo "installing what $(NEEDED) pins into .venv: $(if $(filter cpu,$(TORCH)),about 1 GB,several GB)"
	@$(if $(filter cpu,$(TORCH)),,echo "without a GPU: stop it, and say make TORCH=cpu ...")
	$(PYTHON) -m venv $(if $(GONE),--clear) .venv
	$(PIP) --requirement $(NEEDED)
	$(PIP) --quiet --no-deps --editable .
	@touch $@

.venv/.lab: requirements-lab.txt .venv/.installed
	$(PIP) --requirement requirements-lab.txt
	@touch $@

.venv/.tested: requirements-test.txt .venv/.installed
	$(PIP) --quiet --no-deps --requirement requirements-test.txt
	@touch $@

# Quarto is tried once. Without it, the renderer that wslib brings makes the same book.
.venv/.quarto: requirements-quarto.txt | .venv/.installed
	@command -v quarto >/dev/null || \
	  $(PIP) --quiet --requirement $< >/dev/null 2>&1 || \
	  echo "Quarto could not be installed; going on with the built-in renderer"
	@touch $@

.DEFAULT:
	@near=$$($(PYTHON) -c 'import difflib, sys; print(*difflib.get_close_matches(\
	  sys.argv[1], sys.argv[2:], 1))' '$@' $(TARGETS) 2>/dev/null); \
	echo "there is no target $@;$${near:+ did you mean $$near?} make help lists them"; false

FORCE:
