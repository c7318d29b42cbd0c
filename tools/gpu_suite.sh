#!/usr/bin/env bash
# Everything that only a GPU can answer, within a budget of wall-clock time: whether the kernels are right,
# whether their times are, then how fast they are. Packed by tools/pack beside the programs.
#   gpu_suite.sh [--budget TIME] [--out FOLDER] [PART…]      default: --budget 8m --out gpu_results, all parts
# The parts, in the order in which they run; what one leaves of its share of the time is for those behind it:
#   check      the primitives, then CUDA cases of small, ragged and much-used shapes
#   sanitize   compute-sanitizer's four tools on small shapes of every hand-written kernel
#   timing     events against a profiler, and the gate on one and the same build
#   measure    the ceilings, then the rows that matter most
#   rest       every CUDA case that check left out
#   suite      training, then the standard suite, with this machine's own CPU
# Each step's log, the results as JSON and summary.txt (status and seconds of each step) go into FOLDER, and
# all of it into FOLDER.tar.xz beside it. Each call takes a FOLDER of its own.
# A step that time ends is "ended"; what it had finished is kept. One that does not end then is "killed", and
# that is a failure, as is conformance that time ends: a primitive hangs, or the machine is too slow. A
# verified case that hangs fails after 30 s (5 minutes in verify-others), if its step lasts so long.
# Exit status: 0; 1 a step failed; 2 usage; 3 no GPU answers here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
budget=8m
out=gpu_results
order=(check sanitize timing measure rest suite)
declare -A weight=([check]=5 [sanitize]=3 [timing]=2 [measure]=4 [rest]=1 [suite]=2) # of the time
parts=()
usage() {
  echo "usage: gpu_suite.sh [--budget TIME, e.g. 90s, 8m, 1h30m] [--out FOLDER] [PART…]" >&2
  echo "parts: ${order[*]}; default: all" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case $1 in
    --budget) budget=${2:-}; shift ;;
    --budget=*) budget=${1#*=} ;;
    --out) out=${2:-}; shift ;;
    --out=*) out=${1#*=} ;;
    *) [[ " ${order[*]} " = *" $1 "* ]] || usage; parts+=("$1") ;;
  esac
  shift || usage
