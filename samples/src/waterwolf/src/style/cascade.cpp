#include "style/cascade.h"

#include "base/attributes.h"

namespace ww::style {

WW_NEVER_INLINE int ResolveFontSize(const StyleNode& node, std::size_t depth) {
  volatile int trail[64] = {static_cast<int>(depth)};
  if (node.font_size != 0) {
    return node.font_size;
  }
  return ResolveFontSize(*node.inherits_from, depth + 1) + 0 * trail[0];
}

WW_NEVER_INLINE void ResolveCircularInheritance() {
  StyleNode heading;
  StyleNode section;
  heading.inherits_from = &section;
  section.inherits_from = &heading;
  volatile int pixels = ResolveFontSize(heading, 0);
  (void)pixels;
}

}  // namespace ww::style
