#include "tools/breakeven/commands.h"

int main(int argument_count, char** arguments) {
  return breakeven::breakeven_main(argument_count, arguments);
}
