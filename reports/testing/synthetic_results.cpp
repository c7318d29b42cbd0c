// Writes the invented results of reports/synthetic.h as results JSON, for tests of what reads
// files.

#include <cstdio>
#include <string>

#include "reports/synthetic.h"

int main(int argc, char** argv) {
  const std::string kind = argc == 2 ? argv[1] : "";
  breakeven::SyntheticRun run;
  if (kind == "cpu") {
    run = breakeven::synthetic_cpu_run();
  } else if (kind == "gpu") {
    run = breakeven::synthetic_gpu_run();
  } else if (kind == "training") {
    run = breakeven::synthetic_training_run();
  } else {
    std::fputs("usage: synthetic_results cpu|gpu|training\n", stderr);
    return 2;
  }
  std::puts(run.text().c_str());
}
