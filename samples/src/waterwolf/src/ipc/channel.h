// Messages between the browser's processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ww::ipc {

class Channel {
 public:
  explicit Channel(std::string peer) : peer_(std::move(peer)) {}

  void Close() { open_ = false; }
  void Send(const std::vector<std::uint8_t>& message);

 private:
  std::string peer_;
  bool open_ = true;
  std::size_t bytes_sent_ = 0;
};

// Send a message to a process that has gone: a release assertion fails and aborts.
void SendAfterClose();

}  // namespace ww::ipc
