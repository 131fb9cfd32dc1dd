#include "base/background_thread.h"

#include <pthread.h>

namespace ww {

void SetCurrentThreadName(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

BackgroundThread::BackgroundThread(std::string name) {
  thread_ = std::thread([this, name = std::move(name)] {
    SetCurrentThreadName(name);
    WaitForWork();
  });
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return started_; });
}

BackgroundThread::~BackgroundThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void BackgroundThread::WaitForWork() {
  std::unique_lock lock(mutex_);
  started_ = true;
  wake_.notify_all();
  wake_.wait(lock, [this] { return stopping_; });
}

}  // namespace ww
