/**
 * Runs a check where it can harm nothing that is live, as far as the machine allows: all filesystems read-only but one
 * empty directory, no network, no daemon's socket or pipe, no devices but the harmless ones, other processes out of sight,
 * no right to undo any of it. What is scanned may be hostile.
 */
import path from 'node:path';
import { runProgram, type ProgramLimits, type ProgramOutcome } from '../checks/program.ts';

/**
 * Devices anew; every mount becomes read-only, then one directory writable again. A read-only mount stops nobody from
 * writing to a pipe or connecting to a socket: those where daemons keep them are covered, and the rest is `no-sockets.ts`.
 */
const CONFINE = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=1m confined "$HOLDFAST_WORK"
for device in null zero full random urandom; do
  : > "$HOLDFAST_WORK/$device"
  mount --bind "/dev/$device" "$HOLDFAST_WORK/$device"
done
ln -s /proc/self/fd "$HOLDFAST_WORK/fd"
ln -s fd/0 "$HOLDFAST_WORK/stdin"
ln -s fd/1 "$HOLDFAST_WORK/stdout"
ln -s fd/2 "$HOLDFAST_WORK/stderr"
ln -s "$HOLDFAST_WORK" "$HOLDFAST_WORK/shm"
mount --move "$HOLDFAST_WORK" /dev
while read -r _ _ _ _ at _; do
  at=$(printf '%b' "$at")
  mount -o remount,bind,ro "$at" 2>/dev/null || { [ -w "$at" ] && [ -d "$at" ] && exit 125; } || true
done < /proc/self/mountinfo
mount --bind "$HOLDFAST_WORK" "$HOLDFAST_WORK"
mount -o remount,bind,rw "$HOLDFAST_WORK"
for place in /run /run/user/* /var/run; do
  find "$place/" -xdev \\( -type s -o -type p \\) 2>/dev/null || true
done | while IFS= read -r each; do mount --bind /dev/null "$each" 2>/dev/null || true; done
cd "$HOLDFAST_SCRATCH" 2>/dev/null || cd /
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-sys_admin,-sys_module,-sys_rawio,-sys_ptrace,-sys_boot,-mknod,-net_admin -- "$@"`;

const NO_SOCKETS = [process.execPath, path.join(import.meta.dirname, 'no-sockets.ts')];
const APART = ['unshare', '--mount', '--net', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];
const PROBE_MS = 20_000;

export interface Confinement {
  /** Undefined: it was confined. Else why not. */
  readonly notConfined?: string;
}

/**
 * The copy is at HOLDFAST_SCRATCH, and the only place that may be written at TMPDIR. Where the machine can't confine
 * anything the check runs as any program of this worker does, and that is told.
 */
export async function runConfined(
  command: readonly string[],
  { scratch, work }: { readonly scratch: string; readonly work: string },
  limits: Omit<ProgramLimits, 'cwd' | 'env'>,
): Promise<ProgramOutcome & Confinement> {
  const env = { HOLDFAST_SCRATCH: scratch, HOLDFAST_WORK: work, TMPDIR: work, HOME: work };
  const wrapped = [...APART, 'sh', '-c', CONFINE, 'confined', ...NO_SOCKETS];
  const why = await problem(wrapped, env, limits.signal);
  if (why === undefined) return runProgram([...wrapped, ...command], { ...limits, env });
  return { ...(await runProgram(command, { ...limits, env, cwd: work })), notConfined: why };
}

async function problem(
  wrapped: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    // It has to be able to write where it may, and nowhere else.
    const probe =
      'touch "$HOLDFAST_WORK/probe" && rm "$HOLDFAST_WORK/probe" && ! touch "$HOLDFAST_WORK/../probe" 2>/dev/null';
    const done = await runProgram([...wrapped, 'sh', '-c', probe], { timeoutMs: PROBE_MS, signal, env });
    if (done.exitCode === 0) return undefined;
    const [said = ''] = done.output.trim().split('\n').slice(-1);
    return said === '' ? `exit ${done.exitCode ?? 'killed'}` : said;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}
