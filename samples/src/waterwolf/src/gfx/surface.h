// A rectangle of pixels that the compositor paints into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ww::gfx {

using Pixel = std::uint32_t;

class Surface {
 public:
  Surface(std::size_t width, std::size_t height);

  // The driver moved the surface: from now on its pixels lie at this address.
  void Remap(std::uintptr_t address);
  void FillRow(std::size_t row, Pixel colour);

 private:
  std::size_t width_;
  std::vector<Pixel> storage_;
  Pixel* pixels_;
};

// Paint after a driver reset left a stale mapping behind: writes to memory that nobody owns.
void PaintAfterDriverReset();

}  // namespace ww::gfx
