#include "gfx/surface.h"

#include "base/attributes.h"

namespace ww::gfx {

Surface::Surface(std::size_t width, std::size_t height)
    : width_(width), storage_(width * height), pixels_(storage_.data()) {}

void Surface::Remap(std::uintptr_t address) { pixels_ = reinterpret_cast<Pixel*>(address); }

WW_NEVER_INLINE void Surface::FillRow(std::size_t row, Pixel colour) {
  Pixel* const first = pixels_ + row * width_;
  for (std::size_t column = 0; column < width_; ++column) {
    first[column] = colour;
  }
}

WW_NEVER_INLINE void PaintAfterDriverReset() {
  constexpr std::uintptr_t kStaleMapping = 0x4e5f'0badc000;
  Surface surface(64, 64);
  surface.Remap(kStaleMapping);
  for (std::size_t row = 0; row < 64; ++row) {
    surface.FillRow(row, 0xff336699);
  }
}

}  // namespace ww::gfx
