#include "tools/breakeven/help_gate.h"

#include <array>

namespace breakeven {
namespace {

constexpr std::array kHelps = {
    CommandHelp{"gate", R"(breakeven gate - did this change make anything slower?

usage: breakeven gate COMMAND [options]

commands
  run        measure two builds of a Google Benchmark program, and judge them
  judge      judge results files
  selftest   what slowdown this machine can see
  history    at which commits rows changed

  breakeven gate COMMAND --help   the options of a command

Any Google Benchmark program will do; nothing of Breakeven has to be in it.
)"},
    CommandHelp{"gate run",
                R"(breakeven gate run - measure two builds in turns, and judge

usage: breakeven gate run --base BIN --head BIN [options] [-- ARGUMENTS]
       breakeven gate run --base-ref REV --build COMMAND --head BIN [options]

what to measure
  --base BIN       the program to compare with, and
  --head BIN       the one to judge: any Google Benchmark programs
  --base-ref REV   build the merge base of this git revision and HEAD instead,
  --build COMMAND  by this command, in a work tree in the directory of -o
  --filter RE      only rows that this matches, as `--benchmark_filter` does
  -- ARGUMENTS     given to both programs

how
  --rounds N       of fresh processes; default 12, more of more than 102 rows
  --confirm N      more of conspicuous rows; default 24
  --repetitions N  of a row in a process; default 3
  --min-time S     seconds of a repetition; default 0.05
  --timeout TIME   of a process; default 10m
  --seed N         of the orders; default 1

how to judge
  --delta X        slower by at most this is no regression; default 0.02
  --equivalence X  inside of this on both sides is the same; default 0.05
  --strict         undecided rows refuse the change, too (exit 4)
  --exact NAME[=TOLERANCE]
                   this counter, too, must not grow; repeatable
  --accepted FILE  regressions that are known and accepted, until when and why
  --selftest FILE  of `gate selftest`: rows too noisy to gate are told only
  --base-budgets FILE, --head-budgets FILE
                   static budgets of CUDA kernels (tools/budget), to compare
  --today DATE     for what --accepted says; default: the date of the results

where
  -o, --out DIR    results and verdicts; default gate
  --history DIR    append head's times there
  --title TEXT     of the verdict; tells apart several gates of one change
  --resume         go on with the unfinished run of this -o

exit status: 0 no regression; 1 regression; 2 usage; 3 a row missing or in
error, or nothing comparable; 4 undecided, with --strict; 130 interrupted
)"},
    CommandHelp{"gate judge",
                R"(breakeven gate judge - judge results files

usage: breakeven gate judge BASE... --head HEAD... [options]

  BASE...          results to compare with, of any Google Benchmark program: a
                   file a round; or one directory of stored baselines
  --head HEAD...   results to judge; they pair with BASE in the order given
  --delta X, --equivalence X, --strict, --exact NAME[=TOLERANCE],
  --accepted FILE, --selftest FILE, --base-budgets FILE, --head-budgets FILE,
  --today DATE, --history DIR, --title TEXT
                   as in `breakeven gate run`
  --counters-only  exact counters and budgets alone: one round will do, and any
                   machine
  --allow-mismatch compare times of two machines all the same
  -o, --out DIR    verdict.json, verdict.md and junit.xml
  --store DIR      keep HEAD as the baseline of its machine, unless it is
                   refused; without BASE: the first one

exit status: as of `breakeven gate run`; 5 another machine
)"},
    CommandHelp{"gate selftest",
                R"(breakeven gate selftest - what slowdown this machine can see

usage: breakeven gate selftest --bin BIN [options] [-- ARGUMENTS]

  --bin BIN        a Google Benchmark program, measured against itself
  --filter RE      only rows that this matches
  --rounds N       default 20
  --repetitions N, --min-time S, --timeout TIME, --delta X, --seed N
                   as in `breakeven gate run`
  -o, --out FILE   default selftest.json; for `--selftest` of run and judge

exit status: 0; 2 usage; 130 interrupted
)"},
    CommandHelp{"gate history",
                R"(breakeven gate history - at which commits rows changed

usage: breakeven gate history DIR [options]

  DIR              of `--history`
  --row RE         only rows that this matches
  --least X        only changes by this share or more; 0.02 is 2 %
  --json           everything, as JSON

It never refuses a change. exit status: 0; 2 usage
)"},
};

}  // namespace

std::span<const CommandHelp> gate_helps() { return kHelps; }

}  // namespace breakeven
