#!/usr/bin/env bash
# Builds the CUDA modules of this archive again, from src/ with this machine's CUDA toolkit and for its GPU
# alone, and puts them where breakeven finds them; those that came with the archive go into libexec/modules.packed.
#   gpu_rebuild.sh [--arch ARCH, e.g. 80, 90a] [MODULE…]     default: this GPU's; cuda
# cublas and cudnn need those libraries' headers, too; CUDNN_ROOT=FOLDER says where include/cudnn_version.h is.
# Needs nvcc 12.8 or later, g++ 11, CMake 3.26 and make or Ninja. The build stays in build/: what is edited in src/
# is all that the next call compiles. Exit status: 0; 1 the build failed; 2 usage; 3 no compiler or no GPU here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage() { echo "usage: gpu_rebuild.sh [--arch ARCH, e.g. 80, 90a] [cuda | cublas | cudnn …]" >&2; exit 2; }
lacking() { echo "gpu_rebuild.sh: $1" >&2; exit 3; }
arch=""
modules=()
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=${2:-}; [[ $arch =~ ^[0-9]+[af]?$ ]] || usage; shift ;;
    cuda | cublas | cudnn) modules+=("$1") ;;
    *) usage ;;
  esac
  shift
done
[ ${#modules[@]} -gt 0 ] || modules=(cuda)
PATH=$PATH:/usr/local/cuda/bin
for tool in nvcc g++ cmake; do command -v $tool >/dev/null || lacking "there is no $tool on PATH"; done
if [ -z "$arch" ]; then
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .) || true
  [[ $arch =~ ^[0-9]+$ ]] || lacking "nvidia-smi names no GPU; --arch says what to build for"
  [ "$arch" != 90 ] || arch=90a # wgmma and TMA are in the architecture's own code only
fi
if [ -z "${CUDNN_ROOT:-}" ]; then # where Python packages put it
  for place in /opt/*/.venv/lib/python3*/site-packages/nvidia/cudnn /usr/local/lib/python3*/*-packages/nvidia/cudnn; do
    [ ! -e "$place/include/cudnn_version.h" ] || CUDNN_ROOT=$place
  done
fi
# Asked for is needed: configuring says what it lacks.
with=(-DWITH_CUDA=ON)
for library in cublas cudnn; do
  # cuDNN itself needs cuBLAS.
  if [[ " ${modules[*]} " = *" $library "* || ($library = cublas && " ${modules[*]} " = *" cudnn "*) ]]; then wanted=ON; else wanted=OFF; fi
  with+=("-DWITH_${library^^}=$wanted")
done
generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S "$here/src" -B "$here/build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DBREAKEVEN_TESTS=OFF \
  -DCMAKE_PREFIX_PATH="$here/deps/usr" -DCUDNN_FRONTEND_ROOT="$here/deps/usr" -DCUDNN_ROOT="${CUDNN_ROOT:-}" \
  -DCMAKE_CUDA_ARCHITECTURES="$arch-real" "${with[@]}" -DWITH_OPENBLAS=OFF -DWITH_ONEDNN=OFF >"$here/configure.log" 2>&1 ||
  { tail -n 20 "$here/configure.log" >&2; exit 1; }
cmake --build "$here/build" -j "$(nproc)" --target "${modules[@]/#/module_}" || exit 1
# What g++ built may need a newer libstdc++ than the archive's; a newer one serves the programs, too.
newest() { grep -ao 'GLIBCXX_3\.4\.[0-9]*' "$1" | sort -V | tail -n 1; }
runtime=$(g++ -print-file-name=libstdc++.so.6)
packed=$here/lib/libstdc++.so.6
if [ -e "$runtime" ] && [ -e "$packed" ] && [ "$(newest "$runtime")" != "$(newest "$packed")" ] &&
  [ "$( (newest "$runtime"; newest "$packed") | sort -V | tail -n 1)" = "$(newest "$runtime")" ]; then
  cp -L "$runtime" "$packed"
fi
[ -d "$here/libexec/modules.packed" ] || cp -r "$here/libexec/modules" "$here/libexec/modules.packed"
for module in "${modules[@]}"; do cp "$here/build/modules/breakeven_$module.so" "$here/libexec/modules/"; done
echo "rebuilt for sm_$arch: ${modules[*]}"
