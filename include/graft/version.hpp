#pragma once
/// \file version.hpp  The library's version.  Semantic versioning; before 1.0 a minor release may break the interface.
#define GRAFT_VERSION_MAJOR 0
#define GRAFT_VERSION_MINOR 1
#define GRAFT_VERSION_PATCH 0
#define GRAFT_VERSION_STRING "0.1.0"
