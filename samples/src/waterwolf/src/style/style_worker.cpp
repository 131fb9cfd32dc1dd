#include <memory>
#include <thread>

#include "base/attributes.h"
#include "base/background_thread.h"
#include "style/cascade.h"

namespace ww::style {

namespace {

class StyleWorker {
 public:
  explicit StyleWorker(std::size_t node_count) : nodes_(node_count) {
    for (std::size_t index = 0; index + 1 < node_count; ++index) {
      nodes_[index] = std::make_unique<StyleNode>(StyleNode{nullptr, 16});
    }
  }

  WW_NEVER_INLINE int StyleSubtree() const {
    int total = 0;
    for (const auto& node : nodes_) {
      total += FontSizeOf(node.get());
    }
    return total;
  }

 private:
  WW_NEVER_INLINE static int FontSizeOf(const StyleNode* node) { return node->font_size; }

  std::vector<std::unique_ptr<StyleNode>> nodes_;
};

}  // namespace

WW_NEVER_INLINE void StyleOnWorkerThread() {
  const StyleWorker worker(64);
  std::thread thread([&worker] {
    SetCurrentThreadName("StyleThread#1");
    volatile int total = worker.StyleSubtree();
    (void)total;
  });
  thread.join();
}

}  // namespace ww::style
