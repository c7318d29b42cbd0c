#include "tools/gate/fuzz/fuzz.h"
#include "tools/gate/program.h"

namespace breakeven::gate::fuzz {

void fuzz_program_output(std::string_view input) {
  ProgramRun run;
  if (!reads([&] { run = parse_program_output(std::string(input), "program"); })) return;
  require(run.context.is_object(), "a context that is no object");
  require(run.trouble.empty() && !run.interrupted, "trouble out of text");
  for (const nlohmann::json& row : run.rows) {
    require(row.is_object(), "a row that is no object");
    const auto type = row.find("run_type");
    require(type == row.end() || !type->is_string() || type->get<std::string>() != "aggregate",
            "an aggregate");
    // Its identity, as `gate run` asks for it.
    const auto name = row.find(row.contains("run_name") ? "run_name" : "name");
    require(name != row.end() && name->is_string(), "a row without a name");
    require_json(row.dump(), "a row");
  }
}

}  // namespace breakeven::gate::fuzz
