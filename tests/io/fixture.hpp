#pragma once
/// \file fixture.hpp  Files that make_fixtures.py wrote with the real packages, and what reading a file says.
#include <filesystem>
#include <graft/core/error.hpp>
#include <string>

inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(__FILE__).parent_path() / "fixtures" / name;
}
/// The sentence that `f` throws, or nothing.
template <class F>
std::string complaint_of(F&& f) {
  try {
    f();
  } catch (const graft::Error& error) {
    return error.what();
  }
  return "";
}
