// Boxes that block layout gives a width.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace ww::layout {

class LayoutBox {
 public:
  LayoutBox(std::string tag, LayoutBox* parent) : tag_(std::move(tag)), parent_(parent) {}

  LayoutBox& AppendChild(std::string tag);
  // Take the box out of the tree, as a script does with removeChild().
  void DetachFromParent() { parent_ = nullptr; }
  void SetWidth(int pixels) { width_ = pixels; }

  // Width in pixels of the area that children may use.
  int ComputeAvailableWidth() const;

 private:
  std::string tag_;
  LayoutBox* parent_;
  int width_ = 0;
  int padding_ = 8;
  std::vector<std::unique_ptr<LayoutBox>> children_;
};

// Lay out a page whose script removed a box between style and layout: reads through a null parent.
void ReflowDetachedBox();

}  // namespace ww::layout
