#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>

// CHECK(condition) and CHECK_NEAR(a, b, tolerance) report the line and let the test go on; `return check_result();`
// ends main.
inline int& check_failures() {
  static int failures = 0;
  return failures;
}

inline void check_failed(const char* file, int line, const char* text) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, text);
  if (++check_failures() >= 50) {
    std::fprintf(stderr, "too many failures\n");
    std::exit(1);
  }
}

inline int check_result() {
  if (check_failures() > 0) std::fprintf(stderr, "%d checks failed\n", check_failures());
  return check_failures() == 0 ? 0 : 1;
}

#define CHECK(...)                                                      \
  do {                                                                  \
    if (!(__VA_ARGS__)) check_failed(__FILE__, __LINE__, #__VA_ARGS__); \
  } while (false)

#define CHECK_NEAR(a, b, tolerance)                                  \
  do {                                                               \
    const double check_a = (a);                                      \
    const double check_b = (b);                                      \
    if (!(std::fabs(check_a - check_b) <= (tolerance))) {            \
      std::fprintf(stderr, "%.9g against %.9g\n", check_a, check_b); \
      check_failed(__FILE__, __LINE__, #a " near " #b);              \
    }                                                                \
  } while (false)

// Runs the expression and checks that it throws an exception of this type.
#define CHECK_THROWS(expression, type)                                                 \
  do {                                                                                 \
    bool check_thrown = false;                                                         \
    try {                                                                              \
      (void)(expression);                                                              \
    } catch (const type&) {                                                            \
      check_thrown = true;                                                             \
    }                                                                                  \
    if (!check_thrown) check_failed(__FILE__, __LINE__, #expression " throws " #type); \
  } while (false)
