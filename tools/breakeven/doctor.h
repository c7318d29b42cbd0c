// What on this machine will spoil the numbers, each with its remedy.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace breakeven {

struct Finding {
  std::string id;       ///< "governor"
  bool harmful = true;  ///< false: worth knowing, but it spoils nothing
  std::string what;     ///< one line, no full stop
  std::string remedy;   ///< one line, or ""
};

/// What doctor looks at.
struct Patient {
  std::filesystem::path root = "/";                     ///< above proc and sys
  nlohmann::json facts = nlohmann::json::object();      ///< of the worker and of every open module
  std::map<std::string, std::string> unavailable_gpus;  ///< GPU module -> why it can't be opened
  std::map<std::string, std::string> environment;       ///< variables that matter
  std::function<void()> wait;  ///< lets time pass between two looks at counters of CPU time
};

/// The variables that Patient::environment should hold where they are set.
inline constexpr const char* kWatchedVariables[] = {"OMP_PROC_BIND",        "OMP_NUM_THREADS",
                                                    "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE",
                                                    "DNNL_MAX_CPU_ISA",     "ONEDNN_MAX_CPU_ISA"};

/// Harmful findings first. What can't be read is not found fault with.
std::vector<Finding> examine(const Patient& patient);

}  // namespace breakeven
