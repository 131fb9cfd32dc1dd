// Values of style properties, inherited from parent to child.
#pragma once

#include <cstddef>
#include <vector>

namespace ww::style {

struct StyleNode {
  const StyleNode* inherits_from = nullptr;
  int font_size = 0;  // 0: inherit
};

// The font size in pixels that applies to a node.
int ResolveFontSize(const StyleNode& node, std::size_t depth);

// Resolve a style sheet whose rules inherit in a circle: recurses until the stack is used up.
void ResolveCircularInheritance();

// Style 64 nodes on a thread of their own; one of them was never filled in.
void StyleOnWorkerThread();

}  // namespace ww::style
