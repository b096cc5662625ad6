/* Answers for /sys/devices/system/cpu/possible and present where Lambda's arm64 has no /sys.
 *
 * LiteRT asks cpuinfo for the processor before it makes its XNNPACK delegate. On arm64 cpuinfo reads the two lists
 * first and gives up without them; LiteRT then runs without XNNPACK and says nothing. With the lists cpuinfo is
 * content: it takes the features from /proc/cpuinfo and getauxval, and of what else it reads below /sys (kernel_max,
 * cpufreq, topology) it does without.
 * Sources: pytorch/cpuinfo issues 76 and 143, src/linux/processors.c, src/linux/cpulist.c and src/arm/linux/init.c.
 *
 * This library is loaded before the C library (LD_PRELOAD), so that its `open` is the one that cpuinfo calls. It opens
 * what there is, and answers only if one of these two files cannot be opened for reading.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

/* The highest number of a processor that this process may run on, from 0; -1 if the kernel does not say. */
static int last_processor(void) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed)) return -1;
  int last = CPU_SETSIZE - 1;
  while (last >= 0 && !CPU_ISSET(last, &allowed)) last--;
  return last;
}

/* A file in memory with "0-1\n", the kernel's form of a list of processors; -1 if it cannot be made.
 * Source: Linux kernel documentation, "How CPU topology info is exported via sysfs". */
static int list_of_processors(int flags) {
  int last = last_processor();
  int file = last < 0 ? -1 : memfd_create("cpulist", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
  if (file < 0) return -1;
  if (dprintf(file, last ? "0-%d\n" : "%d\n", last) < 0 || lseek(file, 0, SEEK_SET) < 0) {
    close(file);
    return -1;
  }
  return file;
}

static int is_list(const char *path) {
  return !strcmp(path, "/sys/devices/system/cpu/possible") || !strcmp(path, "/sys/devices/system/cpu/present");
}

/* As the C library's own, which is this call of openat (glibc, sysdeps/unix/sysv/linux/open64.c). */
int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  int file = openat(AT_FDCWD, path, flags, mode);
  int answered_here = file < 0 && (flags & O_ACCMODE) == O_RDONLY && is_list(path);
  return answered_here ? list_of_processors(flags) : file;
}

/* The same where a file's offset has 64 bits anyway, as on arm64 and x86_64. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