done
[[ $budget =~ ^(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?$ ]] && [ -n "$budget" ] && [ -n "$out" ] || usage
total=$((10#${BASH_REMATCH[2]:-0} * 3600 + 10#${BASH_REMATCH[4]:-0} * 60 + 10#${BASH_REMATCH[6]:-0}))
[ $total -gt 0 ] || usage
[ ${#parts[@]} -gt 0 ] || parts=("${order[@]}")
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
if [ -e "$out/summary.txt" ]; then
  echo "gpu_suite.sh: $out holds the results of an earlier call; give --out another folder" >&2
  exit 2
fi
: >"$out/summary.txt"

# CUDA's libraries where the loader does not look by itself: a toolkit, or Python packages.
for place in /usr/local/cuda/lib64 /usr/local/cuda/lib /usr/local/nvidia/lib64 \
  /usr/lib/python3*/site-packages/nvidia/*/lib /usr/local/lib/python3*/*-packages/nvidia/*/lib \
  /usr/local/cuda/extras/CUPTI/lib64 /opt/*/lib/python3*/site-packages/nvidia/*/lib /opt/*/.venv/lib/python3*/site-packages/nvidia/*/lib; do
  [ -d "$place" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$place
done
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}

end=$total # of the part that runs
left() { echo $((end - SECONDS)); }
# begin <part>: false where it wasn't asked for; gives it its share of what time is left.
begin() {
  local part sum=0
  [[ " ${parts[*]} " = *" $1 "* ]] || return 1
  for part in "${order[@]}"; do
    [ "$part" = "$1" ] && sum=0
    [[ " ${parts[*]} " = *" $part "* ]] && sum=$((sum + weight[$part]))
  done
  end=$((SECONDS + (total - SECONDS) * weight[$1] / sum))
}
failed=0
note() { # note <step> <status> <seconds> <words>
  printf '%-22s %-8s %6s s  %s\n' "$1" "$2" "$3" "$4" | tee -a "$out/summary.txt"
}
# step <name> <most seconds> <command…>: its output goes to a log, its status to the summary. With
# finding=N before it, status N means that it found something and did not fail, with absent=N that what it needs
# isn't installed here; with unfinished=fail, it fails where time ends it, with fault=REGEX, where time ends it
# after a line of that kind.
step() {
  local name=$1 most=$2 start=$SECONDS status=0 last
  shift 2
  [ "$most" -le "$(left)" ] || most=$(left)
  if [ "$most" -le 5 ]; then
    note "$name" skipped 0 "no time was left"
    return
  fi
  timeout --signal=INT --kill-after=10 "$most" "$@" >"$out/$name.log" 2>&1 </dev/null || status=$?
  # By the signal of the time-out; the same one at another time is a failure.
  if [ $status = 137 ] && [ $((SECONDS - start)) -ge "$most" ]; then status=killed; fi
  if [ $status = 124 ] && [ "${unfinished:-}" = fail ]; then status=killed; fi
  last=$(grep -v '^ *$' "$out/$name.log" | tail -n 1 | tr -d '\r' | cut -c 1-160)
  case $status in
    0) note "$name" passed $((SECONDS - start)) "$last" ;;
    124)
      if [ -n "${fault:-}" ] && grep -qE "$fault" "$out/$name.log"; then
        note "$name" failed $((SECONDS - start)) "before its time ended: $(grep -E -m 1 "$fault" "$out/$name.log" | cut -c 1-120)"
        failed=1
        return
      fi
      note "$name" ended $((SECONDS - start)) "time; all until then is in $name.log" ;;
    "${absent:-0}") note "$name" missing $((SECONDS - start)) "$last" ;;
    "${finding:-0}") note "$name" findings $((SECONDS - start)) "$last" ;;
    killed)
      note "$name" killed $((SECONDS - start)) "it did not end with its time; last words: $last"
      failed=1
      ;;
    *)
      note "$name" "failed:$status" $((SECONDS - start)) "$last"
      failed=1
      ;;
  esac
}
# verify <name> <most seconds> <expression> [<case time-out>]: also says how many cases its time did not reach, and fails
# where one of the others was wrong.
verify() {
  local counts right total_cases wrong skipped
  rm -f "$out/$1.log"
  step "$1" "$2" "$here/breakeven" verify --case-timeout "${4:-30s}" --filter "$3"
  counts=$(sed -n 's/^\([0-9]*\) of \([0-9]*\) cases right, \([0-9]*\) failed, \([0-9]*\) skipped.*/\1 \2 \3 \4/p' "$out/$1.log" 2>/dev/null | tail -n 1)
  if [ -z "$counts" ]; then
    note "$1" left 0 "all or some of its cases; how many is not known"
    return
  fi
  read -r right total_cases wrong skipped <<<"$counts"
  [ "$wrong" = 0 ] || failed=1
  local unreached=$((total_cases - right - wrong - skipped))
  [ $unreached = 0 ] || note "$1" left 0 "$unreached of $total_cases cases not reached; of the others $right right, $wrong wrong, $skipped skipped"
}

finish() { # finish <exit status>
  local packed=""
  tar -C "$(dirname "$out")" -cJf "$out.tar.xz" "$(basename "$out")" && packed=", all of it in $out.tar.xz"
  echo "results and logs: $out$packed"
  exit "$1"
}

{
  date -u +%Y-%m-%dT%H:%M:%SZ
  uname -a
  timeout 20 nvidia-smi 2>&1
  timeout 20 nvidia-smi -q 2>/dev/null | grep -i -e 'persistence' -e 'power limit' -e 'compute mode' | head -n 12
} >"$out/machine.log"
total=$((total - total / 20)) # for what a time-out does not end at once, and the report
end=$total
# shellcheck disable=SC2016
step list 60 sh -c 'exec "$1" list --json >"$2"' sh "$here/breakeven" "$out/list.json"
finding=1 step doctor 60 "$here/breakeven" doctor

# Without a GPU the CPU's rows still run, to show that the archive does.
if "$here/breakeven" list --cases --filter '/gpu/naive/f32$' >/dev/null 2>&1; then gpu=true; else gpu=false; fi
if ! $gpu; then
  note gpu missing 0 "$(sed -n 's/.*"unavailable": "\(.*\)".*/\1/p' "$out/list.json" | head -n 1)"
  step cpu "$total" "$here/breakeven" run --filter '^matmul/square_(64|256)/cpu/[a-z_]+/f32$' --rounds 1 --out "$out/cpu.json"
  [ $failed = 0 ] || finish 1
  finish 3
fi

# A case's name ends behind the precision where it has no option.
plain='[a-z0-9_]+/[a-z0-9]+$'
training='training_step_(mlp/b16|lenet/b64|gpt/tiny_b8)'
small="(matmul/(ragged_(1x1|primes|edges|in_vectors|gemv|outer)[^/]*|square_(64|96|128|256|512))|conv2d_[a-z_]+/ragged_conv_[^/]*|stream/[^/]*_1mib|peak/[^/]*|$training)/gpu/$plain"
large="(matmul/(square_(1024|2048|4096)|gpt2_[^/]*|batch_sweep_(16|64|256)|ragged_(tall|skinny|deep)[^/]*)/gpu/(handwritten[a-z_]*|cublas[a-z_]*)|conv2d_[a-z_]+/resnet50_[^/]*_n1(_nchw)?/gpu/(handwritten|cudnn)[a-z_]*)/[a-z0-9]+$"

# Do the primitives do what kernels and emulator take the manual to say? Are the CUDA cases right? Ragged and
# small shapes first, where a mistake shows and checks are quick, then what is measured most.
if begin check; then
  if [ -x "$here/gpu-conformance" ]; then
    unfinished=fail step conformance $(($(left) / 3)) "$here/gpu-conformance"
  else
    note conformance missing 0 "not in this archive"
  fi
  verify verify-small $(($(left) * 2 / 3)) "^$small"
  verify verify-large "$(left)" "^$large"
fi

# Do they touch what is not theirs or was never written, or race, or misuse a barrier?
if begin sanitize; then
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -n 1)
  if [ -n "$sanitizer" ]; then
    tools=(memcheck racecheck synccheck initcheck)
    for i in "${!tools[@]}"; do
      fault='^=+ (Invalid|Error|Barrier|Uninitialized|Program hit)' step "${tools[i]}" $(($(left) / (${#tools[@]} - i))) "$sanitizer" --tool "${tools[i]}" --target-processes all --error-exitcode 9 \
        "$here/breakeven-bench" --module=cuda --verify \
        "--benchmark_filter=^(matmul/ragged_(primes_127x131x137|edges_65x63x129|in_vectors_[^/]*)|conv2d_[a-z_]+/ragged_conv_(primes_3x3|in_vectors_strided_3x4|strided_dilated_4x4|depthwise_5x5)|stream/[^/]*_1mib|peak/fma|$training|training_step_resnet18/cifar_b8)/gpu/$plain"
      # One that watched no process at all passes, too.
      if tail -n 1 "$out/summary.txt" | grep -q "^${tools[i]} *passed" && ! grep -q 'SUMMARY:' "$out/${tools[i]}.log"; then
        note "${tools[i]}" failed:0 0 "it says nothing of what it saw"
        failed=1
      fi
    done
  else
    note compute-sanitizer missing 0 "not installed here"
  fi
fi

# Is what events say the time? Does the gate find a difference where there is none?
if begin timing; then
  if [ -x "$here/gpu-timing-check" ]; then
    absent=3 fault='TOO FAR|not checked' step timing-check "$(left)" "$here/gpu-timing-check"
  else
    note timing-check missing 0 "not in this archive"
  fi
  if [ "$(left)" -lt 300 ]; then
    note gate-same skipped 0 "it takes minutes, and $(left) s were left"
  else
    step gate-same "$(left)" "$here/breakeven" gate run --base "$here/breakeven-bench" --head "$here/breakeven-bench" \
      --filter '^(matmul/square_(256|512|1024|2048)/gpu/handwritten/(f32|bf16)|stream/(copy|triad)_256mib/gpu/handwritten/f32)$' \
      --out "$out/gate-same" -- --module=cuda
    [ -e "$out/gate-same/verdict.json" ] || note gate-same left 0 "no verdict"
  fi
fi

# run <name> <rounds> <most seconds> <expression> [<case time-out>]
run() {
  local most=$3
  [ "$most" -le "$(left)" ] || most=$(left)
  # The command ends by itself after the case in which its time runs out; step's limit is the last resort.
  if [ "$most" -le 15 ]; then
    note "$1" skipped 0 "no time was left"
    return
  fi
  step "$1" $((most + 30)) "$here/breakeven" run --filter "$4" --rounds "$2" --case-timeout "${5:-120s}" --budget "$((most - 10))s" --out "$out/$1.json"
}

# What could this machine do at most? How fast are the rows that were asked for first?
if begin measure; then
  step peaks $(($(left) / 3)) "$here/breakeven" peak --json
  run bars 3 $(($(left) / 2)) '^matmul/square_(2048|4096|8192)/gpu/(handwritten|cublas)/(f32|bf16)$'
  run convolutions 3 $(($(left) / 3)) '^conv2d_(forward|backward_data|backward_weights)/resnet50_(conv1|res2x_branch2b|res3a_branch2b|res4x_branch2c|res5x_branch2c)_n64/gpu/(handwritten|cudnn)/(f32|bf16)$'
  run ladder 3 $(($(left) / 2)) '^matmul/square_4096/gpu/((sgemm|mma|wgmma)_[a-z0-9_]+|naive)/(f32|bf16)$'
  run precisions 3 "$(left)" '^matmul/square_(4096|8192)/gpu/(handwritten|cublas)/(tf32|f16|fp8|int8)$'
fi

# All CUDA cases that check leaves out, but the longest: every shape, implementation and precision, by default
# launch with a warm cache. Models of full size and trainings to a target are checked for minutes on the host:
# their rows are verified where they are measured.
if begin rest; then
  verify verify-others "$(left)" "^(?!$small|$large|convergence_|[^/]+/(gpt2_124m_|imagenet_|cifar_b(64|256)))[^/]+/[^/]+/gpu/[^/]+/[^/]+$" 5m
fi

if begin suite; then
  run training 3 $(($(left) / 2)) '^(training_(step|forward|backward|update)|inference)_(mlp/b128|gpt/(tiny_b8|gpt2_124m_b4_t64)|resnet50/imagenet_b8)/gpu/(handwritten|cublas_cudnn)/' 30m
  if [ "$(left)" -le 15 ]; then
    note standard skipped 0 "no time was left"
  else
    step standard "$(left)" "$here/breakeven" run --suite standard --budget "$(($(left) - 10))s" --out "$out/standard.json"
  fi
fi
results=()
for file in "$out"/*.json; do [ "$file" = "$out/list.json" ] || results+=("$file"); done
if [ ${#results[@]} -gt 0 ]; then
  "$here/breakeven" report "${results[@]}" -o "$out/report.html" --markdown "$out/report.md" >"$out/report.log" 2>&1 ||
    { note report "failed:$?" 0 "$(tail -n 1 "$out/report.log")"; failed=1; }
fi
finish $failed
