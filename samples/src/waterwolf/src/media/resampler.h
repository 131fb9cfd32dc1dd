// Converts audio from one sample rate to another.
#pragma once

#include <cstdint>

namespace ww::media {

struct AudioFormat {
  std::uint32_t sample_rate = 0;  // per second
  std::uint32_t channels = 0;
};

class Resampler {
 public:
  Resampler(AudioFormat from, AudioFormat to) : from_(from), to_(to) {}

  // How many frames come out for this many frames that go in.
  std::uint64_t OutputFrames(std::uint64_t input_frames) const;

 private:
  AudioFormat from_;
  AudioFormat to_;
};

// Play a stream whose header says 0 samples per second: divides by zero.
void PlayStreamWithoutSampleRate();

}  // namespace ww::media
