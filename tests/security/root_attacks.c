/* Attacks of native code inside root's process, in a thread that is older than the defence. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int netlink = -1;
static int tasks[2], results[2];

/* The agent's own socket: the last one of netlink that no group was joined on, or a new one. */
int netlink_of(int own) {
  if (!own) return netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  for (int fd = 0; fd < 256; fd++) {
    struct sockaddr_nl name;
    socklen_t length = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) continue;
    if (name.nl_family == AF_NETLINK && name.nl_groups == 0) netlink = fd;
  }
  return netlink;
}

static void add(struct nlmsghdr *message, int type, const void *data, int length) {
  struct rtattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), data, length);
  message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* Whether the kernel acknowledges the change. */
static int changes(struct nlmsghdr *message) {
  struct { struct nlmsghdr head; struct nlmsgerr error; char rest[512]; } answer;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  if (send(netlink, message, message->nlmsg_len, 0) < 0) return 0;
  if (recv(netlink, &answer, sizeof answer, 0) < 0) return 0;
  return answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

static int make_interface(void) {
  struct { struct nlmsghdr head; struct ifinfomsg link; char rest[256]; } message = {0};
  message.head.nlmsg_len = NLMSG_LENGTH(sizeof message.link);
  message.head.nlmsg_type = RTM_NEWLINK;
  add(&message.head, IFLA_IFNAME, "attack0", 8);
  struct rtattr *info = (void *)((char *)&message + NLMSG_ALIGN(message.head.nlmsg_len));
  add(&message.head, IFLA_LINKINFO, "", 0);
  add(&message.head, IFLA_INFO_KIND, "veth", 4);
  info->rta_len = (char *)&message + message.head.nlmsg_len - (char *)info;
  return changes(&message.head);
}

static int add_address(void) {
  struct { struct nlmsghdr head; struct ifaddrmsg address; char rest[64]; } message = {0};
  message.head.nlmsg_len = NLMSG_LENGTH(sizeof message.address);
  message.head.nlmsg_type = RTM_NEWADDR;
  message.address.ifa_family = AF_INET;
  message.address.ifa_prefixlen = 32;
  message.address.ifa_index = 1;
  const unsigned char address[] = {192, 0, 2, 1};
  add(&message.head, IFA_LOCAL, address, 4);
  return changes(&message.head);
}

static int add_rule(void) {
  struct { struct nlmsghdr head; struct fib_rule_hdr rule; char rest[64]; } message = {0};
  message.head.nlmsg_len = NLMSG_LENGTH(sizeof message.rule);
  message.head.nlmsg_type = RTM_NEWRULE;
  message.rule.family = AF_INET;
  message.rule.action = FR_ACT_BLACKHOLE;
  unsigned priority = 4321;
  add(&message.head, FRA_PRIORITY, &priority, 4);
  return changes(&message.head);
}

/* Whether the kernel looks for a classifier of a kind that it has not, which is a question to modprobe. */
static int asks_for_classifier(void) {
  struct { struct nlmsghdr head; struct tcmsg filter; char rest[64]; } message = {0};
  struct { struct nlmsghdr head; struct nlmsgerr error; char rest[512]; } answer;
  message.head.nlmsg_len = NLMSG_LENGTH(sizeof message.filter);
  message.head.nlmsg_type = RTM_GETTFILTER;
  message.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message.filter.tcm_ifindex = 1;
  message.filter.tcm_parent = 0x00010000;
  message.filter.tcm_info = 1 << 16;
  add(&message.head, TCA_KIND, "nosuchkind", 11);
  if (send(netlink, &message, message.head.nlmsg_len, 0) < 0) return 0;
  if (recv(netlink, &answer, sizeof answer, 0) < 0) return 0;
  return answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error != -EPERM;
}

/* Whether the kernel takes the question: for root it then asks modprobe for the module. */
static int asks(unsigned long what) {
  struct ifreq request = {0};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  strcpy(request.ifr_name, "no-such-module");
  int result = ioctl(fd, what, &request);
  int error = errno;
  close(fd);
  int isRoot = geteuid() == 0;
  return result < 0 && error == ENODEV && isRoot;
}

/* Numbers from here on are system calls, whose error is the result. */
#define CALLS 1000

static int make_attack(int number) {
  int fd;
  if (number >= CALLS) return syscall(number - CALLS, 0, 0, 0, 0, 0, 0) == -1 ? errno : 0;
  switch (number) {
    case 0: return syscall(SYS_setresuid, 0, 0, 0) == 0;
    case 1: return (fd = open("/etc/shadow", O_RDONLY)) >= 0 && close(fd) == 0;
    case 2: return asks(SIOCGIFINDEX);
    case 3: return asks(SIOCGIFFLAGS);
    case 4: return (fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)) >= 0 && close(fd) == 0;
    case 5: return make_interface();
    case 6: return add_address();
    case 7: return add_rule();
    case 9: return asks_for_classifier();
    case 8: return kill(getppid(), 0) == 0;
  }
  return -1;
}

static void *run(void *unused) {
  int number;
  while (read(tasks[0], &number, sizeof number) == sizeof number) {
    int result = make_attack(number);
    if (write(results[1], &result, sizeof result) != sizeof result) break;
  }
  return unused;
}

int start_thread(void) {
  pthread_t thread;
  if (pipe(tasks) != 0 || pipe(results) != 0) return -1;
  return pthread_create(&thread, NULL, run, NULL);
}

int attack(int number) {
  int result = -1;
  if (write(tasks[1], &number, sizeof number) != sizeof number) return -1;
  if (read(results[0], &result, sizeof result) != sizeof result) return -1;
  return result;
}

static void *sleep_deaf(void *unused) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  while (1) pause();
  return unused;
}

/* A thread that no signal reaches, so that it keeps its capabilities. */
int start_deaf_thread(void) {
  pthread_t thread;
  return pthread_create(&thread, NULL, sleep_deaf, NULL);
}
