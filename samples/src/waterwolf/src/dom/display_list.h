// What is to be painted: items, each in a coordinate system of its own.
#pragma once

#include <array>
#include <numeric>
#include <vector>

#include "base/attributes.h"

namespace ww::dom {

template <typename Number>
struct Rect {
  Number x{}, y{}, width{}, height{};

  WW_ALWAYS_INLINE Number Area() const { return width * height; }
};

template <typename Number, std::size_t Size>
class Matrix {
 public:
  WW_ALWAYS_INLINE const Number& At(std::size_t row, std::size_t column) const {
    return cells_[row * Size + column];
  }

 private:
  std::array<Number, Size * Size> cells_{};
};

template <typename Number>
struct DisplayItem {
  Rect<Number> bounds;
  const Matrix<Number, 3>* to_parent = nullptr;  // null before the first layout
};

template <typename Number>
WW_ALWAYS_INLINE Rect<Number> ApplyTransform(const Matrix<Number, 3>& matrix, const Rect<Number>& rect) {
  return {rect.x + matrix.At(0, 2), rect.y + matrix.At(1, 2), rect.width * matrix.At(0, 0),
          rect.height * matrix.At(1, 1)};
}

template <typename Number>
class DisplayList {
 public:
  void Append(DisplayItem<Number> item) { items_.push_back(item); }

  // The sum of what `measure` says of every item.
  template <typename Measure>
  WW_NEVER_INLINE Number Accumulate(Measure measure) const {
    return std::accumulate(items_.begin(), items_.end(), Number{},
                           [&measure](Number sum, const DisplayItem<Number>& item)
                               __attribute__((always_inline)) { return sum + measure(item); });
  }

 private:
  std::vector<DisplayItem<Number>> items_;
};

}  // namespace ww::dom
