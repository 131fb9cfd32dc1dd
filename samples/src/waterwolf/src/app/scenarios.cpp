#include "app/scenarios.h"

#include <array>
#include <utility>

#include "base/attributes.h"
#include "dom/paint_observer.h"
#include "gfx/surface.h"
#include "ipc/channel.h"
#include "layout/layout_box.h"
#include "media/resampler.h"
#include "storage/profile_database.h"
#include "style/cascade.h"

namespace ww::app {

namespace {

using Scenario = std::pair<std::string_view, void (*)()>;

constexpr std::array<Scenario, 8> kScenarios{{
    {"null-read", layout::ReflowDetachedBox},
    {"wild-write", gfx::PaintAfterDriverReset},
    {"abort", ipc::SendAfterClose},
    {"uncaught-exception", storage::OpenDowngradedProfile},
    {"stack-overflow", style::ResolveCircularInheritance},
    {"division-by-zero", media::PlayStreamWithoutSampleRate},
    {"inlined-templates", dom::PaintBeforeFirstLayout},
    {"second-thread", style::StyleOnWorkerThread},
}};

}  // namespace

WW_NEVER_INLINE bool RunScenario(std::string_view name) {
  for (const auto& [known, run] : kScenarios) {
    if (known == name) {
      run();
      return true;
    }
  }
  return false;
}

}  // namespace ww::app
