/**
 * The Docker engine: one that answers is used as it is; otherwise, as root, one is started for as long as somebody here
 * needs it. Who starts beside it shares it, and the last one to leave stops it, by process id.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { RequestOptions } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, signalProcess } from '../../src/engine/process.ts';
import { cacheDirectory } from '../../src/system/cache.ts';
import { stopLeftovers } from './docker-leftovers.ts';
import { withLock } from './lock.ts';
import { canInstall, ensurePackages, missingPrograms } from './packages.ts';
import { findProgram } from './run.ts';
import { doing, say, SetupError } from './say.ts';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 60_000;
const PING_LIMIT_MS = 5_000;
const POLL_MS = 250;

/** How to reach the engine that DOCKER_HOST names, or the usual socket. */
export function engineAddress(dockerHost = process.env['DOCKER_HOST']): RequestOptions {
  if (dockerHost === undefined || dockerHost === '') return { socketPath: '/var/run/docker.sock' };
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  const { hostname, port } = new URL(dockerHost.replace(/^tcp:/, 'http:'));
  return { host: hostname, port: port === '' ? 2375 : Number(port) };
}

/** Whether an engine answers there. */
export async function dockerAnswers(dockerHost = process.env['DOCKER_HOST']): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...engineAddress(dockerHost), path: '/_ping', timeout: PING_LIMIT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.on('close', () => resolve(false));
    asked.end();
  });
}

function place(...segments: readonly string[]): string {
  return path.join(cacheDirectory(), 'dockerd', ...segments);
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function users(): string[] {
  mkdirSync(place('users'), { recursive: true });
  const known = readdirSync(place('users'));
  const alive = known.filter((user) => isAlive(read(place('users', user))));
  for (const gone of known.filter((user) => !alive.includes(user))) rmSync(place('users', gone), { force: true });
  return alive;
}

async function waitUntil(condition: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs;
  while (Date.now() < end) {
    if (await condition()) return true;
    await sleep(POLL_MS);
  }
  return false;
}

function logTail(): string {
  return read(place('log')).trimEnd().split('\n').slice(-10).join('\n');
}

async function startEngine(): Promise<void> {
  const dockerd = findProgram('dockerd');
  if (dockerd === undefined) throw new SetupError('dockerd is missing although its package is installed.');
  mkdirSync(place(), { recursive: true });
  const log = openSync(place('log'), 'w');
  // A group of its own: Ctrl-C at the terminal must not end it under containers that are still being cleaned up.
  const child = spawn(dockerd, [], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  const identity = child.pid === undefined ? undefined : identityOf(child.pid);
  if (identity === undefined) throw new SetupError(`dockerd cannot be started:\n${logTail()}`);
  writeFileSync(place('engine'), identity);
  const up = await waitUntil(async () => !isAlive(identity) || (await dockerAnswers()), START_LIMIT_MS);
  if (up && isAlive(identity)) return;
  throw new SetupError(`dockerd was started and does not answer; its last words:\n${logTail()}`);
}

async function stopEngine(): Promise<void> {
  const identity = read(place('engine'));
  if (!isAlive(identity)) return;
  await doing('Stopping the Docker engine that was started for this', async () => {
    signalProcess(identity, 'SIGTERM');
    const ended = await waitUntil(() => !isAlive(identity), STOP_LIMIT_MS);
    if (!ended) signalProcess(identity, 'SIGKILL');
    await waitUntil(() => !isAlive(identity), PING_LIMIT_MS);
    stopLeftovers();
  });
  rmSync(place('engine'), { force: true });
}

/** Returns the name this use is known by, or undefined when the engine is not ours to stop. */
async function join(): Promise<string | undefined> {
  if (await dockerAnswers()) {
    if (!isAlive(read(place('engine')))) return undefined;
  } else {
    if (missingPrograms(['dockerd']).length > 0) await ensurePackages(['dockerd', 'iptables'], 'a Docker engine');
    // Where packages start their services, it answers now and is not ours to stop.
    if (await waitUntil(() => dockerAnswers(), 2_000)) return undefined;
    if (process.getuid?.() !== 0) {
      throw new SetupError('No Docker engine answers. Start it: sudo systemctl start docker (or sudo dockerd)');
    }
    await doing('Starting the Docker engine', startEngine);
  }
  users();
  const user = randomUUID();
  writeFileSync(place('users', user), identityOf(process.pid) ?? '');
  return user;
}

async function leave(user: string): Promise<void> {
  rmSync(place('users', user), { force: true });
  if (users().length === 0) await stopEngine();
}

/** Whether an engine answers or could be made to: what the demo asks before it decides what to show. */
export async function dockerIsPossible(): Promise<boolean> {
  if (await dockerAnswers()) return true;
  return process.getuid?.() === 0 && (missingPrograms(['dockerd']).length === 0 || canInstall());
}

/** Makes an engine answer; disposing stops what was started for it. Throws SetupError with the next step. */
export async function dockerEngine(): Promise<AsyncDisposable> {
  const lock = path.join(cacheDirectory(), 'locks', 'dockerd');
  const user = await withLock(lock, join, () => say('Another set-up starts or stops the Docker engine; waiting …'));
  const dispose = async (): Promise<void> => {
    if (user !== undefined) await withLock(lock, () => leave(user));
  };
  return { [Symbol.asyncDispose]: dispose };
}
