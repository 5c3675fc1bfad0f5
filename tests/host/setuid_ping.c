// As inetutils' ping: setuid root, and its caller again before it reads what a target sends. It tells
// what it could do by then: its capabilities, a raw socket, and the file that the starter left open.
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  int before = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  char line[256];
  if (setuid(getuid()) != 0) return 1;
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status)) {
    if (!strncmp(line, "CapPrm:", 7)) printf("%.16s ", line + 8);
  }
  char byte;
  printf("%s %s\n", before >= 0 ? "pings" : "deaf", read(9, &byte, 1) == 1 ? "reads" : "blind");
  return 0;
}
