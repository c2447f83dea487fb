/** Containers that Holdfast runs itself, to their end, and their output. */
import { randomBytes } from 'node:crypto';

import type Docker from 'dockerode';

import { HoldfastError } from '../failures.ts';
import { bounded } from './call.ts';
import { answered } from './errors.ts';
import { isAlive, ownIdentity, parseIdentity, printIdentity } from './process-identity.ts';
import type { DockerHost } from './types.ts';

/** On every container that Holdfast makes for itself: which process it belongs to. */
export const OWNER_LABEL = 'dev.holdfast.owner';
export const CHECK_LABEL = 'dev.holdfast.check';
const OUTPUT_LIMIT_BYTES = 256 * 1024;

type RunSpec = Parameters<DockerHost['run']>[0];

/**
 * Creates, starts, waits, removes. When the time is over or the signal aborts, the container is killed and removed
 * before this rejects. Output is both streams, at most the last 256 KiB.
 */
export async function runToEnd(
  docker: Docker,
  spec: RunSpec,
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  const subject = { kind: 'container', doing: `run ${spec.command[0] ?? 'its command'} in ${spec.image}` } as const;
  const name = `holdfast-${randomBytes(6).toString('hex')}`;
  const limits = { timeoutMs, signal: spec.signal };
  await removeOrphans(docker, timeoutMs);
  spec.signal.throwIfAborted();
  try {
    // Not cancelled half-way: a container that the engine makes after its caller gave up would be left behind.
    const container = await bounded(subject, { timeoutMs }, () =>
      docker.createContainer({
        name,
        Image: spec.image,
        Cmd: [...spec.command],
        Labels: { ...spec.labels, [OWNER_LABEL]: printIdentity(ownIdentity()) },
        HostConfig: {
          Binds: [...spec.binds],
          NetworkMode: spec.network,
          SecurityOpt: [...(spec.securityOptions ?? [])],
          LogConfig: { Type: 'json-file', Config: {} },
        },
      }),
    );
    spec.signal.throwIfAborted();
    await bounded(subject, limits, () => container.start());
    const exitCode = await waitForEnd(docker, name, spec, subject);
    return { exitCode, output: await bounded(subject, limits, () => logTail(docker, name, 2000)) };
  } finally {
    await removeNamed(docker, name, timeoutMs);
  }
}

async function waitForEnd(
  docker: Docker,
  name: string,
  spec: RunSpec,
  subject: { kind: 'container'; doing: string },
): Promise<number> {
  const limit = AbortSignal.timeout(spec.timeoutMs);
  try {
    const ended = await bounded(
      subject,
      { timeoutMs: spec.timeoutMs + 10_000, signal: AbortSignal.any([spec.signal, limit]) },
      (abortSignal) => docker.getContainer(name).wait({ abortSignal }) as Promise<{ StatusCode: number }>,
    );
    return ended.StatusCode;
  } catch (error) {
    spec.signal.throwIfAborted();
    if (!limit.aborted) throw error;
    throw new HoldfastError('CheckFailed', `${subject.doing}: not finished after ${spec.timeoutMs / 1000} s`);
  }
}

async function removeNamed(docker: Docker, name: string, timeoutMs: number): Promise<void> {
  const subject = { kind: 'container', doing: `remove container ${name}` } as const;
  try {
    await bounded(subject, { timeoutMs }, () => docker.getContainer(name).remove({ force: true, v: true }));
  } catch (error) {
    // 409: its removal is under way already.
    if (!answered(error, 404) && !answered(error, 409)) throw error;
  }
}

/** Removes containers of Holdfast's own whose process is dead; those of living processes and all others are left. */
export async function removeOrphans(docker: Docker, timeoutMs: number): Promise<void> {
  const subject = { kind: 'engine', doing: 'look for containers that a dead process left' } as const;
  const listed = await bounded(subject, { timeoutMs }, () =>
    docker.listContainers({ all: true, filters: { label: [OWNER_LABEL, CHECK_LABEL] } }),
  );
  for (const info of listed) {
    const owner = parseIdentity(info.Labels[OWNER_LABEL] ?? '');
    if (owner !== undefined && !isAlive(owner)) await removeNamed(docker, info.Id, timeoutMs);
  }
}

/** The last lines of both output streams, in order. */
export async function logTail(docker: Docker, id: string, lines: number): Promise<string> {
  const container = docker.getContainer(id);
  const log = (await container.logs({ stdout: true, stderr: true, tail: lines, follow: false })) as unknown;
  const bytes = Buffer.isBuffer(log) ? log : Buffer.from(String(log));
  return demultiplex(bytes).subarray(-OUTPUT_LIMIT_BYTES).toString('utf8');
}

/** Frames of `[stream, 0, 0, 0, length]`; a terminal's output has none and is taken as it is. */
export function demultiplex(bytes: Buffer): Buffer {
  const out: Buffer[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const kind = bytes[at];
    const framed = kind !== undefined && kind <= 2 && bytes.readUIntBE(at + 1, 3) === 0;
    if (!framed) return at === 0 ? bytes : Buffer.concat(out);
    const length = bytes.readUInt32BE(at + 4);
    out.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return at === 0 ? bytes : Buffer.concat(out);
}
