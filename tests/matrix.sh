#!/usr/bin/env bash
# The served code's tests under every Python that Lambda has and this machine too, with nothing but the runtime
# installed, and once with tflite-runtime instead of LiteRT. What is not at hand is named and passed over.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() { # find_python 3.12: the interpreter's path, or nothing
  .venv/bin/python -m layers.pythons "$1"
}

make_venv() { # make_venv DIR PYTHON PIP_ARGUMENTS...
  local venv=$1 python=$2
  shift 2
  if [ ! "$venv/.ready" -nt requirements-dev.txt ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      $(grep -E '^(chalice|pytest|pytest-xdist|hypothesis)==' requirements-dev.txt)
    touch "$venv/.ready"
  fi
}

served_tests() { # served_tests VENV
  "$1/bin/python" -m pytest -q -n 2 --dist loadfile tests/served
}

for version in $(.venv/bin/python -c "from layers.pythons import LAMBDA_PYTHONS; print(*LAMBDA_PYTHONS)"); do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    echo "== Python $version: not on this machine, passed over"
    continue
  fi
  echo "== Python $version, LiteRT"
  make_venv ".venv-$version" "$python" --no-deps --require-hashes -r layers/requirements.txt
  served_tests ".venv-$version"
done

python=$(find_python 3.11)
if [ -z "$python" ]; then
  echo "== tflite-runtime: needs Python 3.11, which is not on this machine, passed over"
else
  echo "== Python 3.11, tflite-runtime"
  make_venv .venv-tflite "$python" tflite-runtime==2.14.0 numpy==1.26.4 pillow==13.0.0
  served_tests .venv-tflite
fi
