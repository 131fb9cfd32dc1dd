#include "ipc/channel.h"

#include "base/assertions.h"
#include "base/attributes.h"

namespace ww::ipc {

WW_NEVER_INLINE void Channel::Send(const std::vector<std::uint8_t>& message) {
  WW_RELEASE_ASSERT(open_, "message sent on a closed channel");
  bytes_sent_ += message.size();
}

WW_NEVER_INLINE void SendAfterClose() {
  Channel channel("gpu");
  channel.Send({1, 2, 3});
  channel.Close();
  channel.Send({4, 5, 6});
}

}  // namespace ww::ipc
