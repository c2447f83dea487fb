/** A process in a network namespace of its own, whose way out is a program of the user (slirp4netns(1)). */
import { spawn, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensurePackages } from '../setup/packages.ts';

const LIMIT_MS = 60_000;

function networkOf(pid: number | 'self'): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

/** Starts `command`, detached, in a network of its own that leads nowhere. Needs root. */
export function spawnIsolated(command: readonly string[], log: number): ChildProcess {
  const words = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...command];
  return spawn('unshare', words, { detached: true, stdio: ['ignore', log, log] });
}

/**
 * Starts `command`, detached, when its network is there. The way out ends with the process, and with this program, by the
 * end of a pipe. Needs root.
 */
export async function spawnInNetwork(command: readonly string[], log: number): Promise<ChildProcess> {
  await ensurePackages(['slirp4netns'], 'a network of its own');
  // It waits for its network, and is then the command itself: unshare and the shell give it their process.
  const child = spawn('unshare', ['--net', 'sh', '-c', 'read -r go && exec "$@"', 'sh', ...command], {
    detached: true,
    stdio: ['pipe', log, log],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error('unshare cannot be started');
  const end = Date.now() + LIMIT_MS;
  // Not before: the way out would be made in the machine's own network.
  while (networkOf(pid) === networkOf('self')) {
    if (child.exitCode !== null || Date.now() > end) throw new Error('unshare made no network');
    await sleep(20);
  }
  const args = ['--configure', '--mtu=65520', '--disable-host-loopback', '--ready-fd=3', '--exit-fd=4'];
  const out = spawn('slirp4netns', [...args, String(pid), 'tap0'], { stdio: ['ignore', log, log, 'pipe', 'pipe'] });
  out.unref();
  for (const pipe of [out.stdio[3], out.stdio[4]] as unknown[]) (pipe as { unref(): void }).unref();
  child.once('exit', () => out.kill());
  await new Promise<void>((resolve, reject) => {
    (out.stdio[3] as Readable).once('data', () => resolve());
    out.once('error', reject).once('exit', () => reject(new Error('slirp4netns ended before its network was there')));
  });
  child.stdin?.end('go\n');
  return child;
}
