/* What another process of a user's can do to the process PID: prints the name of each attack that succeeds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

int main(int argc, char **argv) {
  int pid = argc > 1 ? atoi(argv[1]) : 0;
  char path[64];
  if (pid <= 1) return 2;
  int process = syscall(SYS_pidfd_open, pid, 0);
  if (syscall(SYS_pidfd_getfd, process, 1, 0) >= 0) puts("take a descriptor");
  snprintf(path, sizeof path, "/proc/%d/fd/1", pid);
  char target[64];
  if (readlink(path, target, sizeof target) > 0) puts("see a descriptor");
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  if (open(path, O_RDWR) >= 0) puts("open the memory");
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
    puts("trace");
    ptrace(PTRACE_DETACH, pid, 0, 0);
  }
  if (kill(pid, SIGSTOP) == 0) {
    puts("stop");
    kill(pid, SIGCONT);
  }
  return 0;
}
