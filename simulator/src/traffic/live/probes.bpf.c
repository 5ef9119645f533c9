/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/*
 * What the processes of one cgroup do on the network, as they do it.
 *
 * The probes only look and keep no state: which packet belongs to which flow is decided in tracker.rs, where it can be tested.
 * One ring buffer for all CPUs keeps the true order. What does not fit is counted, and the count is read at the end.
 *
 * The few helpers are declared here, so that this builds with clang and linux-libc-dev alone.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

#define NAMES 32    /* parts of a path, at most */
#define NAME 64     /* bytes of each, with the terminating zero */
#define HEADERS 128 /* the longest IPv4 or IPv6 header with a TCP header behind it is 120 bytes */

static void *(*const map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static void *(*const ringbuf_reserve)(void *ring, __u64 size, __u64 flags) = (void *)BPF_FUNC_ringbuf_reserve;
static void (*const ringbuf_submit)(void *record, __u64 flags) = (void *)BPF_FUNC_ringbuf_submit;
static __u64 (*const get_current_pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static __u64 (*const ktime_get_boot_ns)(void) = (void *)BPF_FUNC_ktime_get_boot_ns;
static __u64 (*const get_socket_cookie)(void *context) = (void *)BPF_FUNC_get_socket_cookie;
static long (*const skb_load_bytes)(const void *skb, __u32 offset, void *to, __u32 length) = (void *)BPF_FUNC_skb_load_bytes;
static __u64 (*const get_current_task)(void) = (void *)BPF_FUNC_get_current_task;
static __u64 (*const get_current_cgroup_id)(void) = (void *)BPF_FUNC_get_current_cgroup_id;
static long (*const probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static long (*const probe_read_kernel_str)(void *to, __u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel_str;
static long (*const sock_ops_cb_flags_set)(struct bpf_sock_ops *socket, int flags) = (void *)BPF_FUNC_sock_ops_cb_flags_set;

/*
 * What leads from a task to the path of its program, its beginning and its parent. Only the names count: the loader puts in the
 * offsets of the running kernel.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr { const unsigned char *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; };
struct mm_struct { struct file *exe_file; };
struct atomic { int counter; };
struct signal_struct { struct atomic live; };
struct task_struct {
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	__u64 start_boottime;
	int tgid;
};
#pragma clang attribute pop

/* Shared with wire.rs: numbers and layout. Each has at its third place when it was made, in nanoseconds since the machine booted. */
enum kind {
	CREATED = 1, RELEASED = 2, CONNECTING = 3, ACCEPTED = 4, CLOSED = 5, OUTBOUND = 6, INBOUND = 7, BEGUN = 8, EXITED = 9
};

struct socket_record {
	__u32 kind;
	__u32 family;
	__u64 at;
	__u64 cookie;
	__u32 local_port;  /* host order */
	__u32 remote_port; /* as sock_ops has it: network order, in a 32-bit word */
	__u32 local4;      /* addresses in network order; the family says which pair holds */
	__u32 remote4;
	__u32 local6[4];
	__u32 remote6[4];
};

struct process_record { /* CREATED, BEGUN */
	__u32 kind;
	__u32 pid;
	__u64 at;
	__u64 cookie;  /* of the socket; 0 if it is not about one */
	__u64 started; /* in nanoseconds since the machine booted */
	__u32 parent;
	__u32 depth;   /* how many names the path of the program file has; 0 if it was not followed to the root */
	char names[NAMES][NAME]; /* from the last to the first; one is empty where a file system is mounted */
};

struct exited_record {
	__u32 kind;
	__u32 pid;
	__u64 at;
	__u64 started;
};

struct packet_record {
	__u32 kind;
	__u32 length;      /* from the IP header to the end; can be 64 KiB and more, because of segmentation offload */
	__u64 at;
	__u64 cookie;
	__u32 captured;
	__u8 headers[HEADERS];
};

struct {
	int (*type)[BPF_MAP_TYPE_RINGBUF];
	int (*max_entries)[32 * 1024 * 1024]; /* 200,000 packets */
} records SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	__u64 *value;
} lost SEC(".maps");

/* The id of the cgroup; the loader puts it in. Sockets and packets need it not: their probes are attached to the cgroup itself. */
const volatile __u64 watched;

static __attribute__((always_inline)) void count_lost(void)
{
	__u32 zero = 0;
	__u64 *count = map_lookup_elem(&lost, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __attribute__((always_inline)) struct socket_record *new_record(void *context, __u32 kind)
{
	struct socket_record *record = ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		count_lost();
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = kind;
	record->at = ktime_get_boot_ns();
	record->cookie = get_socket_cookie(context);
	return record;
}

/* From the program file up to the root. User space could ask /proc, but a short-lived process would often be gone by then. */
static __attribute__((always_inline)) void read_path(struct process_record *record)
{
	struct task_struct *task = (void *)get_current_task();
	struct mm_struct *mm = 0;
	struct file *file = 0;
	struct vfsmount *mounted = 0;
	struct mount *mount;
	struct dentry *dentry = 0;
	__u32 step;

	probe_read_kernel(&mm, sizeof(mm), &task->mm);
	probe_read_kernel(&file, sizeof(file), &mm->exe_file);
	probe_read_kernel(&mounted, sizeof(mounted), &file->f_path.mnt);
	probe_read_kernel(&dentry, sizeof(dentry), &file->f_path.dentry);
	mount = (void *)mounted - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);

	for (step = 0; step < NAMES; step++) {
		struct dentry *root = 0;
		const unsigned char *name = 0;

		probe_read_kernel(&root, sizeof(root), &mount->mnt.mnt_root);
		if (!root)
			return;
		if (dentry != root) {
			probe_read_kernel(&name, sizeof(name), &dentry->d_name.name);
			if (probe_read_kernel_str(record->names[step], NAME, name) >= NAME)
				return; /* perhaps cut off */
			probe_read_kernel(&dentry, sizeof(dentry), &dentry->d_parent);
		} else { /* go on where this file system is mounted */
			struct mount *parent = 0;

			probe_read_kernel(&parent, sizeof(parent), &mount->mnt_parent);
			if (parent == mount) {
				record->depth = step;
				return;
			}
			record->names[step][0] = 0;
			probe_read_kernel(&dentry, sizeof(dentry), &mount->mnt_mountpoint);
			mount = parent;
		}
	}
}

/* When the process of the running thread began. An exec does not change it. */
static __attribute__((always_inline)) __u64 started(void)
{
	struct task_struct *task = (void *)get_current_task();
	struct task_struct *leader = 0;
	__u64 at = 0;

	probe_read_kernel(&leader, sizeof(leader), &task->group_leader);
	probe_read_kernel(&at, sizeof(at), &leader->start_boottime);
	return at;
}

static __attribute__((always_inline)) struct process_record *process(__u32 kind)
{
	struct task_struct *task = (void *)get_current_task();
	struct task_struct *leader = 0;
	struct task_struct *parent = 0;
	struct process_record *record = ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		count_lost();
		return 0;
	}
	record->kind = kind;
	record->pid = get_current_pid_tgid() >> 32;
	record->at = ktime_get_boot_ns();
	record->cookie = 0;
	record->started = started();
	record->parent = 0;
	record->depth = 0;
	probe_read_kernel(&leader, sizeof(leader), &task->group_leader);
	probe_read_kernel(&parent, sizeof(parent), &leader->real_parent);
	probe_read_kernel(&record->parent, sizeof(record->parent), &parent->tgid);
	read_path(record);
	return record;
}

/* The owner of a flow is the process that creates its socket or listener. Accepted sockets do not pass here. */
SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *context)
{
	struct process_record *record = process(CREATED);

	if (record) {
		record->cookie = get_socket_cookie(context);
		ringbuf_submit(record, 0);
	}
	return 1;
}

/* A process has begun to run its program. One that runs none of its own tells of itself by its first socket. */
SEC("raw_tp/sched_process_exec")
int process_exec(void *context)
{
	struct process_record *record;

	if (get_current_cgroup_id() != watched)
		return 0;
	record = process(BEGUN);
	if (record)
		ringbuf_submit(record, 0);
	return 0;
}

/* A thread exits, and the process with it if there is no other. Two that exit at once may both find none. */
SEC("raw_tp/sched_process_exit")
int process_exit(void *context)
{
	struct task_struct *task = (void *)get_current_task();
	struct signal_struct *signal = 0;
	struct exited_record *record;
	int live = 0;

	if (get_current_cgroup_id() != watched)
		return 0;
	probe_read_kernel(&signal, sizeof(signal), &task->signal);
	probe_read_kernel(&live, sizeof(live), &signal->live.counter);
	if (live)
		return 0;
	record = ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record) {
		count_lost();
		return 0;
	}
	record->kind = EXITED;
	record->pid = get_current_pid_tgid() >> 32;
	record->at = ktime_get_boot_ns();
	record->started = started();
	ringbuf_submit(record, 0);
	return 0;
}

/* Ends UDP flows. TCP ones live on: FIN and TIME_WAIT come later. */
SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *context)
{
	struct socket_record *record = new_record(context, RELEASED);

	if (record)
		ringbuf_submit(record, 0);
	return 1;
}

