// Listens to the document and measures what must be painted again.
#pragma once

namespace ww::dom {

// Paint a document before its first layout: reads a null matrix, deep in templates, lambdas and inlined functions.
void PaintBeforeFirstLayout();

}  // namespace ww::dom
