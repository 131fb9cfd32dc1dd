#include "layout/layout_box.h"

#include "base/attributes.h"

namespace ww::layout {

LayoutBox& LayoutBox::AppendChild(std::string tag) {
  children_.push_back(std::make_unique<LayoutBox>(std::move(tag), this));
  return *children_.back();
}

WW_NEVER_INLINE int LayoutBox::ComputeAvailableWidth() const {
  return parent_->width_ - 2 * padding_;
}

namespace {

WW_NEVER_INLINE int ReflowBlock(const LayoutBox& box) {
  const int available = box.ComputeAvailableWidth();
  return available > 0 ? available : 0;
}

}  // namespace

WW_NEVER_INLINE void ReflowDetachedBox() {
  LayoutBox root("html", nullptr);
  root.SetWidth(1280);
  LayoutBox& article = root.AppendChild("article");
  article.DetachFromParent();
  article.SetWidth(ReflowBlock(article));
}

}  // namespace ww::layout
