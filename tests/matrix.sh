#!/usr/bin/env bash
# The served code's tests under every Python that Lambda has and this machine too, with nothing but the runtime
# installed, and once with tflite-runtime instead of LiteRT. The script names each Python that it does not find, and skips
# it.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() { # find_python 3.12: the interpreter's path, or nothing
  .venv/bin/python -m layers.pythons "$1"
}

make_venv() { # make_venv DIR PYTHON REQUIREMENTS...: an environment with these files' packages and the tests' own
  local venv=$1 python=$2 files=() ready=yes
  shift 2
  for file in "$@" requirements/unit.txt; do
    files+=(-r "$file")
    [ "$venv/.ready" -nt "$file" ] || ready=no
  done
  if [ "$ready" = no ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
      --require-hashes "${files[@]}"
    touch "$venv/.ready"
  fi
}

served_tests() { # served_tests VENV
  "$1/bin/python" -m pytest -q -n 2 --dist loadfile tests/served
}

for version in $(.venv/bin/python -c "from layers.pythons import LAMBDA_PYTHONS; print(*LAMBDA_PYTHONS)"); do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    echo "== Python $version: not on this machine, skipped"
    continue
  fi
  echo "== Python $version, LiteRT"
  make_venv ".venv-$version" "$python" layers/requirements.txt
  served_tests ".venv-$version"
done

python=$(find_python 3.11)
if [ -z "$python" ]; then
  echo "== tflite-runtime: needs Python 3.11, which is not on this machine, skipped"
else
  echo "== Python 3.11, tflite-runtime"
  make_venv .venv-tflite "$python" requirements/tflite-runtime.txt
  served_tests .venv-tflite
fi