static __attribute__((always_inline)) void tcp(struct bpf_sock_ops *context, __u32 kind)
{
	struct socket_record *record = new_record(context, kind);

	if (!record)
		return;
	record->family = context->family;
	record->local_port = context->local_port;
	record->remote_port = context->remote_port;
	/* No branch on the family: clang would join its two ends in a way that the verifier refuses. */
	record->local4 = context->local_ip4;
	record->remote4 = context->remote_ip4;
	record->local6[0] = context->local_ip6[0];
	record->local6[1] = context->local_ip6[1];
	record->local6[2] = context->local_ip6[2];
	record->local6[3] = context->local_ip6[3];
	record->remote6[0] = context->remote_ip6[0];
	record->remote6[1] = context->remote_ip6[1];
	record->remote6[2] = context->remote_ip6[2];
	record->remote6[3] = context->remote_ip6[3];
	ringbuf_submit(record, 0);
}

SEC("sockops")
int sock_ops(struct bpf_sock_ops *context)
{
	switch (context->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB: /* the local port is chosen, the SYN not yet sent */
		sock_ops_cb_flags_set(context, BPF_SOCK_OPS_STATE_CB_FLAG);
		tcp(context, CONNECTING);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		sock_ops_cb_flags_set(context, BPF_SOCK_OPS_STATE_CB_FLAG);
		tcp(context, ACCEPTED);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (context->args[1] == BPF_TCP_CLOSE)
			tcp(context, CLOSED);
		break;
	default: /* "no opinion", for the operations that ask for a value */
		context->reply = -1;
	}
	return 1;
}

static __attribute__((always_inline)) int packet(struct __sk_buff *skb, __u32 kind)
{
	struct packet_record *record = ringbuf_reserve(&records, sizeof(*record), 0);
	__u64 captured = skb->len < HEADERS ? skb->len : HEADERS;

	if (!record) {
		count_lost();
		return 1;
	}
	record->kind = kind;
	record->length = skb->len;
	record->at = ktime_get_boot_ns();
	record->cookie = get_socket_cookie(skb);
	/* The empty statement keeps the compiler from losing the bound that the verifier wants to see. */
	asm volatile("" : "+r"(captured));
	if (captured == 0 || captured > HEADERS || skb_load_bytes(skb, 0, record->headers, captured) < 0)
		captured = 0;
	record->captured = captured;
	ringbuf_submit(record, 0);
	return 1;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	return packet(skb, OUTBOUND);
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	return packet(skb, INBOUND);
}

char probes_license[] SEC("license") = "Dual MIT/GPL";
