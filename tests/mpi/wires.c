/* Wires of a given rate and delay between the network namespaces of one machine, as if each were a
 * machine of its own on a switch.
 *
 *     wires GBIT_PER_SECOND DELAY_US NAMESPACE...
 *
 * Packets that arrive in a namespace wait in its netfilter queue 0 (iptables -j NFQUEUE), of which this
 * program sees the first bytes alone. A packet takes its time on the sender's wire, then, if others are
 * before it, on the receiver's, and then the delay, after which the kernel is told to let it in. So
 * nothing is copied, and packets of the kernel's, of up to 64 KB, are not cut: their time is that of the
 * frames an Ethernet would carry. Prints "ready", and when it is ended what it has carried. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_NODES 64
#define MOST_WAITING 65536 /* packets of a namespace; a power of two */
#define SEEN 20            /* bytes of a packet: IPv4's header */
#define HEADERS 52         /* bytes of a segment: IPv4, TCP, its time stamps */
#define SEGMENT 1448       /* bytes of data in it, with frames of 1500 */
#define FRAME 38           /* of an Ethernet: preamble, header, checksum, gap */

typedef struct packet {
    uint32_t id; /* network order */
    int64_t release;
} packet;

typedef struct node {
    int queue;
    int64_t out_free, in_free; /* when its wire is, each way; ns */
    uint64_t first, end;       /* of those waiting */
    packet *waiting;
    uint64_t frames, bytes; /* sent */
} node;

static node nodes[MOST_NODES];
static int num_nodes;
static double ns_per_byte;
static int64_t delay;
static volatile sig_atomic_t ended;

static void stop(int number) {
    (void)number;
    ended = 1;
}

static void die(const char *what) {
    fprintf(stderr, "wires: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* -- Messages to and from the kernel --------------------------------------------------------------
 */

enum { ATTRIBUTE = sizeof(struct nlattr) }; /* before its data, which is padded */

static uint32_t padded(size_t size) {
    return (uint32_t)(size + NLA_ALIGNTO - 1) / NLA_ALIGNTO * NLA_ALIGNTO;
}

typedef struct message {
    struct nlmsghdr head;
    struct nfgenmsg queue;
    unsigned char attributes[64];
} message;

static message begin(int kind, int flags) {
    message m = {.head = {.nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | kind),
                          .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                          .nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg))},
                 .queue = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0}};
    return m;
}

static void add(message *m, int kind, const void *data, size_t size) {
    struct nlattr attribute = {(uint16_t)(ATTRIBUTE + size), (uint16_t)kind};
    unsigned char *to = (unsigned char *)m + m->head.nlmsg_len;
    memcpy(to, &attribute, sizeof attribute);
    memcpy(to + ATTRIBUTE, data, size);
    m->head.nlmsg_len += padded(ATTRIBUTE + size);
}

static void ask(int queue, message *m) {
    char bytes[1024];
    if (send(queue, m, m->head.nlmsg_len, 0) < 0)
        die("a request to the kernel");
    ssize_t size = recv(queue, bytes, sizeof bytes, 0);
    struct nlmsghdr head;
    struct nlmsgerr answer;
    if (size < (ssize_t)(sizeof head + sizeof answer))
        die("the kernel's answer");
    memcpy(&head, bytes, sizeof head);
    memcpy(&answer, bytes + NLMSG_HDRLEN, sizeof answer);
    errno = -answer.error;
    if (head.nlmsg_type != NLMSG_ERROR || answer.error != 0)
        die("the kernel's answer");
}

