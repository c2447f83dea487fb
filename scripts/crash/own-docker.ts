/** A Docker engine of the suite's own, which it may restart as often as it likes without anybody else feeling it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, identityOf, isAlive, pidOf, signalProcess, waitForEnd } from '../../src/engine/process.ts';
import { dockerAnswers } from '../setup/docker.ts';
import { endProcessesOf } from '../setup/docker-leftovers.ts';
import { findProgram } from '../setup/run.ts';
import { spawnInNetwork, spawnIsolated } from './own-network.ts';

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

/**
 * `none`: containers have no network. `isolated`: bridges, ports and rules that the machine doesn't see, and no way out, as
 * behind a registry that does not answer. `outside`: the same with a way out, which needs slirp4netns.
 */
export type OwnNetwork = 'none' | 'isolated' | 'outside';

function spawnEngine(
  network: OwnNetwork,
  command: readonly string[],
  log: number,
): Promise<ChildProcess> | ChildProcess {
  const [dockerd = '', ...args] = command;
  if (network === 'outside') return spawnInNetwork(command, log);
  if (network === 'isolated') return spawnIsolated(command, log);
  return spawn(dockerd, [...args, ...WITHOUT_NETWORK], { detached: true, stdio: ['ignore', log, log] });
}

async function start(base: string, host: string, network: OwnNetwork): Promise<string> {
  const at = (name: string): string => path.join(base, name);
  const log = openSync(at('log'), 'a');
  const where = ['--host', host, '--data-root', at('data'), '--exec-root', at('run'), '--pidfile', at('pid')];
  const dockerd = findProgram('dockerd') ?? 'dockerd';
  const child = await spawnEngine(network, [dockerd, ...where], log);
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

/** Needs root and the program dockerd. Everything lies under one temporary directory. */
export async function ownDockerEngine({
  network = 'none',
}: { readonly network?: OwnNetwork } = {}): Promise<OwnDocker> {
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
