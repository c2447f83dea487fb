/**
 * `node no-sockets.ts <command>…` becomes that command, which from then on can open no socket but of the internet's kinds:
 * the kernel refuses it, whatever lies where on which disk. Without it a program of root reaches every daemon that
 * listens on a name in a filesystem, and sockets of the machine's own host, which a network of its own does not hide.
 */
import koffi from 'koffi';

/** linux/seccomp.h, linux/bpf_common.h, linux/audit.h, sys/prctl.h. */
const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const RET_ALLOW = 0x7fff_0000;
const RET_KILL_PROCESS = 0x8000_0000;
const RET_ERRNO = 0x0005_0000;
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const FIRST_ARGUMENT_AT = 16;
const [EAFNOSUPPORT, ENOSYS] = [97, 38];
const [AF_INET, AF_INET6, AF_NETLINK] = [2, 10, 16];
/** It opens and connects sockets too, past any filter of calls. */
const IO_URING_SETUP = 425;
/** Calls of programs with short pointers, which have numbers of their own. */
const X32 = 0x4000_0000;
const [SIGPIPE, SIGXFSZ] = [13, 25];
const F_SETFD = 2;

const KERNELS: Readonly<Partial<Record<NodeJS.Architecture, { readonly audit: number; readonly socket: number }>>> = {
  x64: { audit: 0xc000_003e, socket: 41 },
  arm64: { audit: 0xc000_00b7, socket: 198 },
};

/** As a shell and as `env` have it. */
const NOT_FOUND = 127;
const NOT_CONFINED = 125;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

function filter({ audit, socket }: { readonly audit: number; readonly socket: number }): Buffer {
  const program: readonly Instruction[] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE_AT],
    [JUMP_IF_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, RET_KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER_AT],
    [JUMP_IF_AT_LEAST, 7, 0, X32],
    [JUMP_IF_EQUAL, 6, 0, IO_URING_SETUP],
    [JUMP_IF_EQUAL, 0, 6, socket],
    [LOAD_WORD, 0, 0, FIRST_ARGUMENT_AT],
    [JUMP_IF_EQUAL, 4, 0, AF_INET],
    [JUMP_IF_EQUAL, 3, 0, AF_INET6],
    [JUMP_IF_EQUAL, 2, 0, AF_NETLINK],
    [RETURN, 0, 0, RET_ERRNO + EAFNOSUPPORT],
    [RETURN, 0, 0, RET_ERRNO + ENOSYS],
    [RETURN, 0, 0, RET_ALLOW],
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}

/** Returns only when it could not be done. */
function become(command: readonly string[]): string {
  const kernel = KERNELS[process.arch];
  if (kernel === undefined) return `sockets can't be shut on ${process.arch}`;
  const library = koffi.load(null);
  const Program = koffi.struct({ length: 'uint16', filter: 'void *' });
  const prctl = library.func('prctl', 'int', ['int', 'ulong', koffi.pointer(Program), 'ulong', 'ulong']);
  const execvp = library.func('int execvp(const char *file, const char **words)');
  const fcntl = library.func('int fcntl(int fd, int command, int flags)');
  const signal = library.func('void *signal(int number, void *handler)');
  const bytes = filter(kernel);
  prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, { length: bytes.length / 8, filter: bytes }, 0, 0) !== 0) {
    return `sockets can't be shut: error ${koffi.errno()}`;
  }
  // Node.js closes these for whatever it becomes, and ignores those signals.
  for (const fd of [0, 1, 2]) fcntl(fd, F_SETFD, 0);
  for (const number of [SIGPIPE, SIGXFSZ]) signal(number, null);
  execvp(command[0] ?? '', [...command, null]);
  process.exitCode = NOT_FOUND;
  return `${command[0] ?? ''} can't be run: error ${koffi.errno()}`;
}

process.exitCode = NOT_CONFINED;
process.stderr.write(`${become(process.argv.slice(2))}\n`);
