// A named thread that waits for work until the process ends.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace ww {

// Give the calling thread a name (at most 15 bytes) that debuggers and crash reports show.
void SetCurrentThreadName(const std::string& name);

class BackgroundThread {
 public:
  explicit BackgroundThread(std::string name);
  ~BackgroundThread();

 private:
  void WaitForWork();

  std::mutex mutex_;
  std::condition_variable wake_;
  bool started_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ww
