#include "tools/breakeven/help.h"

#include <array>

#include "tools/breakeven/help_gate.h"

namespace breakeven {
namespace {

constexpr std::array kHelps = {
    CommandHelp{"run", R"(breakeven run - measure, in rounds of fresh worker processes

usage: breakeven run [options]

what to measure
  --suite NAME     rows of a suite: quick (3 minutes; the default), standard
                   (up to an hour), full, or convergence (15 minutes: trains
                   models to a target)
  --filter RE      only cases whose name matches this regular expression
                   (ECMAScript, anywhere in the name); without --suite, out of
                   all cases, in the rounds of the quick suite
  --shapes FILE    also shapes of your own (reference/shapes/README.md says how
                   to write them); without --suite, only these; repeatable. A
                   bad entry is refused with a line, the others are measured

how
  --threads N      CPU threads of rows that don't name their own; default: all
                   that this process may use
  --rounds N       exactly N rounds instead of the suite's
  --budget TIME    end after the case that then runs: 90s, 5m, 1h30m; the rest
                   is left to --resume
  --seed N         of the order of cases; default 1
  --case-timeout TIME
                   end a worker that has no result for a case by then, and go
                   on with the others; default 120s, or the suite's

where
  --out FILE       results as JSON; default results.json. Until they are
                   complete, FILE.journal.ndjson holds every finished case
  --resume         go on with the unfinished run of this --out; what is left out
                   on the command line is taken from it. Without --resume an
                   unfinished run's journal is kept as FILE.journal.ndjson.old

exit status: 0; 1 a wrong answer, a failed case or a refused shape; 2 usage, or
nothing to measure; 130 interrupted
)"},
    CommandHelp{"verify",
                R"(breakeven verify - check every case once against the reference, without timing

usage: breakeven verify [options]

  --filter RE      only cases whose name matches this regular expression
  --shapes FILE    only shapes of your own; repeatable
  --threads N      CPU threads of rows that don't name their own
  --case-timeout TIME
                   end a worker that has no result for a case by then;
                   default 120s

exit status: 0 all right; 1 a wrong answer, a failed case or a refused shape;
2 usage, or nothing to check; 130 interrupted
)"},
    CommandHelp{"list", R"(breakeven list - the cases here, and why the absent ones are absent

usage: breakeven list [options]

  --filter RE      only cases whose name matches this regular expression
  --shapes FILE    only shapes of your own; repeatable
  --cases          the full name of every case that can run here, one a line
  --json           everything, as JSON

exit status: 0; 1 a refused shape; 2 usage, or a filter that matches nothing
)"},
    CommandHelp{"doctor",
                R"(breakeven doctor - what on this machine will spoil the numbers, and the remedies

usage: breakeven doctor [--json]

exit status: 0 nothing; 1 findings; 2 usage
)"},
    CommandHelp{"peak", R"(breakeven peak - measured ceilings: arithmetic and memory bandwidth

usage: breakeven peak [--json]

exit status: 0; 1 a row failed; 2 usage; 130 interrupted
)"},
    CommandHelp{"report", R"(breakeven report - results as a page, as Markdown, as charts

usage: breakeven report FILE... [-o FILE] [--markdown FILE] [--charts DIR]
                        [--prices FILE] [--across-machines]
       breakeven report [FILE...] --verdict FILE [--history PLACE...]

  FILE...            results of `breakeven run`, or of any Google Benchmark
                     program; of any number of machines
  -o, --out FILE     one HTML file that needs no network; default report.html
  --markdown FILE    a summary for pull requests and terminals
  --charts DIR       every chart as an SVG file
  --prices FILE      what an hour of a device costs (docs/results.md says how to
                     write it): adds the cost of training steps and calls
  --verdict FILE     the verdict.json of `breakeven gate`: rows that changed,
                     with their intervals; it needs no results beside it
  --history PLACE... what `gate run --history` wrote, a directory or files of
                     it: each row's times over commits, and where they changed
  --across-machines  ratios across machines beside the times of each machine;
                     never part of the answer, of means or of claims

exit status: 0; 2 usage, or a file that can't be read or written
)"},
    CommandHelp{"record", R"(breakeven record - keep a machine's results in the repository

usage: breakeven record FILE [--to DIR]
       breakeven record --check [--to DIR]

  FILE             results of `breakeven run`, by a build without uncommitted
                   changes, no case of which failed or is unchecked. What says
                   whose machine it was (host, paths) is left out
  --to DIR         where they are kept; default reports/recorded
  --check          whether all that is kept there is valid and complete

exit status: 0; 1 --check found something; 2 usage, or results that can't be
recorded
)"},
};

constexpr std::string_view kOverview =
    R"(breakeven - from what size, batch or precision on is the GPU worth it?

usage: breakeven COMMAND [options]

commands
  run       measure, in rounds of fresh worker processes; --resume goes on
  verify    check every case once against the reference, without timing
  list      the cases here, and why the absent ones are absent
  doctor    what on this machine will spoil the numbers, and the remedies
  peak      measured ceilings: arithmetic and memory bandwidth
  report    results as a page, as Markdown, as charts
  record    keep a machine's results in the repository
  gate      did this change make anything slower? For CI

  breakeven COMMAND --help   the options of a command
  breakeven --version

environment
  BREAKEVEN_BENCH            the worker, if it does not lie beside this program

exit status: 0 fine; 1 a failed case or a finding; 2 usage; 130 interrupted
)";

}  // namespace

std::span<const CommandHelp> command_helps() { return kHelps; }

std::string_view overview() { return kOverview; }

std::string_view help_of(std::string_view command) {
  for (const CommandHelp& help : kHelps) {
    if (help.name == command) return help.text;
  }
  for (const CommandHelp& help : gate_helps()) {
    if (help.name == command) return help.text;
  }
  return kOverview;
}

}  // namespace breakeven
