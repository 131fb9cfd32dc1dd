#include "dom/paint_observer.h"

#include "dom/display_list.h"
#include "dom/event_bus.h"

namespace ww::dom {

namespace {

struct NodeInserted {
  int index;
};

struct PaintRequested {
  DisplayList<double> list;
};

class DirtyArea {
 public:
  WW_NEVER_INLINE void Add(const DisplayList<double>& list) {
    pixels_ = pixels_ + list.Accumulate([](const DisplayItem<double>& item) __attribute__((always_inline)) {
      return ApplyTransform(*item.to_parent, item.bounds).Area();
    });
  }

 private:
  volatile double pixels_ = 0;
};

}  // namespace

WW_NEVER_INLINE void PaintBeforeFirstLayout() {
  DirtyArea dirty;
  EventBus<NodeInserted, PaintRequested> bus;
  bus.Subscribe<PaintRequested>([&dirty](const PaintRequested& request) { dirty.Add(request.list); });
  PaintRequested request;
  request.list.Append({{0, 0, 640, 480}, nullptr});
  bus.Publish(request);
}

}  // namespace ww::dom
