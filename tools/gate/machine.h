// Which machine a results file is of: times of two machines are never compared by themselves.
#pragma once

#include <map>
#include <string>

namespace breakeven::gate {

using Facts = std::map<std::string, std::string>;

/// hardware_facts() of a results file's context.
Facts machine_facts(const Facts& context);

/// 16 hexadecimal digits of machine_facts(); "" where there is none.
std::string fingerprint(const Facts& machine);

/// The facts that both have and that differ, as `cpu.model: A / B; …`; "" where nothing differs.
std::string machine_difference(const Facts& base, const Facts& head);

/// What `gate run` adds to the context of a program that says nothing of its machine: cpu.model, as
/// far as the system tells.
Facts this_machine();

}  // namespace breakeven::gate
