#include "media/resampler.h"

#include "base/attributes.h"

namespace ww::media {

WW_NEVER_INLINE std::uint64_t Resampler::OutputFrames(std::uint64_t input_frames) const {
  return input_frames * to_.sample_rate / from_.sample_rate;
}

namespace {

WW_NEVER_INLINE AudioFormat ReadStreamHeader() {
  volatile std::uint32_t sample_rate_in_header = 0;
  return {sample_rate_in_header, 2};
}

}  // namespace

WW_NEVER_INLINE void PlayStreamWithoutSampleRate() {
  const Resampler resampler(ReadStreamHeader(), {48000, 2});
  volatile std::uint64_t frames = resampler.OutputFrames(1024);
  (void)frames;
}

}  // namespace ww::media
