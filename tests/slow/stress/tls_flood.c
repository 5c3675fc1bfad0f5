/*
 * A panel of version 1 by HTTPS that answers each report by a flood: tls_flood CERTIFICATE KEY MODE prints its
 * port. MODE is "calm", "records" (a byte each), "updates" (of keys), "mixed" (of both) or "tickets".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX *context;
static const char *mode;
/* A flood goes on for so long; then the answer comes, as to a panel that works. */
static const double FLOOD_SECONDS = 0.9;
/* The runtime's TLS refuses more of them in a row. */
enum { UPDATES_AT_ONCE = 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* Reads a request; 0 at the end. */
static int request(SSL *ssl, char *buffer, int size) {
  int length = 0, count;
  for (;;) {
    if (length >= size - 1 || (count = SSL_read(ssl, buffer + length, size - 1 - length)) <= 0) return 0;
    length += count;
    buffer[length] = 0;
    char *body = strstr(buffer, "\r\n\r\n"), *field = strcasestr(buffer, "content-length:");
    if (body == NULL) continue;
    int bytes = field != NULL && field < body ? atoi(field + 15) : 0;
    if (length - (body + 4 - buffer) >= bytes) return 1;
  }
}

static void *serve(void *argument) {
  int fd = (int)(long)argument, one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  static const char OK[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"success\"}";
  char buffer[1 << 18];
  if (SSL_accept(ssl) == 1) {
    while (request(ssl, buffer, sizeof buffer)) {
      if (strcasestr(buffer, "upgrade: websocket") != NULL) {
        static const char NO[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        SSL_write(ssl, NO, sizeof NO - 1);
        continue;
      }
      int is_report = strstr(buffer, "/report") != NULL;
      if (!is_report || strcmp(mode, "calm") == 0) {
        SSL_write(ssl, OK, sizeof OK - 1);
        continue;
      }
      int rc = 1;
      double end = now() + FLOOD_SECONDS;
      int is_mixed = strcmp(mode, "mixed") == 0;
      if (is_mixed || strcmp(mode, "records") == 0) {
        static const char HEAD[] =
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1020\r\n\r\n"
          "{\"status\":\"success\"}";
        rc = SSL_write(ssl, HEAD, sizeof HEAD - 1);
        for (int i = 0; i < 1000 && rc > 0; i++) {
          rc = SSL_write(ssl, " ", 1);
          for (int k = 0; is_mixed && k < UPDATES_AT_ONCE && rc > 0; k++) {
            SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
            rc = SSL_do_handshake(ssl);
          }
        }
        break;
      }
      while (rc > 0 && now() < end) {
        if (strcmp(mode, "updates") == 0) SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        else SSL_new_session_ticket(ssl);
        rc = SSL_do_handshake(ssl);
      }
      if (rc > 0) SSL_write(ssl, OK, sizeof OK - 1);
    }
  }
  SSL_free(ssl);
  close(fd);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  mode = argv[3];
  signal(SIGPIPE, SIG_IGN);
  context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate_chain_file(context, argv[1]);
  SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 16) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    pthread_t thread;
    pthread_create(&thread, NULL, serve, (void *)(long)fd);
    pthread_detach(thread);
  }
  return 0;
}
