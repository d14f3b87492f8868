#pragma once
/// \file catch.hpp  Catch2, version 3 or 2, under the names that both have.
#ifdef GRAFT_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
