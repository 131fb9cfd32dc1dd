// The user's profile on disk.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

namespace ww::storage {

class SchemaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ProfileDatabase {
 public:
  explicit ProfileDatabase(std::map<std::string, int> tables) : tables_(std::move(tables)) {}

  // The version of one table's schema. Throws SchemaError for a table that does not exist.
  int SchemaVersion(const std::string& table) const;

 private:
  std::map<std::string, int> tables_;
};

// Open a profile written by a newer version; nobody catches the exception.
void OpenDowngradedProfile();

}  // namespace ww::storage
