#include "tools/gate/history.h"
#include "tools/gate/history_command.h"
namespace breakeven::gate {
int history_command(const HistoryOptions&) { return 0; }
void append_history(const std::filesystem::path&, const HistoryEntry&) {}
}
