// Events by type: each listener hears one kind of event.
#pragma once

#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/attributes.h"

namespace ww::dom {

template <typename... Events>
class EventBus {
 public:
  template <typename Event, typename Listener>
  void Subscribe(Listener&& listener) {
    std::get<Listeners<Event>>(listeners_).emplace_back(std::forward<Listener>(listener));
  }

  template <typename Event>
  WW_NEVER_INLINE void Publish(const Event& event) const {
    ForEach(std::get<Listeners<Event>>(listeners_), [&event](const auto& listener) { listener(event); });
  }

 private:
  template <typename Event>
  using Listeners = std::vector<std::function<void(const Event&)>>;

  template <typename Sequence, typename Action>
  WW_ALWAYS_INLINE static void ForEach(const Sequence& sequence, Action&& action) {
    for (const auto& element : sequence) {
      action(element);
    }
  }

  std::tuple<Listeners<Events>...> listeners_;
};

}  // namespace ww::dom
