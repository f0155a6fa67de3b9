/* check.h - cmocka with its prerequisites, and a shorthand for tables of cases: CHECK_STR names the case that failed. */
#ifndef PV_TEST_CHECK_H
#define PV_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the four above */
#include <cmocka.h>

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			print_error("%s:%d: %s: ", __FILE__, __LINE__, #cond);                     \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want, ...)                                                                  \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (!got_ || !want_ ? got_ != want_ : strcmp(got_, want_) != 0) {                  \
			print_error("%s:%d: got `%s`, want `%s`: ", __FILE__, __LINE__,            \
				    got_ ? got_ : "(null)", want_ ? want_ : "(null)");             \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

#endif
