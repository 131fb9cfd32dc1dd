// The ways in which this browser can crash.
#pragma once

#include <string_view>

namespace ww::app {

// Run one scenario by name. Returns false for a name that is not known, true when the process survived.
bool RunScenario(std::string_view name);

}  // namespace ww::app
