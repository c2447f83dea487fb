/** A Docker engine of the suite's own, which it may restart as often as it likes without anybody else feeling it. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, identityOf, isAlive, pidOf, signalProcess, waitForEnd } from '../../src/engine/process.ts';
import { dockerAnswers } from '../setup/docker.ts';
import { endProcessesOf } from '../setup/docker-leftovers.ts';
import { findProgram } from '../setup/run.ts';
import { spawnInNetwork } from './own-network.ts';

const LIMIT_MS = 120_000;

export interface OwnDocker {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Of the daemon: `nsenter --target <pid> --net` sees what it sees. */
  pid(): number;
  /** Ends the daemon by SIGTERM and starts it again: what an upgrade of the engine does. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Nothing of the machine's network is touched; the suite's containers have none. */
const WITHOUT_NETWORK = ['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'];

async function start(base: string, host: string, network: boolean): Promise<string> {
  const at = (name: string): string => path.join(base, name);
  const log = openSync(at('log'), 'a');
  const where = ['--host', host, '--data-root', at('data'), '--exec-root', at('run'), '--pidfile', at('pid')];
  const dockerd = findProgram('dockerd') ?? 'dockerd';
  const child = network
    ? await spawnInNetwork([dockerd, ...where], log)
    : spawn(dockerd, [...where, ...WITHOUT_NETWORK], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  const identity = identityOf(child.pid ?? 0) ?? '';
  const end = Date.now() + LIMIT_MS;
  while (!(await dockerAnswers(host))) {
    if (!isAlive(identity) || Date.now() > end)
      throw new Error(`the suite's own dockerd does not answer; see ${at('log')}`);
    await sleep(100);
  }
  return identity;
}

/**
 * Needs root and the program dockerd. Everything lies under one temporary directory. With `network` it has a network of
 * its own, with bridges, ports and rules that the machine doesn't see and a way to the outside; that needs slirp4netns.
 */
export async function ownDockerEngine({ network = false } = {}): Promise<OwnDocker> {
  const base = mkdtempSync(path.join(tmpdir(), 'holdfast-dockerd-'));
  mkdirSync(path.join(base, 'data'));
  const host = `unix://${path.join(base, 'socket')}`;
  let identity = await start(base, host, network);
  let restarting = Promise.resolve();
  const restart = async (): Promise<void> => {
    signalProcess(identity, 'SIGTERM');
    if (!(await waitForEnd(identity, LIMIT_MS))) throw new Error("the suite's own dockerd does not end");
    identity = await start(base, host, network);
  };
  return {
    host,
    pid: () => pidOf(identity),
    // Points beside each other restart it one after the other.
    restart: () => (restarting = restarting.then(restart)),
    close: async () => {
      await restarting.catch(() => undefined);
      await endProcess(identity, LIMIT_MS);
      endProcessesOf(base);
      // What the daemon mounts for a container's network outlives one that ended in the middle of making it.
      const networks = path.join(base, 'run', 'netns');
      for (const name of existsSync(networks) ? readdirSync(networks) : []) {
        spawnSync('umount', ['--lazy', path.join(networks, name)]);
      }
      rmSync(base, { recursive: true, force: true });
    },
  };
}
