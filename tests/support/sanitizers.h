/* support/sanitizers.h - whether this is compiled with one, which GCC says by a macro and Clang by a
 * feature. */
#ifndef DLZ_TESTS_SANITIZERS_H
#define DLZ_TESTS_SANITIZERS_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(WITH_ADDRESS_SANITIZER)
#define WITH_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WITH_THREAD_SANITIZER)
#define WITH_THREAD_SANITIZER 1
#endif

#ifndef WITH_ADDRESS_SANITIZER
#define WITH_ADDRESS_SANITIZER 0
#endif
#ifndef WITH_THREAD_SANITIZER
#define WITH_THREAD_SANITIZER 0
#endif

#endif
