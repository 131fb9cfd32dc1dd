#include "storage/profile_database.h"

#include "base/attributes.h"

namespace ww::storage {

WW_NEVER_INLINE int ProfileDatabase::SchemaVersion(const std::string& table) const {
  const auto found = tables_.find(table);
  if (found == tables_.end()) {
    throw SchemaError("no such table: " + table);
  }
  return found->second;
}

WW_NEVER_INLINE void OpenDowngradedProfile() {
  const ProfileDatabase database({{"history", 12}, {"cookies", 7}});
  if (database.SchemaVersion("history") < database.SchemaVersion("bookmarks")) {
    throw SchemaError("bookmarks are newer than history");
  }
}

}  // namespace ww::storage