static void open_queue(node *n, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0)
        die(path);
    close(space);
    n->queue = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (n->queue < 0 || bind(n->queue, (struct sockaddr *)&address, sizeof address) != 0)
        die("a netlink socket");
    int room = 16 << 20, one = 1;
    if (setsockopt(n->queue, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
        die("room for packets");
    setsockopt(n->queue, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
    struct nfqnl_msg_config_cmd bound = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
    message m = begin(NFQNL_MSG_CONFIG, NLM_F_ACK);
    add(&m, NFQA_CFG_CMD, &bound, sizeof bound);
    ask(n->queue, &m);
    struct nfqnl_msg_config_params seen = {htonl(SEEN), NFQNL_COPY_PACKET};
    uint32_t most = htonl(MOST_WAITING), whole = htonl(NFQA_CFG_F_GSO);
    m = begin(NFQNL_MSG_CONFIG, NLM_F_ACK);
    add(&m, NFQA_CFG_PARAMS, &seen, sizeof seen);
    add(&m, NFQA_CFG_QUEUE_MAXLEN, &most, sizeof most);
    add(&m, NFQA_CFG_FLAGS, &whole, sizeof whole);
    add(&m, NFQA_CFG_MASK, &whole, sizeof whole);
    ask(n->queue, &m);
    n->waiting = calloc(MOST_WAITING, sizeof *n->waiting);
    if (!n->waiting)
        die("room for packets");
}

/* -- Packets --------------------------------------------------------------------------------------
 */

static int64_t latest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* 10.77.0.1 is the first namespace. */
static void take(node *to, uint32_t id, const unsigned char ip[SEEN], uint32_t size) {
    int sender = ip[15] - 1;
    node *from = sender >= 0 && sender < num_nodes ? &nodes[sender] : to;
    uint32_t data = size > HEADERS ? size - HEADERS : 0;
    uint32_t frames = data > SEGMENT ? (data + SEGMENT - 1) / SEGMENT : 1;
    uint32_t bytes = size + (frames - 1) * HEADERS + frames * FRAME;
    int64_t takes = (int64_t)(ns_per_byte * bytes);
    from->out_free = latest(now(), from->out_free) + takes;
    to->in_free = latest(from->out_free, to->in_free + takes);
    from->frames += frames;
    from->bytes += bytes;
    to->waiting[to->end++ % MOST_WAITING] = (packet){id, to->in_free + delay};
}

static void read_packet(node *to, const unsigned char *at, const unsigned char *end) {
    uint32_t id = 0, size = 0;
    const unsigned char *ip = NULL;
    at += NLMSG_ALIGN(sizeof(struct nfgenmsg));
    for (struct nlattr attribute; at + ATTRIBUTE <= end; at += padded(attribute.nla_len)) {
        memcpy(&attribute, at, sizeof attribute);
        if (attribute.nla_len < ATTRIBUTE)
            break;
        const unsigned char *data = at + ATTRIBUTE;
        int kind = attribute.nla_type & NLA_TYPE_MASK;
        if (kind == NFQA_PACKET_HDR)
            memcpy(&id, data, sizeof id);
        if (kind == NFQA_CAP_LEN)
            memcpy(&size, data, sizeof size);
        if (kind == NFQA_PAYLOAD && attribute.nla_len >= ATTRIBUTE + SEEN)
            ip = data;
    }
    static const unsigned char unknown[SEEN];
    take(to, id, ip ? ip : unknown, ntohl(size));
}

static void read_packets(node *to) {
    static unsigned char bytes[1 << 16] __attribute__((aligned(8)));
    for (ssize_t size; (size = recv(to->queue, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
        struct nlmsghdr head;
        for (unsigned char *at = bytes; at + sizeof head <= bytes + size;
             at += NLMSG_ALIGN(head.nlmsg_len)) {
            memcpy(&head, at, sizeof head);
            if (head.nlmsg_len < sizeof head)
                break;
            if (head.nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
                read_packet(to, at + NLMSG_HDRLEN, at + head.nlmsg_len);
        }
    }
}

/* Lets in all whose time has come. */
static void release(node *to) {
    uint64_t first = to->first;
    for (int64_t time = now(); first < to->end; first++)
        if (to->waiting[first % MOST_WAITING].release > time)
            break;
    if (first == to->first)
        return;
    struct nfqnl_msg_verdict_hdr verdict = {htonl(NF_ACCEPT),
                                            to->waiting[(first - 1) % MOST_WAITING].id};
    message m = begin(NFQNL_MSG_VERDICT_BATCH, 0);
    add(&m, NFQA_VERDICT_HDR, &verdict, sizeof verdict);
    if (send(to->queue, &m, m.head.nlmsg_len, 0) < 0)
        die("a packet let in");
    to->first = first;
}

/* Until the next is due, or one comes. */
static void wait_for_more(void) {
    struct pollfd files[MOST_NODES];
    int64_t due = INT64_MAX;
    for (int i = 0; i < num_nodes; i++) {
        files[i] = (struct pollfd){.fd = nodes[i].queue, .events = POLLIN};
        if (nodes[i].first < nodes[i].end) {
            int64_t release = nodes[i].waiting[nodes[i].first % MOST_WAITING].release;
            due = release < due ? release : due;
        }
    }
    int64_t rest = due == INT64_MAX ? 1000000000 : latest(due - now(), 0);
    struct timespec time = {rest / 1000000000, rest % 1000000000};
    ppoll(files, (nfds_t)num_nodes, &time, NULL);
}

static void report(char **names) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    for (int i = 0; i < num_nodes; i++)
        printf("%s sent %llu frames, %llu bytes of an Ethernet's\n", names[i],
               (unsigned long long)nodes[i].frames, (unsigned long long)nodes[i].bytes);
    printf("processor: %.3f s\n",
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
}

int main(int argc, char **argv) {
    num_nodes = argc - 3;
    if (num_nodes < 1 || num_nodes > MOST_NODES || atof(argv[1]) <= 0) {
        fputs("wires GBIT_PER_SECOND DELAY_US NAMESPACE...\n", stderr);
        return 2;
    }
    ns_per_byte = 8 / atof(argv[1]);
    delay = (int64_t)(1e3 * atof(argv[2]));
    for (int i = 0; i < num_nodes; i++)
        open_queue(&nodes[i], argv[3 + i]);
    /* Before what computes. */
    struct sched_param first = {.sched_priority = 10};
    if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
        perror("wires: no priority");
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    puts("ready");
    fflush(stdout);
    while (!ended) {
        for (int i = 0; i < num_nodes; i++)
            read_packets(&nodes[i]);
        for (int i = 0; i < num_nodes; i++)
            release(&nodes[i]);
        wait_for_more();
    }
    report(argv + 3);
    return 0;
}
