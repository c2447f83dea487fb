/** A Docker engine of the suite's own, which it may restart as often as it likes without anybody else feeling it. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, identityOf, isAlive, signalProcess, waitForEnd } from '../../src/engine/process.ts';
import { dockerAnswers } from '../setup/docker.ts';
import { endProcessesOf } from '../setup/docker-leftovers.ts';
import { findProgram } from '../setup/run.ts';

const LIMIT_MS = 120_000;

export interface OwnDocker {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Ends the daemon by SIGTERM and starts it again: what an upgrade of the engine does. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

async function start(base: string, host: string): Promise<string> {
  const at = (name: string): string => path.join(base, name);
  const log = openSync(at('log'), 'a');
  const args = [
    ...['--host', host, '--data-root', at('data'), '--exec-root', at('run'), '--pidfile', at('pid')],
    // Nothing of the machine's network is touched; the suite's containers have none.
    ...['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
  ];
  const child = spawn(findProgram('dockerd') ?? 'dockerd', args, { detached: true, stdio: ['ignore', log, log] });
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
export async function ownDockerEngine(): Promise<OwnDocker> {
  const base = mkdtempSync(path.join(tmpdir(), 'holdfast-dockerd-'));
  mkdirSync(path.join(base, 'data'));
  const host = `unix://${path.join(base, 'socket')}`;
  let identity = await start(base, host);
  let restarting = Promise.resolve();
  const restart = async (): Promise<void> => {
    signalProcess(identity, 'SIGTERM');
    if (!(await waitForEnd(identity, LIMIT_MS))) throw new Error("the suite's own dockerd does not end");
    identity = await start(base, host);
  };
  return {
    host,
    // Points beside each other restart it one after the other.
    restart: () => (restarting = restarting.then(restart)),
    close: async () => {
      await restarting.catch(() => undefined);
      await endProcess(identity, LIMIT_MS);
      endProcessesOf(base);
      rmSync(base, { recursive: true, force: true });
    },
  };
}
